// One clock for everything: nanoseconds since the Unix epoch that never go backwards while the process lives (wall
// clock at start plus steady time since). So the same value serves keep-alive deadlines and deadlines that are stored.
// Nothing left of the shard reads it; `now` is handed in.
#pragma once

#include <chrono>
#include <cstdint>

namespace broker {

struct broker_clock {
    using rep = std::int64_t;
    using period = std::nano;
    using duration = std::chrono::nanoseconds;
    using time_point = std::chrono::time_point<broker_clock, duration>;
    static constexpr bool is_steady = true;
};

using time_point = broker_clock::time_point;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

inline constexpr time_point never = time_point::max();

[[nodiscard]] constexpr time_point from_epoch_ms(std::int64_t ms) {
    return time_point{nanoseconds{milliseconds{ms}}};
}

[[nodiscard]] constexpr std::int64_t epoch_ms(time_point t) {
    return std::chrono::duration_cast<milliseconds>(t.time_since_epoch()).count();
}

} // namespace broker
