// queue: competing consumers. "/queue/NAME" in STOMP, "$queue/NAME" in MQTT: kept while nobody consumes, one message to
// one consumer until it answers, redelivered when its consumer goes.
//
// A queue lives on the shard its name hashes to. Publishers of any shard put the entry into the store and mail the
// message here; the queue mails it on to a consumer's session; the consumer's shard erases the entry when it is
// accepted and mails the settlement back.
#pragma once

#include "session/backlog.hpp"
#include "session/slot.hpp"

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

namespace broker {

class shard_desk;

// Process-wide handle. Never freed while the process lives (bounded by max_queues).
struct queue_slot {
    session_id id;     // queues and sessions share the id space
    std::string name;
    std::uint16_t owner = 0;
    bool restored = false; // its record was there when the process started
    std::atomic<std::size_t> messages{0}; // admitted and not yet accepted, all shards; a lower bound after a restart
    std::atomic<std::size_t> bytes{0};
};

class queue {
public:
    struct consumer {
        slot* who = nullptr;
        std::uint32_t identifier = 0; // MQTT 5 subscription identifier
        qos maximum_qos{};
        std::uint16_t credit_max = 1; // unacknowledged messages at once
        std::uint32_t joined = 0;     // which time it joined: deliveries bear it
        std::size_t unacknowledged = 0;
    };

    queue(queue_slot& handle, shard_desk& desk);

    void arrive(entry e, time_point now);
    void join(const consumer& c, time_point now); // again: options replaced
    void leave(slot& who, time_point now);        // what it held goes to the others
    void settled(message_id id, slot& who, queue_outcome how, time_point now);
    void loaded(const storage::loaded_rows& rows, time_point now);

    [[nodiscard]] queue_slot& handle() const { return *slot_; }
    [[nodiscard]] std::size_t ready() const { return backlog_.size(); }
    [[nodiscard]] std::size_t unacknowledged() const { return unacknowledged_.size(); }
    [[nodiscard]] std::size_t consumers() const { return consumers_.size(); }
    [[nodiscard]] backlog& waiting() { return backlog_; }

private:
    struct held {
        entry value{};
        slot* by = nullptr;
    };

    void dispatch(time_point now);
    consumer* next_consumer();
    consumer* find(const slot& who);
    void put_back(entry e);
    void finish(const entry& e); // accepted or dropped: counts
    void erase_stored(const entry& e);

    queue_slot* slot_;
    shard_desk* desk_;
    backlog backlog_;
    std::vector<consumer> consumers_;
    std::size_t turn_ = 0; // whose turn it is
    std::unordered_map<message_id, held> unacknowledged_;
};

// Queue name → handle, for all shards.
class queue_table {
public:
    queue_table(std::size_t shards, std::size_t queues_max) : shards_{shards}, queues_max_{queues_max} {}

    struct found {
        queue_slot* slot = nullptr; // null: max_queues reached
        bool created = false;
    };
    // `id` is asked for only when the queue is new.
    template <class MakeId>
    [[nodiscard]] found find_or_create(std::string_view name, MakeId id) {
        const std::lock_guard lock{mutex_};
        if (const auto it = by_name_.find(name); it != by_name_.end()) return {it->second.get(), false};
        if (by_name_.size() >= queues_max_) return {};
        return {&add(name, id()), true};
    }
    [[nodiscard]] queue_slot* find(std::string_view name) const {
        const std::lock_guard lock{mutex_};
        const auto it = by_name_.find(name);
        return it == by_name_.end() ? nullptr : it->second.get();
    }
    queue_slot& restore(std::string_view name, session_id id) {
        const std::lock_guard lock{mutex_};
        auto& known = add(name, id);
        known.restored = true;
        return known;
    }
    [[nodiscard]] std::size_t size() const {
        const std::lock_guard lock{mutex_};
        return by_name_.size();
    }

private:
    queue_slot& add(std::string_view name, session_id id);

    mutable std::mutex mutex_;
    std::map<std::string, std::unique_ptr<queue_slot>, std::less<>> by_name_;
    std::size_t shards_;
    std::size_t queues_max_;
};

} // namespace broker
