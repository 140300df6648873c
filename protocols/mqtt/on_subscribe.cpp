// SUBSCRIBE and SUBACK (MQTT 5 §3.8, §3.9).
#include "protocols/mqtt/engine.hpp"

#include "core/topic.hpp"

namespace broker::mqtt {

void engine::on_subscribe(const subscribe& s, time_point now) {
    struct granted {
        topic_filter filter;
        subscription_options options{};
    };
    std::vector<granted> retained_for;
    std::vector<std::uint8_t> codes;
    ticket at;
    for (const auto& item : s.items) {
        const auto code = [&](reason_code v5_code) {
            if (level_ == protocol_level::v3_1) { // has no word for a refusal: a granted level is all it can read
                return codes.push_back(static_cast<std::uint8_t>(item.options.maximum_qos));
            }
            codes.push_back(v5() ? static_cast<std::uint8_t>(v5_code) : 0x80); // [MQTT3-3.9.3-2]
        };
        const auto filter = topic_filter::parse(item.filter, with_.bounds);
        if (!filter) {
            code(reason_code::topic_filter_invalid);
            continue;
        }
        if (filter->is_shared() && item.options.no_local) {
            return fail_with(reason_code::protocol_error, "[MQTT-3.8.3-4] no local on a shared subscription");
        }
        const auto done = with_.route.subscribe(*session_, *filter, item.options, now);
        if (done.refused != refusal::none) {
            code(reason_code::quota_exceeded);
            continue;
        }
        at = std::max(at, done.durable_at);
        codes.push_back(static_cast<std::uint8_t>(item.options.maximum_qos));
        const bool wanted = item.options.retained == retain_handling::send ||
                            (item.options.retained == retain_handling::send_if_new && !done.existed);
        if (wanted && filter->what() == topic_filter::kind::plain) retained_for.push_back({*filter, item.options});
    }
    send_when_durable(at, encode_suback(packet_type::suback, s.id, codes, level_));
    for (const auto& g : retained_for) with_.route.send_retained(*session_, g.filter, g.options, now);
}

} // namespace broker::mqtt
