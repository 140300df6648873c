// PUBACK, PUBREC, PUBREL, PUBCOMP from a client (MQTT 5 §3.4 to §3.7, §4.3).
#include "protocols/mqtt/engine.hpp"

namespace broker::mqtt {

namespace {

constexpr std::string_view unknown_identifier = "no exchange has this packet identifier";

} // namespace

void engine::out_of_order() { fail_with(reason_code::protocol_error, "§4.3: an acknowledgement of the wrong kind"); }

// An error is a NACK: the receiver does not want it. It is discarded [MQTT-4.8.2-6], unless the operator wants another
// member of the shared group to have it.
settlement engine::refused() const {
    return with_.bounds.mqtt_shared_error == "redeliver" ? settlement::pass_on : settlement::reject;
}

void engine::on_puback(const ack& a, time_point now) {
    // A QoS 2 delivery stays unacknowledged until PUBREC [MQTT-4.3.3-3].
    if (session_->outstanding_level(a.id.value()) == qos::exactly_once) return out_of_order();
    // Answered with an error it is acknowledged all the same [MQTT-4.4.0-2]. Unknown identifiers are ignored: the PUBACK may
    // have crossed a reconnect.
    (void)session_->settle(a.id.value(), is_error(a.reason) ? refused() : settlement::accepted, now);
}

void engine::on_pubrec(const ack& a, time_point now) {
    if (session_->outstanding_level(a.id.value()) == qos::at_least_once) return out_of_order(); // [MQTT-4.3.2-3]
    if (is_error(a.reason)) { // the identifier is free again, no PUBREL [MQTT-4.4.0-2]
        (void)session_->settle(a.id.value(), refused(), now);
        return;
    }
    // From here on PUBREL, never PUBLISH again [MQTT-4.3.3-4, MQTT-4.3.3-6].
    const auto at = session_->received(a.id.value(), now);
    if (at) return send_when_durable(*at, encode_ack(packet_type::pubrel, a.id, reason_code::success, level_));
    send_when_durable({}, encode_ack(packet_type::pubrel, a.id, reason_code::packet_identifier_not_found, level_,
                                     told(unknown_identifier)));
}

void engine::on_pubrel(const ack& a, time_point) {
    // Answered in any case, whatever became of the message [MQTT-4.3.3-11, MQTT-4.3.3-13]; afterwards the identifier is
    // new again [MQTT-4.3.3-12].
    const auto at = session_->forget(a.id);
    if (at) return send_when_durable(*at, encode_ack(packet_type::pubcomp, a.id, reason_code::success, level_), true);
    send_when_durable({}, encode_ack(packet_type::pubcomp, a.id, reason_code::packet_identifier_not_found, level_,
                                     told(unknown_identifier)));
}

void engine::on_pubcomp(const ack& a, time_point now) {
    // Only a PUBREL is answered by PUBCOMP [MQTT-4.3.3-5].
    if (session_->outstanding_level(a.id.value()) && !session_->is_released(a.id.value())) return out_of_order();
    (void)session_->settle(a.id.value(), settlement::accepted, now);
}

} // namespace broker::mqtt
