// PUBACK, PUBREC, PUBREL, PUBCOMP from a client (MQTT 5 §3.4 to §3.7, §4.3).
#include "protocols/mqtt/engine.hpp"

namespace broker::mqtt {

void engine::out_of_order() { fail_with(reason_code::protocol_error, "§4.3: an acknowledgement of the wrong kind"); }

// An error is a NACK: the receiver does not want it. It is discarded [MQTT-4.8.2-6], unless the operator wants another
// member of the shared group to have it.
settlement engine::refused() const {
    return with_.bounds.mqtt_shared_error == "redeliver" ? settlement::pass_on : settlement::reject;
}

void engine::on_puback(const ack& a, time_point now) {
    // A QoS 2 delivery stays unacknowledged until PUBREC [MQTT-4.3.3-3].
    if (session_->outstanding_level(a.id.value()) == qos::exactly_once) return out_of_order();
    // Unknown identifiers are ignored: the PUBACK may have crossed a reconnect.
    (void)session_->settle(a.id.value(), is_error(a.reason) ? refused() : settlement::accepted, now);
}

void engine::on_pubrec(const ack& a, time_point now) {
    if (session_->outstanding_level(a.id.value()) == qos::at_least_once) return out_of_order(); // [MQTT-4.3.2-3]
    if (is_error(a.reason)) { // [MQTT-4.3.3-4]: the identifier is free again, no PUBREL
        (void)session_->settle(a.id.value(), refused(), now);
        return;
    }
    const auto at = session_->received(a.id.value(), now);
    const auto reason = at ? reason_code::success : reason_code::packet_identifier_not_found;
    send_when_durable(at.value_or(ticket{}), encode_ack(packet_type::pubrel, a.id, reason, level_));
}

void engine::on_pubrel(const ack& a, time_point) {
    const auto at = session_->forget(a.id);
    const auto reason = at ? reason_code::success : reason_code::packet_identifier_not_found;
    send_when_durable(at.value_or(ticket{}), encode_ack(packet_type::pubcomp, a.id, reason, level_));
}

void engine::on_pubcomp(const ack& a, time_point now) {
    // Only a PUBREL is answered by PUBCOMP [MQTT-4.3.3-5].
    if (session_->outstanding_level(a.id.value()) && !session_->is_released(a.id.value())) return out_of_order();
    (void)session_->settle(a.id.value(), settlement::accepted, now);
}

} // namespace broker::mqtt
