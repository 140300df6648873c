// SEND [STOMP12 §SEND]: headers become the message's properties (docs/mapping.md).
#include "protocols/stomp/engine.hpp"

#include "core/properties.hpp"
#include "protocols/stomp/destination.hpp"
#include "protocols/stomp/reserved.hpp"

#include <algorithm>
#include <charconv>

namespace broker::stomp {

namespace {

std::optional<std::int64_t> number(std::string_view text) {
    std::int64_t value = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (ec != std::errc{} || end != text.data() + text.size() || value < 0) return std::nullopt;
    return value;
}

// A year is longer than any message needs; beyond it arithmetic on time points would overflow some day.
constexpr std::int64_t ttl_max_ms = 100LL * 365 * 24 * 3600 * 1000;

} // namespace

// Null: the frame was refused.
message_ptr engine::message_of(const frame& f, time_point now) {
    const auto destination = f.find("destination");
    if (!destination) return fail("protocol_error", "SEND without destination", f.get("receipt")), nullptr;
    const auto topic = topic_of(*destination, with_.bounds);
    if (!topic) return fail("protocol_error", topic.error(), f.get("receipt")), nullptr;

    std::string properties;
    bool fits = true;
    if (const auto type = f.find("content-type")) {
        fits &= append_property(properties, {.kind = property_kind::content_type, .value = *type});
    }
    if (const auto id = f.find("correlation-id")) {
        fits &= append_property(properties, {.kind = property_kind::correlation_data, .value = *id});
    }
    if (const auto reply = f.find("reply-to")) {
        const auto reply_topic = topic_of(*reply, with_.bounds);
        if (!reply_topic) return fail("protocol_error", "reply-to: " + reply_topic.error(), f.get("receipt")), nullptr;
        fits &= append_property(properties, {.kind = property_kind::response_topic, .value = *reply_topic});
    }
    std::vector<std::string_view> seen; // of repeated headers the first counts
    for (const auto& [key, value] : f.headers) {
        if (is_reserved(key) || std::ranges::find(seen, key) != seen.end()) continue;
        seen.push_back(key);
        fits &= append_property(properties, {.kind = property_kind::user_property, .name = key, .value = value});
    }
    if (!fits || properties.size() > with_.bounds.max_properties_bytes) {
        return fail("too_big", "the headers are too large to keep with the message", f.get("receipt")), nullptr;
    }

    message_fields fields{.topic = *topic,
                          .properties = as_bytes(properties),
                          .payload = f.body,
                          .level = qos::at_least_once,
                          .retain = f.get("retain") == "true" || f.get("retain") == "set",
                          .persistent = f.get("persistent") != "false",
                          .received_at = now};
    const auto ttl = f.find("ttl") ? f.find("ttl") : f.find("expiration");
    if (ttl || f.find("expires")) {
        const auto ms = number(ttl ? *ttl : f.get("expires"));
        if (!ms || *ms > ttl_max_ms) return fail("protocol_error", "malformed expiry header", f.get("receipt")), nullptr;
        if (*ms != 0) fields.expires_at = ttl ? now + milliseconds{*ms} : from_epoch_ms(*ms);
    }
    return make_message(fields);
}

void engine::on_send(const frame& f, time_point now) {
    auto m = message_of(f, now);
    if (!m) return;
    auto& count = with_.route.count();
    constexpr auto mine = static_cast<std::size_t>(protocol_kind::stomp);
    ++count.messages_received[mine][1];
    count.message_bytes_received[mine] += f.body.size();
    if (f.find("transaction")) {
        auto* const t = transaction_of(f);
        if (t == nullptr) return;
        t->bytes += m->footprint();
        if (t->bytes > with_.bounds.stomp_transaction_bytes_max) {
            return fail("too_big", "transaction over its limit of bytes", f.get("receipt"));
        }
        t->steps.push_back({.message = std::move(m)});
        return receipt(f, ticket{});
    }
    const auto routed = with_.route.publish(std::move(m), now);
    if (routed.refused != refusal::none) {
        return fail("overload", "the store or a limit refuses this message", f.get("receipt"));
    }
    receipt(f, routed.durable_at);
}

} // namespace broker::stomp
