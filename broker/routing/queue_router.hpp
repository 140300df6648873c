// queue_router: one shard's way into the queues of all shards: finding and making them, room, what is in the store, dead
// letters, looking without consuming.
// Threading: its shard's thread only.
#pragma once

#include "routing/desk.hpp"
#include "routing/router.hpp"

#include <array>
#include <map>
#include <string>
#include <string_view>
#include <unordered_set>

namespace broker {

// Why a message was given up.
enum class dead_letter_reason : std::uint8_t { rejected, max_deliveries, expired, queue_full };

// User properties of a dead letter.
inline constexpr std::string_view dlq_prefix = "dlq-";
inline constexpr std::string_view dlq_reason = "dlq-reason"; // rejected, max_deliveries, expired, queue_full
inline constexpr std::string_view dlq_original_destination = "dlq-original-destination"; // "/queue/NAME"
inline constexpr std::string_view dlq_redelivery_count = "dlq-redelivery-count";

class queue_router {
public:
    queue_router(shard_desk& desk, queue_table& queues) : desk_{desk}, queues_{queues} {}

    // The queue of this name; made, and recorded in this turn's batch, when there is none. Null: max_queues.
    [[nodiscard]] queue_slot* find_or_create(std::string_view name);
    [[nodiscard]] queue_slot* find(std::string_view name) const { return queues_.find(name); }

    // Room for one message. Taken at once, so that no other shard takes it too; put() fills it, give_back() frees it. A
    // full queue with policy dead_letter gives a place in its dead-letter queue.
    struct place {
        queue_slot* in = nullptr;
        std::size_t bytes = 0;
        refusal refused = refusal::none; // then nothing was taken
        queue_slot* overflow_of = nullptr;
    };
    [[nodiscard]] place reserve(const message& m, std::string_view name);
    void give_back(const place& taken);
    // The message has its id. Its entry is in this turn's batch, the queue's shard hears of it behind that.
    [[nodiscard]] routed put(const message_ptr& m, const place& taken, time_point now);

    // --- for the shard that has the message: its consumer's or the queue's own ---
    void erase(queue_slot& from, const entry& e, bool answered = false);
    // Erased; in the same batch put into the dead-letter queue, if there is one and it has room, else counted as dropped.
    void give_up(queue_slot& from, const entry& e, dead_letter_reason why, time_point now);
    void record_count(queue_slot& of, entry& e); // its redelivery count survives a restart
    // Erased and put into another queue in one batch. False: that one is full, or there are too many; nothing happened.
    [[nodiscard]] bool move(queue_slot& from, const entry& e, std::string_view to, time_point now);

    // --- looking ---
    [[nodiscard]] std::uint64_t browse(std::string_view name, browser& by);
    void next_page(std::uint64_t cursor);
    void stop_browsing(std::uint64_t cursor) { cursors_.erase(cursor); }
    void on_loaded(const storage::loaded_rows& rows, time_point now); // of a cursor

private:
    struct look {
        browser* by = nullptr;
        session_id of{};
        std::array<message_id, 10> from{}; // by priority
        message_id below{};                // what came after it was opened is not shown
        std::uint8_t priority = 9;         // of the next page
    };

    [[nodiscard]] message_ptr readdress(const message& m, std::string_view to, std::string_view properties, bool expires,
                                        time_point now);
    void put_entry(queue_slot& to, const message_ptr& m, std::size_t bytes);

    shard_desk& desk_;
    queue_table& queues_;
    std::unordered_set<session_id> recorded_; // in a batch of this shard; at most max_queues
    std::string record_; // scratch
    std::map<std::uint64_t, look> cursors_;
    std::uint64_t last_cursor_ = 0;
};

} // namespace broker
