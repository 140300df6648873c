// SUBSCRIBE and SUBACK (MQTT 5 §3.8, §3.9).
#include "protocols/mqtt/engine.hpp"

#include "core/topic.hpp"

#include <algorithm>

namespace broker::mqtt {

namespace {

// The whole packet is in error, so it is looked at before anything is done.
bool wants_shared_without_own(const subscribe& s) {
    return std::ranges::any_of(
        s.items, [](const auto& item) { return item.options.no_local && item.filter.starts_with("$share/"); });
}

std::string_view explanation(reason_code reason) {
    switch (reason) {
    case reason_code::topic_filter_invalid: return "[MQTT-4.7.1-1, MQTT-4.7.1-2, MQTT-4.8.2-1] not a topic filter, or over the limits";
    case reason_code::quota_exceeded: return "a limit on subscriptions, or the store refuses it";
    case reason_code::packet_identifier_in_use: return "the identifier is that of a QoS 2 message";
    default: return {};
    }
}

} // namespace

// One code per filter, in order [MQTT-3.8.4-6, MQTT-3.9.3-1], as if each had come in a packet of its own [MQTT-3.8.4-5].
void engine::on_subscribe(const subscribe& s, time_point now) {
    if (wants_shared_without_own(s)) {
        return fail_with(reason_code::protocol_error, "[MQTT-3.8.3-4] no local on a shared subscription");
    }
    std::vector<retained_wish> retained_for;
    std::vector<std::uint8_t> codes;
    auto refused = reason_code::success; // the first one
    ticket at;
    for (const auto& item : s.items) {
        const auto refuse = [&](reason_code reason) {
            if (refused == reason_code::success) refused = reason;
            if (level_ == protocol_level::v3_1) { // has no word for a refusal: a granted level is all it can read
                return codes.push_back(static_cast<std::uint8_t>(item.options.maximum_qos));
            }
            codes.push_back(v5() ? static_cast<std::uint8_t>(reason) : 0x80); // [MQTT-3.9.3-2, MQTT3-3.9.3-2]
        };
        if (v5() && session_->remembers(s.id)) { // [MQTT-2.2.1-3]
            refuse(reason_code::packet_identifier_in_use);
            continue;
        }
        const auto filter = topic_filter::parse(item.filter, with_.bounds);
        if (!filter) {
            count_refused(item.filter);
            refuse(reason_code::topic_filter_invalid);
            continue;
        }
        const auto covered = may_.subscribe(item.filter);
        if (covered == security::coverage::none) {
            refuse(reason_code::not_authorized);
            continue;
        }
        const auto done = with_.route.subscribe(*session_, *filter, item.options, now); // [MQTT-3.8.4-3]
        if (done.refused != refusal::none) {
            refuse(reason_code::quota_exceeded);
            continue;
        }
        filtered_ |= covered == security::coverage::part;
        at = std::max(at, done.durable_at);
        codes.push_back(static_cast<std::uint8_t>(item.options.maximum_qos)); // [MQTT-3.8.4-7, MQTT-3.2.2-10]
        // [MQTT-3.3.1-9, MQTT-3.3.1-10, MQTT-3.3.1-11, MQTT3-3.3.1-6]
        const bool wanted = item.options.retained == retain_handling::send ||
                            (item.options.retained == retain_handling::send_if_new && !done.existed);
        if (wanted && filter->what() == topic_filter::kind::plain) retained_for.push_back({{}, *filter, item.options});
    }
    // [MQTT-3.8.4-1, MQTT-3.8.4-2]
    send_when_durable(at, encode_suback(packet_type::suback, s.id, codes, level_, told(explanation(refused))));
    for (auto& w : retained_for) {
        if (held_.empty()) {
            send_retained_of(w, now);
        } else {
            w.at = held_.back().at;
            wishes_.push_back(std::move(w));
        }
    }
}

void engine::send_retained_of(const retained_wish& w, time_point now) {
    if (session_ == nullptr || !session_->subscriptions().contains(w.filter.text())) return; // unsubscribed meanwhile
    with_.route.send_retained(*session_, w.filter, w.options, now);
}

} // namespace broker::mqtt
