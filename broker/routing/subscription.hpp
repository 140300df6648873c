// What a subscription asks for, in neutral words.
#pragma once

#include "core/message.hpp"

#include <algorithm>
#include <cstdint>

namespace broker {

enum class retain_handling : std::uint8_t { send = 0, send_if_new = 1, do_not_send = 2 }; // MQTT 5 §3.8.3.1

struct subscription_options {
    std::uint32_t identifier = 0; // MQTT 5 subscription identifier; 0: none
    qos maximum_qos = qos::at_most_once;
    bool acknowledges_all = false; // QoS 0 publications too are delivered at maximum_qos (STOMP's client ack modes)
    bool no_local = false;
    bool retain_as_published = false;
    retain_handling retained = retain_handling::send;

    // The level a publication is delivered at.
    [[nodiscard]] qos level_for(qos published) const {
        return acknowledges_all ? maximum_qos : std::min(published, maximum_qos);
    }

    friend bool operator==(const subscription_options&, const subscription_options&) = default;
};

} // namespace broker
