// queue_table: queue name → handle and settings, for all shards. Cold path: first uses, declarations, dead letters.
// Threading: any shard; one mutex. What the hot path reads of a queue is in its handle, as atomics.
#pragma once

#include "core/ids.hpp"
#include "core/queue_settings.hpp"

#include <array>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace broker {

// The process-wide, stable handle of a queue. Freed when every shard has answered a marker sent after the queue was
// deleted (shard_core::delete_queue).
struct queue_slot {
    session_id id;     // queues and sessions share the id space
    std::string name;
    std::uint16_t owner = 0;
    bool restored = false; // its record was there before anything ran

    // Admitted and not yet erased, counted where the store's batch says so, on whatever shard. Exact, but after a crash a
    // lower bound, even a negative one, until what was there before it has been counted.
    std::atomic<std::int64_t> messages{0};
    std::atomic<std::int64_t> bytes{0};

    // By priority: no message has a lower id. Kept by its shard; where a look begins.
    std::array<std::atomic<std::uint64_t>, 10> first{};

    // In effect: what was declared, else the defaults.
    std::atomic<std::int64_t> messages_max{0};
    std::atomic<std::int64_t> bytes_max{0};
    std::atomic<std::int64_t> ttl_s{0}; // 0: messages do not age
    std::atomic<std::uint32_t> max_deliveries{0}; // 0: no bound
    std::atomic<overflow_policy> policy{};
    std::atomic<bool> by_priority{true};
    std::atomic<bool> for_dead_letters{false}; // it has no dead-letter queue of its own

    // Since the process started.
    std::atomic<std::uint64_t> dropped{0};
    std::atomic<std::uint64_t> expired{0};
    std::atomic<std::uint64_t> dead_lettered{0};

    [[nodiscard]] bool full() const {
        return messages.load(std::memory_order_relaxed) >= messages_max.load(std::memory_order_relaxed) ||
               bytes.load(std::memory_order_relaxed) >= bytes_max.load(std::memory_order_relaxed);
    }
    [[nodiscard]] bool over() const {
        return messages.load(std::memory_order_relaxed) > messages_max.load(std::memory_order_relaxed) ||
               bytes.load(std::memory_order_relaxed) > bytes_max.load(std::memory_order_relaxed);
    }
    void count(std::int64_t more_messages, std::int64_t more_bytes) {
        messages.fetch_add(more_messages, std::memory_order_relaxed);
        bytes.fetch_add(more_bytes, std::memory_order_relaxed);
    }
};

class queue_table {
public:
    queue_table(std::size_t shards, const limits& bounds) : shards_{shards}, bounds_{bounds} {}

    struct found {
        queue_slot* slot = nullptr; // null: max_queues reached
        bool created = false;
    };
    // `id` is asked for only when the queue is new.
    template <class MakeId>
    [[nodiscard]] found find_or_create(std::string_view name, MakeId id) {
        const std::lock_guard lock{mutex_};
        if (const auto it = by_name_.find(name); it != by_name_.end()) return {it->second.slot.get(), false};
        if (by_name_.size() >= bounds_.max_queues) return {};
        return {&add(name, id()), true};
    }
    [[nodiscard]] queue_slot* find(std::string_view name) const;
    queue_slot& restore(std::string_view name, session_id id);
    // The shard a queue lives on.
    [[nodiscard]] static std::uint16_t owner_of(std::string_view name, std::size_t shards) {
        return static_cast<std::uint16_t>(std::hash<std::string_view>{}(name) % shards);
    }

    // Who gave a queue its settings.
    enum class origin : std::uint8_t { use, administrator, file };
    // Says why not when the settings do not fit the queue or each other.
    [[nodiscard]] std::optional<std::string> declare(queue_slot& q, const queue_settings& with, origin by);
    struct declaration {
        origin by{};
        queue_settings settings{};
    };
    [[nodiscard]] declaration declared(const queue_slot& q) const;

    // Where a message this queue gives up goes; empty: nowhere. `expired`: only a queue declared with one keeps those.
    [[nodiscard]] std::string dead_letter_of(const queue_slot& q, bool expired) const;

    // What a background count found of the time before this process.
    void add_counts(session_id id, std::int64_t messages, std::int64_t bytes);

    void for_each(const std::function<void(queue_slot&, const declaration&)>& visit) const;
    [[nodiscard]] std::size_t size() const;

    // From now on the name is free; the slot stays valid until free(). False: it was unlisted already.
    bool unlist(queue_slot& q);
    void free(queue_slot& q);

private:
    struct row {
        std::unique_ptr<queue_slot> slot{};
        declaration how{};
    };
    queue_slot& add(std::string_view name, session_id id);
    void apply(row& r) const;
    [[nodiscard]] bool is_dead_letter_name(std::string_view name) const;
    void retarget(const queue_settings& from, const queue_settings& to); // which queues are for dead letters

    mutable std::mutex mutex_;
    std::map<std::string, row, std::less<>> by_name_;
    std::multiset<std::string, std::less<>> targets_; // declared dead-letter queues
    std::vector<std::unique_ptr<queue_slot>> unlisted_;
    std::size_t shards_;
    const limits& bounds_;
};

} // namespace broker
