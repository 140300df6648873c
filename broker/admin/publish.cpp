// POST /api/v1/publish {"destination", "payload" | "payload_base64", "qos", "retain", "ttl_s", "headers"}
#include "admin/body.hpp"

#include "core/properties.hpp"
#include "core/topic.hpp"

#include <openssl/evp.h>

#include <array>
#include <limits>

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

bool allowed(const security::rights& may, std::string_view topic, bool retain) {
    using security::rights;
    limits widest; // the node asks its own later
    widest.max_topic_levels = topic_levels_max;
    widest.max_topic_bytes = 0xFFFF;
    return is_topic_name(topic, widest) && may.verdict_on(rights::publishing_to(topic), topic).allowed && (!retain || may.verdict_on(security::action::retain, topic).allowed);
}

response publish_object(node& on, const boost::json::object& o, const security::rights* may) {
    const auto level = integer_at(o, "qos", 1);
    if (level < 0 || level > 2) return problem(400, "invalid", "qos is 0, 1 or 2");
    const auto ttl_s = integer_at(o, "ttl_s", 0);
    if (ttl_s < 0 || ttl_s > std::numeric_limits<std::uint32_t>::max()) {
        return problem(400, "invalid", "ttl_s is 0 (never expires) to 4294967295");
    }
    auto payload = text_at(o, "payload");
    if (o.contains("payload_base64")) {
        auto decoded = from_base64(text_at(o, "payload_base64"));
        if (!decoded || o.contains("payload")) {
            return problem(400, "invalid", decoded ? "payload or payload_base64, not both" : "payload_base64 is not base64");
        }
        payload = std::move(*decoded);
    }
    std::string properties;
    if (const auto* const headers = o.if_contains("headers")) {
        if (!headers->is_object()) throw wrong_type{"headers", "an object"};
        for (const auto& [key, value] : headers->as_object()) {
            if (!value.is_string()) throw wrong_type{"headers", "an object of strings"};
            const property_view p{.kind = property_kind::user_property, .name = key, .value = value.as_string()};
            if (!append_property(properties, p)) return problem(413, "too_big", "a header is longer than 65535 bytes");
        }
    }
    const auto topic = topic_of(text_at(o, "destination"));
    if (may != nullptr && !allowed(*may, topic, flag_at(o, "retain"))) {
        return problem(403, "forbidden", "the scopes and roles of this key do not allow to publish to " + topic);
    }
    const auto now = time_point{std::chrono::duration_cast<nanoseconds>(std::chrono::system_clock::now().time_since_epoch())};
    message_fields fields{.topic = topic,
                          .properties = as_bytes(properties),
                          .payload = as_bytes(payload),
                          .level = static_cast<qos>(level),
                          .retain = flag_at(o, "retain"),
                          .received_at = now};
    if (ttl_s != 0) fields.expires_at = now + seconds{ttl_s};
    const auto matched = on.publish(fields);
    return matched ? json(boost::json::object{{"matched", *matched}}) : problem(matched.error());
}

response publish(node& on, const request& r) {
    constexpr std::array<std::string_view, 7> known{"destination", "payload", "payload_base64", "qos", "retain", "ttl_s", "headers"};
    return with_body(r, known, [&](const boost::json::object& o) { return publish_object(on, o, r.may); });
}

} // namespace

void add_publish(registry& to) { to.add("POST", "/api/v1/publish", publish); }

} // namespace broker::admin
