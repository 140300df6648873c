// How a queue behaves. What is not set follows the defaults of limits (config keys limits.queue.*).
#pragma once

#include "core/limits.hpp"

#include <optional>
#include <string>

namespace broker {

struct queue_settings {
    std::optional<std::size_t> messages_max{};
    std::optional<std::size_t> bytes_max{};
    std::optional<seconds> ttl{};                 // age at which a message expires; 0: never
    std::optional<overflow_policy> policy{};      // of a full queue
    std::optional<std::string> dead_letter{};     // the queue's name; empty: none
    std::optional<std::uint32_t> max_deliveries{}; // 0: no bound
    std::optional<bool> priority{};               // false: first in, first out, whatever a message's priority

    friend bool operator==(const queue_settings&, const queue_settings&) = default;
};

// [[queue]] of the configuration file.
struct declared_queue {
    std::string name{};
    queue_settings settings{};
};

} // namespace broker
