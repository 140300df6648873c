// deadlines: one timer for all connections of a shard. Entries are hints: an early or stale one makes the connection
// look at its own deadline and ask again, so that moving a deadline later costs nothing.
#pragma once

#include "core/ids.hpp"
#include "core/time.hpp"

#include <functional>
#include <queue>
#include <utility>
#include <vector>

namespace broker {

class deadlines {
public:
    void add(time_point at, connection_id of) {
        if (at != never) heap_.emplace(at, of);
    }
    [[nodiscard]] time_point next() const { return heap_.empty() ? never : heap_.top().first; }
    // The next connection whose entry is due, if any.
    [[nodiscard]] connection_id take_due(time_point now) {
        if (heap_.empty() || heap_.top().first > now) return {};
        const auto of = heap_.top().second;
        heap_.pop();
        return of;
    }

private:
    using item = std::pair<time_point, connection_id>;
    std::priority_queue<item, std::vector<item>, std::greater<>> heap_;
};

} // namespace broker
