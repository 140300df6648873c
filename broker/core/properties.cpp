#include "core/properties.hpp"

namespace broker {

namespace {

void append_text(std::string& to, std::string_view text) {
    to.push_back(static_cast<char>(text.size() >> 8));
    to.push_back(static_cast<char>(text.size() & 0xFF));
    to.append(text);
}

} // namespace

std::optional<std::string_view> property_reader::text() {
    if (rest_.size() < 2) return std::nullopt;
    const std::size_t size = static_cast<std::size_t>(rest_[0]) << 8 | rest_[1];
    if (rest_.size() - 2 < size) return std::nullopt;
    const auto found = as_text(rest_.subspan(2, size));
    rest_ = rest_.subspan(2 + size);
    return found;
}

std::optional<property_view> property_reader::next() {
    if (rest_.empty() || !intact_) return std::nullopt;
    property_view found{.kind = static_cast<property_kind>(rest_[0])};
    rest_ = rest_.subspan(1);
    switch (found.kind) {
    case property_kind::payload_format:
        if (rest_.empty()) break;
        found.byte = rest_[0];
        rest_ = rest_.subspan(1);
        return found;
    case property_kind::user_property: {
        const auto name = text();
        const auto value = name ? text() : std::nullopt;
        if (!value) break;
        found.name = *name;
        found.value = *value;
        return found;
    }
    case property_kind::content_type:
    case property_kind::response_topic:
    case property_kind::correlation_data: {
        const auto value = text();
        if (!value) break;
        found.value = *value;
        return found;
    }
    }
    intact_ = false;
    return std::nullopt;
}

bool append_property(std::string& to, const property_view& property) {
    if (property.name.size() > 0xFFFF || property.value.size() > 0xFFFF) return false;
    to.push_back(static_cast<char>(property.kind));
    if (property.kind == property_kind::payload_format) {
        to.push_back(static_cast<char>(property.byte));
        return true;
    }
    if (property.kind == property_kind::user_property) append_text(to, property.name);
    append_text(to, property.value);
    return true;
}

std::optional<std::string_view> find_property(byte_view encoded, property_kind kind) {
    property_reader reader{encoded};
    while (const auto property = reader.next()) {
        if (property->kind == kind) return property->value;
    }
    return std::nullopt;
}

} // namespace broker
