// shard_queues: the queues that live on one shard: who is asked for which, their deadlines and marks, their end.
// Threading: its shard's thread only.
#pragma once

#include "session/queue.hpp"
#include "storage/recovery.hpp"

#include <functional>
#include <memory>
#include <queue>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace broker {

class shard_queues {
public:
    using barrier = std::function<void(std::function<void(time_point)>)>; // shard_sessions::after_all_shards
    shard_queues(shard_desk& desk, queue_table& table, barrier after_all_shards)
        : desk_{desk}, table_{table}, after_all_shards_{std::move(after_all_shards)} {}

    // The queue, to do something with it in this turn.
    [[nodiscard]] queue& use(queue_slot& handle);
    void on_loaded(storage::loaded_rows&& rows, time_point now); // of a queue

    // Mail to this shard itself has been handled, the batch is not submitted yet.
    void before_submit();
    void end_of_turn(); // frees what nobody can hold any more

    [[nodiscard]] time_point next_deadline() const { return deadlines_.empty() ? never : deadlines_.top().first; }
    void on_deadline(time_point now);

    // At start-up: all queues of this shard are in the table already.
    void restore(const storage::recovered& from);
    // For a clean stop: every state, with counts.
    void write_states(storage::batch& to);

    // The queue, its messages and its settings, on disk with this turn's batch.
    enum class deletion : std::uint8_t { done, not_found, has_consumers, declared_in_file };
    [[nodiscard]] deletion remove(std::string_view name, bool force);

    using visitor = std::function<void(queue&)>;
    void for_each(const visitor& visit) const;

private:
    struct seat {
        std::unique_ptr<queue> value{};
        bool touched = false;
        time_point looked_at = never; // its earliest entry in deadlines_
    };
    void look_after(session_id id, seat& s);

    shard_desk& desk_;
    queue_table& table_;
    barrier after_all_shards_;
    std::unordered_map<session_id, seat> seats_;
    std::vector<session_id> touched_;
    std::vector<queue_slot*> freeable_;
    using deadline = std::pair<time_point, session_id>;
    std::priority_queue<deadline, std::vector<deadline>, std::greater<>> deadlines_;
};

} // namespace broker
