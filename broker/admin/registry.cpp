#include "admin/registry.hpp"

#include "core/utf8.hpp"

#include <boost/json/serialize.hpp>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace broker::admin {

registry::registry() {
    add_observation(*this);
    add_metrics(*this);
    add_clients(*this);
    add_listeners(*this);
    add_bans(*this);
    add_sessions(*this);
    add_retained(*this);
    add_queues(*this);
    add_store(*this);
    add_acl(*this);
    add_tokens(*this);
    add_api_keys(*this);
    add_users(*this);
    add_publish(*this);
}

void registry::add(std::string_view method, std::string_view pattern, command run) {
    rows_.push_back({std::string{method}, std::string{pattern}, std::move(run)});
}

std::string decode_percent(std::string_view text, bool plus_is_space) {
    std::string plain;
    for (std::size_t i = 0; i != text.size(); ++i) {
        unsigned value = 0;
        if (text[i] == '%' && i + 2 < text.size() &&
            std::from_chars(text.data() + i + 1, text.data() + i + 3, value, 16).ptr == text.data() + i + 3) {
            plain.push_back(static_cast<char>(value));
            i += 2;
        } else {
            plain.push_back(plus_is_space && text[i] == '+' ? ' ' : text[i]);
        }
    }
    return plain;
}

namespace {

std::optional<std::vector<std::string>> match(std::string_view pattern, std::string_view path) {
    std::vector<std::string> rest;
    for (;;) {
        if (pattern == "{*}") {
            if (path.empty()) return std::nullopt;
            rest.push_back(decode_percent(path, false));
            return rest;
        }
        const auto a = pattern.find('/');
        const auto b = path.find('/');
        if (pattern.substr(0, a) == "{}") {
            if (path.substr(0, b).empty()) return std::nullopt;
            rest.push_back(decode_percent(path.substr(0, b), false));
        } else if (pattern.substr(0, a) != path.substr(0, b)) {
            return std::nullopt;
        }
        if (a == std::string_view::npos || b == std::string_view::npos) {
            if (a != b) return std::nullopt;
            return rest;
        }
        pattern.remove_prefix(a + 1);
        path.remove_prefix(b + 1);
    }
}

std::string base64(byte_view bytes) {
    std::string text(4 * ((bytes.size() + 2) / 3), '\0');
    EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), bytes.data(), static_cast<int>(bytes.size()));
    return text;
}

} // namespace

response registry::run(node& on, request r) const {
    bool path_known = false;
    for (const auto& one : rows_) {
        auto rest = match(one.pattern, r.path);
        if (!rest) continue;
        path_known = true;
        if (one.method != r.method) continue;
        r.rest = std::move(*rest);
        return one.run(on, r);
    }
    if (path_known) return problem(405, "method_not_allowed", r.method + " is not answered on " + r.path);
    return problem(404, "not_found", "no such resource: " + r.path);
}

response json(const boost::json::value& value, unsigned status) {
    return {.status = status, .body = boost::json::serialize(value) + "\n"};
}

response problem(unsigned status, std::string_view code, std::string_view detail) {
    return {.status = status,
            .content_type = "application/problem+json",
            .body = boost::json::serialize(boost::json::object{{"type", "about:blank"},
                                                               {"status", status},
                                                               {"code", boost::json::string_view{code.data(), code.size()}},
                                                               {"detail", boost::json::string_view{detail.data(), detail.size()}}}) +
                    "\n"};
}

response problem(const admin_error& error) {
    switch (error.what) {
    case admin_error::kind::not_found: return problem(404, "not_found", error.detail);
    case admin_error::kind::invalid: return problem(400, "invalid", error.detail);
    case admin_error::kind::forbidden: return problem(403, "forbidden", error.detail);
    case admin_error::kind::refused: return problem(409, "refused", error.detail);
    case admin_error::kind::timeout: return problem(503, "overload", error.detail);
    }
    return problem(500, "internal", error.detail);
}

std::string rfc3339(time_point t) {
    const auto ms = epoch_ms(t);
    return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(static_cast<std::time_t>(ms / 1000)), ms % 1000);
}

boost::json::value time_or_null(time_point at) { return at == never ? boost::json::value{} : boost::json::value(rfc3339(at)); }

std::optional<std::uint64_t> number_in(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
    return ec == std::errc{} && end == text.data() + text.size() ? std::optional{value} : std::nullopt;
}

std::optional<std::uint64_t> request::number(const std::string& key, std::uint64_t otherwise, std::uint64_t most) const {
    const auto text = get(key);
    if (text.empty()) return otherwise;
    const auto value = number_in(text);
    return value ? std::optional{std::min(*value, most)} : std::nullopt;
}

void put_payload(boost::json::object& o, std::string_view payload) {
    if (is_utf8(payload)) {
        o["payload"] = std::string{payload};
    } else {
        o["payload_base64"] = base64(as_bytes(payload));
    }
}

boost::json::object describe(const message& m) {
    boost::json::object o{{"topic", std::string{m.topic()}},
                          {"qos", static_cast<int>(m.level())},
                          {"retain", m.retain()}};
    put_payload(o, as_text(m.payload()));
    return o;
}

} // namespace broker::admin
