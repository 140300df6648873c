// POST /api/v1/publish {"destination", "payload" | "payload_base64", "qos", "retain", "ttl_s", "headers"}
#include "admin/registry.hpp"

#include "core/properties.hpp"

#include <boost/json/parse.hpp>
#include <openssl/evp.h>

namespace broker::admin {

namespace {

std::optional<std::string> from_base64(const std::string& text) {
    if (text.size() % 4 != 0) return std::nullopt;
    std::string bytes(text.size() / 4 * 3, '\0');
    const auto size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                                      reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
    if (size < 0) return std::nullopt;
    const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
    bytes.resize(static_cast<std::size_t>(size) - padding);
    return bytes;
}

// "/topic/a" and "/queue/q" as in STOMP, anything else as in MQTT.
std::string topic_of(std::string destination) {
    if (destination.starts_with("/topic/")) return destination.substr(7);
    if (destination.starts_with("/queue/")) return "$queue/" + destination.substr(7);
    return destination;
}

response publish(node& on, const request& r) {
    boost::system::error_code ec;
    const auto parsed = boost::json::parse(r.body, ec);
    if (ec || !parsed.is_object()) return problem(400, "invalid", "the body is not a JSON object");
    const auto& o = parsed.as_object();
    const auto text = [&](const char* key) {
        const auto* const v = o.if_contains(key);
        return v != nullptr && v->is_string() ? std::string{v->as_string()} : std::string{};
    };
    const auto* const level = o.if_contains("qos");
    const auto qos_number = level != nullptr && level->is_int64() ? level->as_int64() : 1;
    if (qos_number < 0 || qos_number > 2) return problem(400, "invalid", "qos is 0, 1 or 2");
    auto payload = text("payload");
    if (o.contains("payload_base64")) {
        auto decoded = from_base64(text("payload_base64"));
        if (!decoded) return problem(400, "invalid", "payload_base64 is not base64");
        payload = std::move(*decoded);
    }
    std::string properties;
    if (const auto* const headers = o.if_contains("headers"); headers != nullptr && headers->is_object()) {
        for (const auto& [key, value] : headers->as_object()) {
            if (!value.is_string()) return problem(400, "invalid", "header values are strings");
            const property_view p{.kind = property_kind::user_property, .name = key, .value = value.as_string()};
            if (!append_property(properties, p)) return problem(413, "too_big", "a header is longer than 65535 bytes");
        }
    }
    const auto topic = topic_of(text("destination"));
    const auto* const retain = o.if_contains("retain");
    const auto now = time_point{std::chrono::duration_cast<nanoseconds>(std::chrono::system_clock::now().time_since_epoch())};
    message_fields fields{.topic = topic,
                          .properties = as_bytes(properties),
                          .payload = as_bytes(payload),
                          .level = static_cast<qos>(qos_number),
                          .retain = retain != nullptr && retain->is_bool() && retain->as_bool(),
                          .received_at = now};
    if (const auto* const ttl = o.if_contains("ttl_s"); ttl != nullptr && ttl->is_int64() && ttl->as_int64() > 0) {
        fields.expires_at = now + seconds{ttl->as_int64()};
    }
    const auto matched = on.publish(fields);
    return matched ? json(boost::json::object{{"matched", *matched}}) : problem(matched.error());
}

} // namespace

void add_publish(registry& to) { to.add("POST", "/api/v1/publish", publish); }

} // namespace broker::admin
