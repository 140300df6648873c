#include "cli/bench/histogram.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace broker::cli::bench {

std::size_t histogram::index_of(std::uint64_t value) {
    value = std::min(value, (std::uint64_t{1} << value_bits) - 1);
    if (value < steps) return value;
    const auto shift = static_cast<unsigned>(std::bit_width(value)) - 1 - step_bits; // the highest bit and the 7 below it remain
    return (shift + 1) * steps + ((value >> shift) & (steps - 1));
}

std::uint64_t histogram::highest_in(std::size_t index) {
    const auto row = index / steps;
    const std::uint64_t step = index % steps;
    if (row == 0) return step;
    return ((steps + step + 1) << (row - 1)) - 1;
}

void histogram::add(nanoseconds taken) {
    taken = std::max(taken, nanoseconds{0});
    ++counts_[index_of(static_cast<std::uint64_t>(taken.count()))];
    ++count_;
    maximum_ = std::max(maximum_, taken);
}

void histogram::add(const histogram& other) {
    std::ranges::transform(counts_, other.counts_, counts_.begin(), std::plus{});
    count_ += other.count_;
    maximum_ = std::max(maximum_, other.maximum_);
}

histogram::nanoseconds histogram::percentile(double share) const {
    if (count_ == 0) return nanoseconds{0};
    const auto wanted = std::clamp<std::uint64_t>(static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(count_))), 1, count_);
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i != counts_.size(); ++i) {
        seen += counts_[i];
        if (seen >= wanted) return std::min(nanoseconds{static_cast<std::int64_t>(highest_in(i))}, maximum_);
    }
    return maximum_;
}

} // namespace broker::cli::bench
