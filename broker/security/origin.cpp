#include "security/origin.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace broker::security {

namespace {

std::string lower(std::string_view text) {
    std::string made{text};
    std::ranges::transform(made, made.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return made;
}

bool is_host_character(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_'; }

// "[::1]" or a name; an address in brackets is compared as text.
bool is_host(std::string_view host) {
    if (host.starts_with('[')) {
        return host.size() > 2 && host.ends_with(']') &&
               std::ranges::all_of(host.substr(1, host.size() - 2), [](char c) { return is_host_character(c) || c == ':'; });
    }
    return !host.empty() && std::ranges::all_of(host, is_host_character);
}

struct authority {
    std::string host{};
    std::uint16_t port = 0;
};

// HOST[:PORT]
std::optional<authority> parse_authority(std::string_view text, std::uint16_t default_port) {
    authority made{.port = default_port};
    const auto bracket = text.rfind(']');
    const auto colon = text.find(':', bracket == std::string_view::npos ? 0 : bracket);
    if (colon != std::string_view::npos) {
        const auto digits = text.substr(colon + 1);
        const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), made.port);
        if (ec != std::errc{} || end != digits.data() + digits.size() || made.port == 0) return std::nullopt;
    }
    made.host = lower(text.substr(0, colon));
    if (!is_host(made.host)) return std::nullopt;
    return made;
}

std::uint16_t default_port(std::string_view scheme) { return scheme == "https" ? 443 : scheme == "http" ? 80 : 0; }

} // namespace

std::optional<allowed_origins::place> allowed_origins::parse(std::string_view text) {
    const auto colon = text.find("://");
    if (colon == std::string_view::npos || colon == 0) return std::nullopt;
    place made{.scheme = lower(text.substr(0, colon))};
    if (!std::ranges::all_of(made.scheme, [](char c) { return is_host_character(c) || c == '+'; })) return std::nullopt; // also capacitor, app, ...
    const auto where = parse_authority(text.substr(colon + 3), default_port(made.scheme));
    if (!where) return std::nullopt;
    made.host = where->host;
    made.port = where->port;
    return made;
}

result<allowed_origins, std::string> allowed_origins::make(const std::vector<std::string>& entries, bool allow_missing) {
    allowed_origins made;
    made.missing_ = allow_missing;
    made.same_ = entries.empty();
    for (const auto& entry : entries) {
        if (entry == "same-origin") {
            made.same_ = true;
        } else if (entry == "*") {
            made.any_ = true;
        } else {
            const auto star = entry.find("://*.");
            auto one = parse(star == std::string::npos ? entry : entry.substr(0, star + 3) + entry.substr(star + 5));
            if (!one) return fail(fmt::format("allowed origin '{}': write https://app.example.com, https://*.example.com, same-origin or *", entry));
            one->below = star != std::string::npos;
            if (one->below) one->host.insert(0, 1, '.');
            made.places_.push_back(std::move(*one));
        }
    }
    return made;
}

bool allowed_origins::allows(std::optional<std::string_view> origin, std::string_view host) const {
    if (!origin) return missing_;
    if (any_) return true;
    const auto from = parse(*origin);
    if (!from) return false;
    if (same_) {
        const auto here = parse_authority(host, default_port(from->scheme));
        if (here && here->host == from->host && here->port == from->port) return true;
    }
    return std::ranges::any_of(places_, [&](const place& p) {
        return p.scheme == from->scheme && p.port == from->port && (p.below ? from->host.ends_with(p.host) && from->host.size() > p.host.size() : from->host == p.host);
    });
}

} // namespace broker::security
