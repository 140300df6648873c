// What a subscription asks for, in neutral words.
#pragma once

#include "core/message.hpp"

#include <cstdint>

namespace broker {

enum class retain_handling : std::uint8_t { send = 0, send_if_new = 1, do_not_send = 2 }; // MQTT 5 §3.8.3.1

struct subscription_options {
    std::uint32_t identifier = 0; // MQTT 5 subscription identifier; 0: none
    qos maximum_qos = qos::at_most_once;
    bool no_local = false;
    bool retain_as_published = false;
    retain_handling retained = retain_handling::send;

    friend bool operator==(const subscription_options&, const subscription_options&) = default;
};

} // namespace broker
