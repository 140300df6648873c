// doorkeeper: how many connections are served at the same time, and what an operator hears while there can be no more: one
// line in the log at the beginning and one at the end, and an alarm between them.
// Threading: any thread.
#pragma once

#include "core/alarms.hpp"
#include "core/time.hpp"

#include <atomic>
#include <cstddef>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>

namespace broker {

class doorkeeper {
public:
    // `bounded_by` says what `most` comes from and what to do.
    doorkeeper(std::size_t most, std::string bounded_by, alarms& raised, std::function<time_point()> now);

    // One more connection. False: as many as are served are open already; alarm `connections_full` until a twentieth of
    // them, at least one, has gone.
    [[nodiscard]] bool enter();
    void leave();
    [[nodiscard]] std::size_t open() const { return open_.load(std::memory_order_relaxed); }

    // A listener cannot accept, for want of descriptors as a rule: alarm `accept_failed` until every listener that has said so
    // has accepted all that waited for it.
    void accept_failed(std::string_view listener, std::string_view why);
    void accepts_again();

private:
    void tell_full();
    void tell_room();

    const std::size_t most_;
    const std::string bounded_by_;
    alarms& alarms_;
    const std::function<time_point()> now_;
    std::atomic<std::size_t> open_{0};
    std::atomic<bool> full_{false};
    std::mutex mutex_; // changes of full_, stuck_, and what is said of them
    std::size_t stuck_ = 0; // listeners
};

} // namespace broker
