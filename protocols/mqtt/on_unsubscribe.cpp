// UNSUBSCRIBE and UNSUBACK (MQTT 5 §3.10, §3.11).
#include "protocols/mqtt/engine.hpp"

#include "core/topic.hpp"

namespace broker::mqtt {

void engine::on_unsubscribe(const unsubscribe& u, time_point now) {
    std::vector<std::uint8_t> codes;
    ticket at;
    for (const auto text : u.filters) {
        const auto filter = topic_filter::parse(text, with_.bounds);
        if (!filter) {
            codes.push_back(static_cast<std::uint8_t>(reason_code::topic_filter_invalid));
            continue;
        }
        const auto done = with_.route.unsubscribe(*session_, *filter, now);
        at = std::max(at, done.durable_at);
        codes.push_back(static_cast<std::uint8_t>(done.existed ? reason_code::success
                                                               : reason_code::no_subscription_existed));
    }
    send_when_durable(at, encode_suback(packet_type::unsuback, u.id, codes, level_));
}

} // namespace broker::mqtt
