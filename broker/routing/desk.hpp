// shard_desk: what one shard's router, sessions and queues work with: its number, its open store batch, its outgoing
// mail, its counters. One per shard, used by its thread only; what is shared by all shards is referenced.
#pragma once

#include "core/counters.hpp"
#include "core/limits.hpp"
#include "routing/mail.hpp"
#include "routing/retained.hpp"
#include "storage/store.hpp"

#include <atomic>
#include <vector>

namespace broker {

// Ids for messages, sessions and queues: process-wide, monotone, never repeating across restarts. The upper bound of
// what may be handed out is in the store before it is reached: a lease, extended long before it is used up.
class id_source {
public:
    static constexpr std::uint64_t lease_step = 1ULL << 24;

    // `next`: the stored lease of the last process; the caller has stored next + lease_step.
    explicit id_source(std::uint64_t next) : next_{next}, extend_at_{next + lease_step / 2} {}

    struct drawn {
        std::uint64_t id = 0;
        std::uint64_t new_lease = 0; // non-zero: the caller stores this lease with its batch
    };
    [[nodiscard]] drawn draw() {
        const auto id = next_.fetch_add(1, std::memory_order_relaxed);
        auto bound = extend_at_.load(std::memory_order_relaxed);
        if (id < bound) return {id, 0};
        if (!extend_at_.compare_exchange_strong(bound, bound + lease_step / 2)) return {id, 0};
        return {id, bound + lease_step / 2 + lease_step};
    }

private:
    std::atomic<std::uint64_t> next_;
    std::atomic<std::uint64_t> extend_at_;
};

class queue_router;
class topic_trie;

class shard_desk {
public:
    shard_desk(shard_index self, std::size_t shards, const limits& bounds, storage::store& store, id_source& ids,
               topic_trie& trie, const retained& kept, storage::durability level)
        : self_{self}, bounds_{&bounds}, store_{&store}, ids_{&ids}, trie_{&trie}, kept_{&kept}, level_{level}, out_(shards) {}

    [[nodiscard]] std::uint16_t self() const { return self_.value(); }
    [[nodiscard]] std::size_t shards() const { return out_.size(); }
    [[nodiscard]] const limits& bounds() const { return *bounds_; }
    [[nodiscard]] counters& count() { return counters_; }
    [[nodiscard]] std::uint64_t next_id();

    // This shard's way into queues; set by its owner before anything runs.
    [[nodiscard]] queue_router& queues() { return *queues_; }
    void use(queue_router& queues) { queues_ = &queues; }

    // --- the store ---
    [[nodiscard]] storage::batch& open() { return open_; } // this turn's operations
    // `answered`: its receiver has it, and unless that is half of a unit nothing else depends on the erasure.
    void erase(storage::column c, std::string_view key, bool answered) {
        if (answered && !in_unit_) open_.erase_answered(c, key);
        else open_.erase(c, key);
    }
    void in_unit(bool now) { in_unit_ = now; } // until then what is done is done as a whole or not at all
    void require(bool persistent) {                         // this turn's operations must be as durable as configured
        open_.require(persistent ? level_ : std::min(level_, storage::durability::async));
    }
    // The ticket of what open() holds; of what was submitted last when it holds nothing, since nothing would come.
    [[nodiscard]] ticket open_ticket() const {
        const bool holds_something = !open_.empty() || !retained_changed_.empty();
        return ticket{submitted_.value() + (holds_something ? 1 : 0)};
    }
    [[nodiscard]] ticket durable_upto() const { return durable_; }
    [[nodiscard]] bool store_failed() const { return failed_; } // it takes no durable publications
    [[nodiscard]] bool store_full() const { return full_; }     // for want of room
    // This turn changed what is retained for the topic: submit() writes what is true by then.
    void retained_changed(std::string_view topic) { retained_changed_.emplace_back(topic); }
    [[nodiscard]] const retained& kept() const { return *kept_; }
    [[nodiscard]] topic_trie& trie() const { return *trie_; }
    void load(const storage::load_request& request) { loads_.push_back(request); }
    void submit();                                     // end of turn: before mail is posted
    void completed(ticket upto, bool failed, bool full = false) {
        durable_ = std::max(durable_, upto);
        failed_ = failed;
        full_ = full;
    }
    [[nodiscard]] std::size_t store_pending_bytes() const { return store_->pending_bytes(); }
    // Grows within a turn with everything that is left to the store.
    [[nodiscard]] std::size_t left_to_store() const { return open_.bytes() + retained_changed_.size(); }
    // Enough for one turn: no more is taken in before it is submitted. One message for every session there is may be more.
    [[nodiscard]] bool full() const { return open_.bytes() > bounds_->store_pending_bytes_max / 16; }

    // A session waits for a ticket (QoS 2 deliveries whose handle must be on disk first).
    struct waiter {
        ticket at{};
        slot* who = nullptr;
    };
    [[nodiscard]] std::vector<waiter>& waiters() { return waiters_; }

    // Sessions whose walk through the retained messages goes on in the next turn.
    [[nodiscard]] std::vector<slot*>& walkers() { return walkers_; }

    // An entry that somebody means to erase once a read of it has been answered: it may be erased by others until then.
    struct watched_entry {
        session_id of{};
        message_id message{};
        std::uint64_t by = 0;
        bool erased = false;
    };
    [[nodiscard]] std::vector<watched_entry>& watched() { return watched_; }

    // --- mail ---
    void send(std::uint16_t to, mail m) { out_[to].push_back(std::move(m)); }
    [[nodiscard]] std::vector<mail>& outgoing(std::size_t to) { return out_[to]; }

private:
    void write_retained();

    shard_index self_;
    const limits* bounds_;
    storage::store* store_;
    id_source* ids_;
    topic_trie* trie_;
    const retained* kept_;
    storage::durability level_;
    queue_router* queues_ = nullptr;
    storage::batch open_;
    std::vector<std::string> retained_changed_;
    std::vector<storage::load_request> loads_;
    ticket submitted_;
    ticket durable_;
    bool failed_ = false;
    bool full_ = false;
    bool in_unit_ = false;
    counters counters_;
    std::vector<waiter> waiters_;
    std::vector<slot*> walkers_;
    std::vector<watched_entry> watched_; // as many as administrators drop at the same time
    std::vector<std::vector<mail>> out_;
};

} // namespace broker
