// SEND: headers become the message's properties (docs/mapping.md).
#include "protocols/stomp/engine.hpp"

#include "core/base64url.hpp"
#include "core/properties.hpp"
#include "core/utf8.hpp"
#include "protocols/stomp/reserved.hpp"

#include <charconv>

namespace broker::stomp {

namespace {

std::optional<std::int64_t> number(std::string_view text) {
    std::int64_t value = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (ec == std::errc::result_out_of_range) return std::numeric_limits<std::int64_t>::max(); // "never", in some libraries
    if (ec != std::errc{} || end != text.data() + text.size() || value < 0) return std::nullopt;
    return value;
}

// Beyond the year 2200 time points end.
constexpr std::int64_t latest_ms = 7'258'000'000'000;

time_point in_or_at(std::int64_t ms, std::int64_t from_ms) {
    return ms > latest_ms - from_ms ? never : from_epoch_ms(from_ms + ms);
}

// When the message expires; nothing: a header is malformed. 0 is never, as in JMS.
std::optional<time_point> expiry_of(const frame& f, time_point now) {
    for (const auto* const name : {"ttl", "expiration", "expires"}) {
        const auto text = f.find(name);
        if (!text) continue;
        const auto ms = number(*text);
        if (!ms) return std::nullopt;
        if (*ms == 0) return never;
        return in_or_at(*ms, std::string_view{name} == "expires" ? 0 : epoch_ms(now));
    }
    return never;
}

// Does the content type say that the body is UTF-8? text/… without another charset, or any with it [STOMP12-TYPE-2].
// Without a type the body is bytes [STOMP12-TYPE-5].
bool says_utf8(std::string_view type) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; };
    std::string plain;
    for (const char c : type) {
        if (c != ' ' && c != '"') plain += lower(c);
    }
    const auto charset = plain.find(";charset=");
    if (charset == std::string::npos) return plain.starts_with("text/");
    const auto name = std::string_view{plain}.substr(charset + 9);
    return name.substr(0, name.find(';')) == "utf-8";
}

} // namespace

// Null: the frame was refused.
message_ptr engine::message_of(const frame& f, time_point now) {
    const auto destination = f.find("destination");
    if (!destination) return fail("protocol_error", "SEND without destination", f.get("receipt")), nullptr; // [STOMP12-SEND-1]

    auto& properties = scratch_;
    properties.clear();
    bool fits = true;
    if (const auto type = f.find("content-type")) {
        if (says_utf8(*type) && is_utf8(as_text(f.body))) {
            fits &= append_property(properties, {.kind = property_kind::payload_format, .byte = 1});
        }
        fits &= append_property(properties, {.kind = property_kind::content_type, .value = *type});
    }
    if (const auto id = f.find("correlation-id")) {
        std::optional<std::string> bytes;
        if (f.get(correlation_encoding) == "base64url") {
            bytes = from_base64url(*id);
            if (!bytes) return fail("protocol_error", "correlation-id is not base64url", f.get("receipt")), nullptr;
        }
        fits &= append_property(properties, {.kind = property_kind::correlation_data, .value = bytes ? *bytes : *id});
    }
    if (const auto reply = f.find("reply-to")) {
        const auto reply_topic = topic_of(*reply, now);
        if (!reply_topic) return fail_destination(*reply, "reply-to: " + reply_topic.error(), f.get("receipt")), nullptr;
        fits &= append_property(properties, {.kind = property_kind::response_topic, .value = *reply_topic});
    }
    for (const auto& [key, value] : f.headers) { // [STOMP12-SEND-2], repeated ones too: the first still comes first
        if (is_reserved(key)) continue;
        fits &= append_property(properties, {.kind = property_kind::user_property, .name = key, .value = value});
    }
    if (!fits || properties.size() > with_.bounds.max_properties_bytes) {
        return fail_over(limit_kind::properties, "the headers are too large to keep with the message", f.get("receipt")), nullptr;
    }
    const auto topic = topic_of(*destination, now);
    if (!topic) return fail_destination(*destination, topic.error(), f.get("receipt")), nullptr;
    const auto expires = expiry_of(f, now);
    if (!expires) return fail("protocol_error", "malformed expiry header", f.get("receipt")), nullptr;
    return make_message({.topic = *topic,
                         .properties = as_bytes(properties),
                         .payload = f.body,
                         .level = qos::at_least_once,
                         .retain = f.get("retain") == "true" || f.get("retain") == "set",
                         .persistent = f.get("persistent") != "false",
                         .publisher = publisher_,
                         .received_at = now,
                         .expires_at = *expires});
}

// SEND to /sys/auth: the body is a new token of the same user.
void engine::renew_token(const frame& f, time_point now) {
    if (with_.admit == nullptr) return fail("protocol_error", "tokens are not taken", f.get("receipt"));
    auto given = with_.admit->renew(as_text(f.body));
    if (const auto* const why = std::get_if<close_reason>(&given)) {
        return fail(token(why->cause), "not authenticated", f.get("receipt"));
    }
    receipt(f, ticket{});
    on_rights(std::get<welcome>(std::move(given)), now);
}

void engine::on_send(const frame& f, time_point now) {
    if (f.get("destination") == "/sys/auth") return renew_token(f, now);
    auto m = message_of(f, now);
    if (!m) return;
    if (with_.meter != nullptr) with_.meter->charge(m->topic().size() + f.body.size(), now);
    auto& count = with_.route.count();
    if (!may_.publish(m->topic(), m->retain())) { // before a transaction holds it, too
        count.drop(drop_reason::acl);
        return fail("forbidden", "this destination may not be sent to", f.get("receipt"));
    }
    constexpr auto mine = static_cast<std::size_t>(protocol_kind::stomp);
    ++count.messages_received[mine][1];
    count.message_bytes_received[mine] += f.body.size();
    if (f.find("transaction")) { // [STOMP12-SEND-5]
        const auto bytes = m->footprint() + sizeof(transaction::step);
        return add_to_transaction(f, {.message = std::move(m)}, bytes);
    }
    const auto routed = with_.route.publish(std::move(m), now);
    if (routed.refused != refusal::none) { // [STOMP12-SEND-3]
        return fail_refused(routed.refused, "this message", f.get("receipt"));
    }
    receipt(f, routed.durable_at); // [STOMP12-RECEIPT-2]
}

} // namespace broker::stomp
