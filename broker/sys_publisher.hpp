// sys_publisher: announces the $SYS tree at fixed intervals, aligned to the clock.
//
// A round: shard 0's timer fires, every shard is asked for a copy of its counters, the last answer makes shard 0 sum
// them up and announce the values. A round that finds the previous one unanswered is left out.
//
// Threading: constructed and destroyed while the shards do not run; everything between happens on shard 0.
#pragma once

#include "admin/sys_tree.hpp"
#include "shard/shard.hpp"

#include <boost/asio/steady_timer.hpp>

#include <vector>

namespace broker {

class sys_publisher {
public:
    // Announces the first values, so that nobody finds the tree empty, and arms the timer. `interval` is not zero.
    sys_publisher(std::vector<shard*> shards, const process_clock& clock, seconds interval);

private:
    void arm();
    void begin_round();
    void add(const admin::sys_reading& of_one_shard);
    void announce();
    void say(const admin::sys_value& v);
    [[nodiscard]] shard& home() { return *shards_.front(); }

    std::vector<shard*> shards_;
    const process_clock& clock_;
    seconds interval_;
    time_point started_at_;
    boost::asio::steady_timer timer_;
    admin::sys_tree tree_;
    admin::sys_reading sum_;
    std::size_t missing_ = 0; // shards that have not answered this round
};

} // namespace broker
