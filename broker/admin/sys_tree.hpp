// sys_tree: the values of $SYS/broker/..., with Mosquitto's names and formats, computed from readings of the counters.
// Without clocks, threads or I/O; sys_publisher takes the readings and announces the values.
#pragma once

#include "core/counters.hpp"
#include "core/time.hpp"

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace broker::admin {

// What the broker's shards and stores say at one moment, summed.
struct sys_reading {
    time_point now{};
    time_point started_at{};
    counters sums{};
    std::size_t sessions = 0; // connected or not
    std::size_t subscriptions = 0;
    std::size_t shared_subscriptions = 0;
    std::size_t retained_messages = 0;
    std::size_t retained_bytes = 0;
    std::size_t queued_messages = 0; // ready in queues
    std::size_t queued_bytes = 0;
    std::size_t heap_bytes = 0;
};

struct sys_value {
    std::string topic{};
    std::string text{};
};

class sys_tree {
public:
    explicit sys_tree(std::string_view version);

    // Never changes while the broker runs; the first of its kind is enough.
    [[nodiscard]] const sys_value& version() const { return version_; }
    // Everything else. Readings come in order of time; load averages weigh the time since the last one.
    [[nodiscard]] std::vector<sys_value> update(const sys_reading& r);

private:
    // Moving averages over 1, 5 and 15 minutes of how much a total grows in one minute.
    class load {
    public:
        void add(std::uint64_t total, double minutes);
        [[nodiscard]] const std::array<double, 3>& averages() const { return averages_; }

    private:
        std::uint64_t last_ = 0;
        std::array<double, 3> averages_{};
    };
    enum loads : std::size_t {
        messages_received, messages_sent, publish_received, publish_sent, publish_dropped, bytes_received, bytes_sent,
        connections, sockets, load_count,
    };

    sys_value version_;
    time_point last_{};
    std::uint64_t clients_maximum_ = 0;
    std::array<load, load_count> loads_{};
};

} // namespace broker::admin
