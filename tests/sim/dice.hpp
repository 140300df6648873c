// dice: everything a run decides comes from here, so that a seed is the whole run. Own arithmetic rather than the
// standard library's distributions, whose results differ between libraries.
#pragma once

#include <cstddef>
#include <cstdint>

namespace broker::sim {

class dice {
public:
    explicit dice(std::uint64_t seed) : state_{seed} {}

    // 0 .. n-1; n is small, so the bias of the remainder does not matter.
    [[nodiscard]] std::size_t below(std::size_t n) { return static_cast<std::size_t>(next() % n); }
    [[nodiscard]] std::size_t between(std::size_t first, std::size_t last) { return first + below(last - first + 1); }
    [[nodiscard]] bool chance(std::size_t percent) { return below(100) < percent; }

private:
    std::uint64_t next() { // splitmix64
        auto z = state_ += 0x9E37'79B9'7F4A'7C15;
        z = (z ^ z >> 30) * 0xBF58'476D'1CE4'E5B9;
        z = (z ^ z >> 27) * 0x94D0'49BB'1331'11EB;
        return z ^ z >> 31;
    }
    std::uint64_t state_;
};

} // namespace broker::sim
