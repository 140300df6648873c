// histogram: how often each duration came, within a fixed size: 128 steps for every power of two, so a percentile is at most
// 0.8 % above the truth. What takes longer than 18 minutes counts as 18 minutes; maximum() is exact.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>

namespace broker::cli::bench {

class histogram {
public:
    using nanoseconds = std::chrono::nanoseconds;

    void add(nanoseconds taken); // below 0 is 0
    void add(const histogram& other);

    [[nodiscard]] std::uint64_t count() const { return count_; }
    [[nodiscard]] nanoseconds maximum() const { return maximum_; }
    // What `share` (0 to 1) of them did not exceed; 0 when there are none.
    [[nodiscard]] nanoseconds percentile(double share) const;

private:
    static constexpr unsigned step_bits = 7; // 128 steps
    static constexpr unsigned value_bits = 40;
    static constexpr std::size_t steps = std::size_t{1} << step_bits;

    static std::size_t index_of(std::uint64_t value);
    static std::uint64_t highest_in(std::size_t index);

    // The first two rows of `steps` are exact; each further row is a power of two.
    std::array<std::uint64_t, (value_bits - step_bits + 1) * steps> counts_{};
    std::uint64_t count_ = 0;
    nanoseconds maximum_{0};
};

} // namespace broker::cli::bench
