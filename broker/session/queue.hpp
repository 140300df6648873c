// queue: competing consumers. "/queue/NAME" in STOMP, "$queue/NAME" in MQTT: kept while nobody consumes, one message to
// one consumer until it answers, redelivered when its consumer goes.
//
// A queue lives on the shard its name hashes to. Publishers of any shard put the entry into the store and mail the
// message here; the queue mails it on to a consumer's session; the consumer's shard erases the entry when it is
// accepted or given up, and mails that it is gone. Counts follow the store: whoever puts or erases counts.
//
// Order: by priority, then by age. Every priority has a backlog of its own, which keeps its head in memory and the rest
// in the store, so a queue's length costs disk alone.
//
// Marks. Where the lowest live id of each priority is, and the highest that was handed out, is written down now and then:
// a scan begins behind what was erased, and a restart knows what it may have delivered before. The lower mark may not
// pass an entry whose announcement is still on its way: it is taken when every shard has answered a marker.
#pragma once

#include "session/backlog.hpp"
#include "session/queue_table.hpp"
#include "session/slot.hpp"
#include "storage/records.hpp"

#include <array>
#include <deque>
#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

namespace broker {

class shard_desk;

// Purge or move: takes messages that are ready away, in the order of delivery, in as many turns as it needs.
struct queue_removal {
    std::size_t messages_max = 0; // at most so many
    std::string to{};             // the queue they go to, each in the batch it is erased in; empty: nowhere
    struct outcome {
        std::size_t removed = 0;
        bool more = false;        // messages_max was the reason to end
        bool refused = false;     // the other queue took no more
        ticket durable_at{};      // of this shard
    };
    std::function<void(const outcome&)> done{};
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
    void remove(queue_removal what, time_point now);

    // After a restart: what is in the store nobody has looked at.
    void restored(const storage::queue_state_record& state);

    // Its name is free already. Consumers are told, entries are erased, what arrives late is too. Other shards may record
    // it once more until they have answered a marker: then erase_records() again.
    void close();
    void erase_records();
    [[nodiscard]] bool closed() const { return closed_; }

    // --- what its shard does for it at the end of a turn in which it was touched ---
    [[nodiscard]] bool wants_mark() const { return !marking_ && settled_since_mark_ >= settled_per_mark && !closed_; }
    void begin_mark();
    void mark(message_id below); // everything with a lower id has been announced
    void write_state(bool with_counts, storage::batch& to);
    [[nodiscard]] bool state_changed() const { return state_changed_ && !closed_; }
    [[nodiscard]] time_point next_deadline() const; // the next message expires
    void on_deadline(time_point now);

    [[nodiscard]] queue_slot& handle() const { return *slot_; }
    [[nodiscard]] std::size_t messages() const { // exact, but after a crash a lower bound until it has been counted
        return static_cast<std::size_t>(std::max<std::int64_t>(slot_->messages.load(std::memory_order_relaxed), 0));
    }
    [[nodiscard]] std::size_t bytes() const {
        return static_cast<std::size_t>(std::max<std::int64_t>(slot_->bytes.load(std::memory_order_relaxed), 0));
    }
    [[nodiscard]] std::size_t unacknowledged() const { return unacknowledged_.size(); }
    [[nodiscard]] std::size_t consumers() const { return consumers_.size(); }
    [[nodiscard]] std::size_t in_memory() const;      // messages
    [[nodiscard]] std::uint64_t arrived() const { return arrived_; }     // since the process started
    [[nodiscard]] std::uint64_t delivered() const { return delivered_; } // redeliveries included
    [[nodiscard]] std::uint64_t redelivered() const { return redelivered_; }

private:
    static constexpr std::size_t priorities = 10;
    static constexpr std::size_t settled_per_mark = 4096; // what a scan after a restart may have to step over

    struct held {
        entry value{};
        slot* by = nullptr;
    };
    struct level { // of one priority
        std::unique_ptr<backlog> waiting{}; // made when first used
        bool unknown = false;               // the store may hold entries of an earlier process
        message_id delivered{};             // marks; the other one is queue_slot::first
        message_id delivered_before{};      // by an earlier process
    };

    [[nodiscard]] level& at(std::uint8_t priority) { return levels_[priority]; }
    [[nodiscard]] backlog& waiting(std::uint8_t priority);
    [[nodiscard]] static bool may_hold(const level& l) { return l.unknown || (l.waiting && !l.waiting->empty()); }
    [[nodiscard]] message_id first(std::size_t priority) const { return message_id{slot_->first[priority].load(std::memory_order_relaxed)}; }
    void set_first(std::size_t priority, message_id id) { slot_->first[priority].store(id.value(), std::memory_order_relaxed); }
    void dispatch(time_point now);
    void hand_out(entry e, consumer& c);
    void load(bool whatever);
    void trim();
    void go_on_removing(time_point now);
    [[nodiscard]] time_point expiry_of(const entry& e) const;
    void expire(const entry& e, time_point now);
    void delivery_failed(entry e, time_point now);
    void left(const entry& e);
    consumer* next_consumer(const void* not_to);
    consumer* find(const slot& who);
    void say_closed(slot& consumer_of_it);

    queue_slot* slot_;
    shard_desk* desk_;
    std::array<level, priorities> levels_{}; // by priority
    std::vector<consumer> consumers_;
    std::size_t turn_ = 0; // whose turn it is
    std::unordered_map<message_id, held> unacknowledged_;
    struct removal {
        queue_removal what{};
        queue_removal::outcome so_far{};
        message_id below{}; // what arrives after it began is not meant
    };
    std::deque<removal> removals_;
    std::size_t settled_since_mark_ = 0;
    bool marking_ = false;
    bool state_changed_ = false;
    bool closed_ = false;
    std::uint64_t arrived_ = 0;
    std::uint64_t delivered_ = 0;
    std::uint64_t redelivered_ = 0;
};

} // namespace broker
