// How a queue behaves. What is not set follows the defaults of limits (config keys limits.queue.*).
#pragma once

#include "core/limits.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace broker {

// As the configuration and the administrator write them; by overflow_policy.
inline constexpr std::array<std::string_view, 3> policy_words{"reject", "drop-oldest", "dead-letter"};
[[nodiscard]] constexpr std::string_view word(overflow_policy p) { return policy_words[static_cast<std::size_t>(p)]; }
[[nodiscard]] constexpr std::optional<overflow_policy> policy_of(std::string_view text) {
    const auto at = std::ranges::find(policy_words, text);
    if (at == policy_words.end()) return std::nullopt;
    return static_cast<overflow_policy>(at - policy_words.begin());
}

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
