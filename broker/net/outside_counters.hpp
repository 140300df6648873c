// outside_counters: how often others were asked about who comes in, and what came of it. Threading: any.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace broker {

// The first three by security::hook_answer's verdicts.
enum class hook_result : std::uint8_t { allow, deny, ignore, failed, timeout, busy, remembered };
inline constexpr std::array<std::string_view, 7> hook_result_names{"allow", "deny", "ignore", "failed", "timeout", "busy", "remembered"};

struct hook_counters {
    static constexpr std::array<double, 9> bounds{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5}; // seconds

    [[nodiscard]] std::atomic<std::uint64_t>& operator[](hook_result r) { return results[static_cast<std::size_t>(r)]; }
    void took(std::chrono::nanoseconds duration) {
        const auto s = std::chrono::duration<double>{duration}.count();
        std::size_t i = 0;
        while (i != bounds.size() && s > bounds[i]) ++i;
        ++requests[i];
        microseconds += static_cast<std::uint64_t>(s * 1e6);
    }

    std::array<std::atomic<std::uint64_t>, hook_result_names.size()> results{};
    std::array<std::atomic<std::uint64_t>, bounds.size() + 1> requests{}; // by duration
    std::atomic<std::uint64_t> microseconds{0};
};

struct outside_counters {
    std::atomic<std::uint64_t> jwks_fetched{0};
    std::atomic<std::uint64_t> jwks_failed{0};
    hook_counters auth_hook{};
};

} // namespace broker
