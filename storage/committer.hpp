// committer: writes what the shards submit, in the order it was submitted, as groups with one sync each, and reports
// tickets. Without a thread of its own: run_once() does one group (commit_thread calls it; tests choose when).
//
// After a failed write nothing is acknowledged: the group stays at the head and is tried again as it is (puts and
// erasures repeat harmlessly), and the shards are told that the store has failed until it succeeds.
//
// Before the disk is full, durable publications are refused, while acknowledgements, which make room, go on.
#pragma once

#include "storage/store.hpp"
#include "storage/transients.hpp"

#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <limits>
#include <mutex>
#include <vector>

namespace broker::storage {

struct histogram {
    std::vector<double> bounds{};
    std::vector<std::uint64_t> counts{}; // one more than bounds
    double sum = 0;
    void observe(double value);
};

// Why durable publications are refused.
struct store_trouble {
    bool failed = false; // nothing is acknowledged either
    bool full = false;   // for want of room
    std::string what{};
    [[nodiscard]] bool any() const { return failed || full; }
};

// What must be free to begin and to end the refusal for want of room, where `wanted` is to stay free. A tenth of a small file system is
// enough; a little more than wanted ends it, so that it does not flicker.
[[nodiscard]] std::uint64_t room_to_go_on(std::uint64_t wanted, std::uint64_t total);
[[nodiscard]] std::uint64_t room_to_end_trouble(std::uint64_t wanted, std::uint64_t total);

struct commit_metrics {
    histogram commit_seconds{};  // a group: write, sync, loads
    histogram fsync_seconds{};   // synced writes
    histogram batch_messages{};  // operations per group
};

class committer final : public store {
public:
    using callback = std::function<void(completion&&)>;

    // `told[i]` hears of shard i's tickets, on the thread that runs run_once(). `room_wanted`: bytes that stay free.
    committer(backend& rows, durability level, std::vector<callback> told, std::uint64_t room_wanted = 0);

    ticket submit(shard_index from, batch&& operations, std::vector<load_request>&& loads) override;
    [[nodiscard]] std::size_t pending_bytes() const override { return pending_bytes_.load(std::memory_order_relaxed); }
    [[nodiscard]] const backend& rows() const override { return rows_; }

    // Writes one group of at most so many submissions. False: there was nothing to do, or it failed (failed() tells).
    bool run_once(std::size_t most = std::numeric_limits<std::size_t>::max());
    // When to call it again: receivers that are there answer within moments, and what they have answered need not be written. So
    // under load what has just come is left to them for as long as they take as a rule, 1 ms at most. The thread of run_once().
    struct plan {
        std::size_t take = 0;
        std::chrono::microseconds wait{0}; // when there is nothing to take; zero: until there is work
    };
    [[nodiscard]] plan next(std::chrono::steady_clock::time_point now);
    [[nodiscard]] bool failed() const { return failed_.load(std::memory_order_relaxed); }
    [[nodiscard]] store_trouble trouble() const;
    [[nodiscard]] bool idle() const;
    [[nodiscard]] commit_metrics metrics() const;

    // Called by submit() when there was nothing before: wakes the thread.
    void on_work(std::function<void()> wake) { wake_ = std::move(wake); }
    // Hears of rows that cannot be read, on the thread that runs run_once().
    void on_unreadable(std::function<void(const storage_error&)> told) { unreadable_ = std::move(told); }

private:
    struct submission {
        shard_index from{};
        ticket number{};
        batch operations{};
        std::vector<load_request> loads{};
        std::chrono::steady_clock::time_point at{};
    };

    void take_in();
    void close_group(std::size_t most);
    [[nodiscard]] loaded_rows load(const load_request& request) const;
    void load_queue(loaded_rows& found, const backend::row_visitor& take) const;
    [[nodiscard]] store_trouble want_of_room(bool already) const;
    void look_at_room();
    void change_trouble(const store_trouble& now); // and tell the shards

    backend& rows_;
    durability level_;
    std::vector<callback> told_;
    mutable std::mutex mutex_; // pending_, submitted_
    std::deque<submission> pending_;
    std::vector<std::uint64_t> submitted_;
    std::deque<submission> waiting_; // taken in, in order; the first group_ of them are being written until they are
    std::size_t group_ = 0;
    transients transients_; // of what waits
    std::size_t answered_ = 0;      // new rows, since the last group
    double answered_share_ = 0;     // of new rows, before they were written; lately
    double answered_after_s_ = 0;   // lately
    std::vector<ticket> durable_;
    std::atomic<std::size_t> pending_bytes_{0};
    std::uint64_t room_wanted_;
    std::atomic<bool> failed_{false};
    bool low_ = false; // on room
    mutable std::mutex metrics_mutex_; // metrics_, trouble_
    commit_metrics metrics_;
    store_trouble trouble_;
    std::function<void()> wake_;
    std::function<void(const storage_error&)> unreadable_;
};

} // namespace broker::storage
