// PUBLISH from a client (MQTT 5 §3.3).
#include "protocols/mqtt/engine.hpp"

#include "core/topic.hpp"
#include "core/utf8.hpp"

namespace broker::mqtt {

// The topic, aliases resolved. Nothing: the connection is being closed.
std::optional<std::string_view> engine::topic_of(const publish& p) {
    const auto alias = p.with.topic_alias;
    if (alias && !aliases_.allowed(*alias)) {
        count_refused(limit_kind::topic_aliases);
        fail_with(reason_code::topic_alias_invalid, "[MQTT-3.3.2-8, MQTT-3.3.2-9] topic alias out of range");
        return std::nullopt;
    }
    if (p.topic.empty()) {
        const auto known = alias ? aliases_.find(*alias) : std::nullopt;
        // §3.3.2.1, §3.3.2.3.4: without a topic only with an alias this connection has set [MQTT-3.3.2-7]
        if (!known) fail_with(reason_code::protocol_error, "[MQTT-4.7.3-1] no topic name and no known topic alias");
        return known;
    }
    if (has_wildcard(p.topic)) { // [MQTT-3.3.2-2, MQTT-4.7.0-1]
        fail_with(reason_code::topic_name_invalid, "[MQTT-3.3.2-2] wildcard in a topic name");
        return std::nullopt;
    }
    if (alias) {
        if (p.topic.size() > with_.bounds.max_topic_bytes) { // not to be kept
            count_refused(limit_kind::topic_bytes);
            fail_with(reason_code::topic_name_invalid, "topic name over limits.max_topic_bytes");
            return std::nullopt;
        }
        aliases_.set(*alias, p.topic);
    }
    return p.topic;
}

message_ptr engine::message_of(const publish& p, std::string_view topic, time_point now) {
    auto passed_on = p.with.raw;
    if (!p.with.only_passed_on) {
        auto& copied = with_.wire.scratch();
        copied.clear();
        copy_passed_on(p.with.raw, copied);
        passed_on = as_bytes(copied);
    }
    message_fields fields{.topic = topic,
                          .properties = passed_on,
                          .payload = p.payload,
                          .level = p.level,
                          .retain = p.retain,
                          .publisher = session_->id(),
                          .received_at = now};
    if (p.with.message_expiry_interval) fields.expires_at = now + seconds{*p.with.message_expiry_interval};
    return make_message(fields);
}

// Why the message is not accepted, if so. The connection goes on: version 5 has a code, QoS 0 no answer.
std::optional<engine::objection> engine::objection_to(const publish& p, std::string_view topic) {
    if (!is_topic_name(topic, with_.bounds)) {
        count_refused(topic);
        return objection{reason_code::topic_name_invalid, "topic name over the limits", drop_reason::too_big};
    }
    // "$" is the server's (§4.7.2), except queues.
    if (is_server_topic(topic) || !may_.publish(topic, p.retain)) {
        return objection{reason_code::not_authorized, {}, drop_reason::acl}; // nobody is told more about what is forbidden
    }
    if (p.with.payload_format_indicator == 1 && !is_utf8(as_text(p.payload))) {
        return objection{reason_code::payload_format_invalid, "§3.3.2.3.2: payload is not UTF-8", drop_reason::acl};
    }
    if (v5() && p.level == qos::at_least_once && session_->remembers(p.id)) { // [MQTT-2.2.1-3]
        return objection{reason_code::packet_identifier_in_use, "the identifier is that of a QoS 2 message", drop_reason::acl};
    }
    return std::nullopt;
}

void engine::on_publish(const publish& p, time_point now) {
    const auto topic = topic_of(p);
    if (!topic) return;
    auto& count = with_.route.count();
    constexpr auto mine = static_cast<std::size_t>(protocol_kind::mqtt);
    ++count.messages_received[mine][static_cast<std::size_t>(p.level)];
    count.message_bytes_received[mine] += p.payload.size();
    if (with_.meter != nullptr) with_.meter->charge(topic->size() + p.payload.size(), now);

    if (p.retain && !with_.bounds.keeps_retained() && v5()) { // [MQTT-3.2.2-14]
        return fail_with(reason_code::retain_not_supported, "retained messages are off");
    }
    if (p.level == qos::exactly_once) {
        // Repeated before PUBREL, DUP or not: acknowledged again, but it must not reach subscribers twice [MQTT-4.3.3-10].
        if (const auto earlier = session_->remembered_at(p.id)) {
            return send_when_durable(*earlier, encode_ack(packet_type::pubrec, p.id, reason_code::success, level_));
        }
    }
    if (p.level != qos::at_most_once) {
        // Clients of version 3 are told no maximum; the transport stops reading them when the store is behind.
        if (v5() && exchanges_ >= with_.bounds.mqtt_receive_maximum) {
            count_refused(limit_kind::receive_maximum);
            return fail_with(reason_code::receive_maximum_exceeded, "[MQTT-3.3.4-7] receive maximum");
        }
        ++exchanges_;
    }
    if (const auto why = objection_to(p, *topic)) return refuse_publish(p, *why);

    // Route first: an acknowledgement says this broker now owns the message [MQTT-4.3.2-4, MQTT-4.3.3-8, MQTT-4.5.0-1].
    const auto routed = with_.route.publish(message_of(p, *topic, now), now);
    if (routed.refused != refusal::none) {
        const bool full = routed.refused == refusal::quota_exceeded;
        return refuse_publish(p, {.reason = reason_code::quota_exceeded,
                                  .why = full ? "a limit on queues or retained messages" : "the store takes nothing now"});
    }
    const auto reason = routed.matched ? reason_code::success : reason_code::no_matching_subscribers;
    switch (p.level) { // [MQTT-3.3.4-1]
    case qos::at_most_once: return;
    case qos::at_least_once: // afterwards the identifier is new again [MQTT-4.3.2-5]
        return send_when_durable(routed.durable_at, encode_ack(packet_type::puback, p.id, reason, level_), true);
    case qos::exactly_once:
        session_->remember(p.id); // the same batch as the message
        const auto at = std::max(routed.durable_at, session_->remembered_at(p.id).value_or(ticket{}));
        return send_when_durable(at, encode_ack(packet_type::pubrec, p.id, reason, level_));
    }
}

// Version 5 can say why, and the identifier is free again [MQTT-4.3.3-9]. Earlier versions know two answers [MQTT3-3.3.5-2]:
// what a client may not write is acknowledged and discarded, as everywhere; what we failed to take ends the connection,
// since a PUBACK would be a lie.
void engine::refuse_publish(const publish& p, const objection& why) {
    const bool forbidden = why.reason == reason_code::not_authorized;
    if (!v5() && !forbidden && p.level != qos::at_most_once) return fail_with(why.reason, why.why);
    if (why.counted_as) with_.route.count().drop(*why.counted_as);
    if (p.level == qos::at_most_once) return;
    const auto type = p.level == qos::at_least_once ? packet_type::puback : packet_type::pubrec;
    const auto reason = v5() ? why.reason : reason_code::success;
    send_when_durable(ticket{}, encode_ack(type, p.id, reason, level_, told(why.why)), true);
}

} // namespace broker::mqtt
