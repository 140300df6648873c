// rate: how much in how long ("100/s", "1MiB/s", "30/m"), and the meter that keeps to it: a generic cell rate algorithm, where a
// quarter of a second's worth, one at least, may come at once. Over any longer time no more than the rate and that burst are let through.
#pragma once

#include "core/time.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace broker {

struct rate {
    std::uint64_t amount = 0; // 0: no bound
    milliseconds per{1'000};
    [[nodiscard]] bool bounded() const { return amount != 0; }
    friend bool operator==(const rate&, const rate&) = default;
};

// Threading: any, when it is shared; the times given need not be in order.
class rate_meter {
public:
    explicit rate_meter(const rate& r)
        : each_ns_{r.bounded() ? static_cast<double>(nanoseconds{r.per}.count()) / static_cast<double>(r.amount) : 0},
          burst_ns_{static_cast<std::int64_t>(std::max(each_ns_, std::min(2.5e8, each_ns_ * static_cast<double>(r.amount)))) - static_cast<std::int64_t>(each_ns_)} {}

    // When the next may come; in the past: now.
    [[nodiscard]] time_point next() const { return each_ns_ == 0 ? time_point::min() : time_point{nanoseconds{paid_until_.load(std::memory_order_relaxed) - burst_ns_}}; }

    // It has come, whether it might or not: what is too much is made up for by waiting.
    void charge(std::uint64_t amount, time_point now) {
        if (each_ns_ == 0) return;
        const auto cost = static_cast<std::int64_t>(each_ns_ * static_cast<double>(amount));
        auto before = paid_until_.load(std::memory_order_relaxed);
        while (!paid_until_.compare_exchange_weak(before, std::max(before, nanoseconds{now.time_since_epoch()}.count()) + cost, std::memory_order_relaxed)) {}
    }

    // One more, if it may come now.
    [[nodiscard]] bool take(time_point now) {
        if (next() > now) return false;
        charge(1, now);
        return true;
    }

private:
    double each_ns_;         // 0: no bound
    std::int64_t burst_ns_;  // beside the one that may always come
    std::atomic<std::int64_t> paid_until_{0};
};

} // namespace broker
