// PUBLISH from a client (MQTT 5 §3.3).
#include "protocols/mqtt/engine.hpp"

#include "core/topic.hpp"
#include "core/utf8.hpp"

namespace broker::mqtt {

// The topic, aliases resolved. Nothing: the connection is being closed.
std::optional<std::string_view> engine::topic_of(const publish& p) {
    if (p.with.topic_alias) {
        const auto alias = *p.with.topic_alias;
        if (!aliases_.allowed(alias)) {
            fail_with(reason_code::topic_alias_invalid, "[MQTT-3.3.2-8] topic alias out of range");
            return std::nullopt;
        }
        if (p.topic.empty()) {
            const auto known = aliases_.find(alias);
            if (!known) fail_with(reason_code::protocol_error, "§3.3.2.3.4: unknown topic alias");
            return known;
        }
    }
    if (!is_topic_name(p.topic, with_.bounds)) { // [MQTT-3.3.2-2]
        fail_with(p.topic.empty() ? reason_code::protocol_error : reason_code::topic_name_invalid, "§4.7: topic name");
        return std::nullopt;
    }
    if (p.with.topic_alias) aliases_.set(*p.with.topic_alias, p.topic);
    return p.topic;
}

message_ptr engine::message_of(const publish& p, std::string_view topic, time_point now) {
    auto passed_on = p.with.raw;
    if (!p.with.only_passed_on) {
        scratch_.clear();
        copy_passed_on(p.with.raw, scratch_);
        passed_on = as_bytes(scratch_);
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

void engine::on_publish(const publish& p, time_point now) {
    const auto topic = topic_of(p);
    if (!topic) return;
    auto& count = with_.route.count();
    constexpr auto mine = static_cast<std::size_t>(protocol_kind::mqtt);
    ++count.messages_received[mine][static_cast<std::size_t>(p.level)];
    count.message_bytes_received[mine] += p.payload.size();

    // "$" is the server's (§4.7.2), except queues.
    if (is_server_topic(*topic)) {
        return refuse_publish(p, reason_code::not_authorized, "topics that begin with $ are the server's");
    }
    if (p.with.response_topic && !is_topic_name(*p.with.response_topic, with_.bounds)) { // [MQTT-3.3.2-14]
        return fail_with(reason_code::protocol_error, "[MQTT-3.3.2-14] response topic");
    }
    if (p.with.payload_format_indicator == 1 && !is_utf8(as_text(p.payload))) {
        return refuse_publish(p, reason_code::payload_format_invalid, "§3.3.2.3.2: payload is not UTF-8");
    }
    if (p.level == qos::exactly_once) {
        // A repeat before PUBREL is acknowledged again but must not reach subscribers twice [MQTT-4.3.3-10].
        if (const auto earlier = session_->remembered_at(p.id)) {
            return send_when_durable(*earlier, encode_ack(packet_type::pubrec, p.id, reason_code::success, level_));
        }
    }
    // Clients of version 3 are not told a maximum; the transport stops reading them when the store is behind.
    if (v5() && p.level != qos::at_most_once && session_->remembered() + held_.size() >= with_.bounds.mqtt_receive_maximum) {
        return fail_with(reason_code::receive_maximum_exceeded, "[MQTT-3.3.4-7] receive maximum");
    }
    // Route first: an acknowledgement says this broker now owns the message [MQTT-4.3.2-4].
    const auto routed = with_.route.publish(message_of(p, *topic, now), now);
    if (routed.refused != refusal::none) {
        return refuse_publish(p, reason_code::quota_exceeded, "the store or a limit refuses durable messages");
    }
    const auto reason = routed.matched ? reason_code::success : reason_code::no_matching_subscribers;
    switch (p.level) {
    case qos::at_most_once: return;
    case qos::at_least_once:
        return send_when_durable(routed.durable_at, encode_ack(packet_type::puback, p.id, reason, level_));
    case qos::exactly_once:
        session_->remember(p.id); // the same batch as the message
        const auto at = std::max(routed.durable_at, session_->remembered_at(p.id).value_or(ticket{}));
        return send_when_durable(at, encode_ack(packet_type::pubrec, p.id, reason, level_));
    }
}

// Version 5 can say why. Earlier versions know two answers [MQTT3-3.3.5-2]: what a client may not write is acknowledged
// and discarded, as everywhere; what we failed to take ends the connection, since a PUBACK would be a lie.
void engine::refuse_publish(const publish& p, reason_code reason, std::string_view why) {
    const bool forbidden = reason == reason_code::not_authorized;
    if (!v5() && !forbidden && p.level != qos::at_most_once) return fail_with(reason, why);
    with_.route.count().drop(forbidden ? drop_reason::acl : drop_reason::storage);
    if (p.level == qos::at_most_once) return;
    const auto type = p.level == qos::at_least_once ? packet_type::puback : packet_type::pubrec;
    send_when_durable(ticket{}, encode_ack(type, p.id, v5() ? reason : reason_code::success, level_));
}

} // namespace broker::mqtt
