// UNSUBSCRIBE and UNSUBACK (MQTT 5 §3.10, §3.11).
#include "protocols/mqtt/engine.hpp"

#include "core/topic.hpp"

namespace broker::mqtt {

// Always answered, one code per filter, in order [MQTT-3.10.4-4, MQTT-3.10.4-5, MQTT-3.10.4-6, MQTT-3.11.3-1].
void engine::on_unsubscribe(const unsubscribe& u, time_point now) {
    std::vector<std::uint8_t> codes;
    ticket at;
    for (const auto text : u.filters) {
        const auto code = [&](reason_code reason) { codes.push_back(static_cast<std::uint8_t>(reason)); }; // [MQTT-3.11.3-2]
        if (v5() && session_->remembers(u.id)) { // [MQTT-2.2.1-3]
            code(reason_code::packet_identifier_in_use);
            continue;
        }
        const auto filter = topic_filter::parse(text, with_.bounds);
        if (!filter) {
            count_refused(text);
            code(reason_code::topic_filter_invalid);
            continue;
        }
        // Byte by byte, wildcards or not [MQTT-3.10.4-1]; what was sent already is completed [MQTT-3.10.4-3].
        const auto done = with_.route.unsubscribe(*session_, *filter, now);
        at = std::max(at, done.durable_at);
        code(done.existed ? reason_code::success : reason_code::no_subscription_existed);
    }
    send_when_durable(at, encode_suback(packet_type::unsuback, u.id, codes, level_, told({})));
}

} // namespace broker::mqtt
