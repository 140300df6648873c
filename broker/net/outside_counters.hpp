// outside_counters: how often others were asked about who comes in, and what came of it. Threading: any.
#pragma once

#include <atomic>
#include <cstdint>

namespace broker {

struct outside_counters {
    std::atomic<std::uint64_t> jwks_fetched{0};
    std::atomic<std::uint64_t> jwks_failed{0};
};

} // namespace broker
