// backlog: what a session or a queue owes and has not handed over, oldest first: a bounded head in memory, the rest in
// the store ("spilled"), read back in pieces when the head has drained.
//
// Invariants
// 1. While anything is spilled, new stored entries are spilled too, so order holds.
// 2. A load sees every batch submitted before it (storage/store.hpp). Its answer is used when every shard has answered a
//    marker sent behind it: then every entry in it has been announced, and none is announced twice. Has one been announced
//    meanwhile that belongs ahead of where the load began, the answer is thrown away and the load made again from there.
// 3. An entry that is settled while a load is under way may still be in the answer; it is not brought back.
// 4. Entries that are not stored never spill; the owner bounds them.
#pragma once

#include "core/limits.hpp"
#include "core/message.hpp"
#include "core/ring.hpp"
#include "session/shared_group.hpp"
#include "storage/store.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

namespace broker {

struct queue_slot;

inline constexpr std::uint8_t default_priority = 4; // of 0 to 9

// How a consumer's session ended its turn with a message.
enum class queue_outcome : std::uint8_t {
    gone,     // accepted or given up: the consumer's shard has erased it
    requeue,  // NACK: for another consumer if there is one
    returned, // never reached the consumer: does not count as a delivery
    expired,  // never reached the consumer, and is too old
};

// One message one receiver is owed.
struct entry {
    message_ptr message{};
    qos level{};
    bool retain = false;
    bool stored = false;        // has an entry in the store
    bool shared_record = false; // which refers to a `messages` record counted by message::drop_stored_entry
    bool count_stored = false;  // a queue's: its redelivery count is in the store
    std::uint8_t priority = default_priority; // a queue's
    std::uint32_t redelivery_count = 0;
    const void* not_to = nullptr; // a queue's: the consumer that gave it back, if there is another
    queue_slot* from = nullptr; // taken from this queue, which is told how it ends
    group_ptr share{};          // got as a member of this shared group
    bool elsewhere = false;     // its redelivery count is of other members
    std::vector<std::uint32_t> identifiers{};
};

class backlog {
public:
    // One load: enough to keep a fast receiver busy for a turn of the store.
    static constexpr std::size_t load_messages_max = 512;
    static constexpr std::size_t load_bytes_max = 1024 * 1024;

    // `memory_*`: what is kept in memory of stored entries.
    backlog(std::size_t memory_messages_max, std::size_t memory_bytes_max)
        : memory_bytes_max_{memory_bytes_max}, memory_messages_max_{static_cast<std::uint32_t>(std::min<std::size_t>(memory_messages_max, 0xFFFF'FFFF))} {}

    [[nodiscard]] bool empty() const { return head_.empty() && spilled_ == 0; }
    [[nodiscard]] std::size_t size() const { return head_.size() + spilled_; } // a lower bound after a restart, until it is read
    [[nodiscard]] std::size_t bytes() const { return bytes_ + spilled_bytes_; }
    [[nodiscard]] std::size_t spilled() const { return spilled_; }
    [[nodiscard]] bool head_ready() const { return !head_.empty(); }
    [[nodiscard]] entry& front() { return head_.front(); }
    using entries = ring<entry>;
    [[nodiscard]] const entries& head() const { return head_; }
    [[nodiscard]] entry& at(std::size_t i) { return head_[i]; } // of the head

    void push_back(entry e);  // spills when stored and the head is full or something is spilled already
    void push_front(entry e); // always in memory: it was handed over before
    void put_back(entry e);   // likewise, among the first by its age
    entry pop_front();        // head_ready()

    // Those in memory that `give` takes (true) are gone from here. A spilled one that somebody else took: forget_spilled().
    template <class Give>
    void give_away(Give give);
    void forget_spilled(std::size_t bytes);

    void spill_all();                 // every stored entry leaves memory; the others are dropped
    void assume_stored(message_id from = message_id{0}); // after a restart: the store may hold entries of ours
    [[nodiscard]] message_id lowest() const; // no entry of ours has a lower id; ~0: there are none
    void clear();

    // True when the head is drained, something is spilled, and no load is under way.
    [[nodiscard]] bool wants_load() const { return head_.empty() && may_load() && !stuck_; }
    [[nodiscard]] bool loading() const { return loading_; }
    [[nodiscard]] bool stuck() const { return stuck_; }
    [[nodiscard]] bool may_load() const { return spilled_ != 0 && !loading_; }
    // A load that could not read a row is not made again before something has changed: more to load, or this.
    void try_again() { stuck_ = false; }
    // At most `messages_max`, oldest first.
    [[nodiscard]] storage::load_request start_load(session_id of, std::size_t messages_max = load_messages_max);
    // The answer. `known(id)`: the entry is being handed over already. Undecodable rows are skipped and counted.
    template <class Known>
    std::size_t finish_load(const storage::loaded_rows& rows, Known known);
    void cancel_load();        // its answer is ignored
    // This entry left for good: its receiver answered, or it was dropped or passed on.
    void settled(message_id id) {
        if (loading_) settled_since_load_->push_back(id);
    }


private:
    void spill(message_id id, std::size_t bytes);

    entries head_;
    std::size_t bytes_ = 0;
    std::size_t spilled_ = 0;
    std::size_t spilled_bytes_ = 0;
    std::size_t spilled_since_load_ = 0;
    message_id spill_from_{~0ULL};
    message_id since_load_from_{~0ULL};
    std::unique_ptr<std::vector<message_id>> settled_since_load_; // while loading_: no more than were handed over when it began
    std::uint64_t load_number_ = 0;
    std::size_t memory_bytes_max_;
    std::uint32_t memory_messages_max_;
    bool counted_ = true; // else spilled_ is a lower bound: while it is not zero there may be more
    bool loading_ = false;
    bool stuck_ = false;
};

template <class Give>
void backlog::give_away(Give give) {
    const auto kept = std::remove_if(head_.begin(), head_.end(), [&](entry& e) {
        const auto size = e.message->footprint();
        if (!give(e)) return false;
        bytes_ -= size;
        return true;
    });
    head_.erase(kept, head_.end());
}

[[nodiscard]] message_id id_of(const storage::loaded_rows& rows, std::size_t i); // 0: its key has another form
// Row i of a load as an entry; nothing when it cannot be decoded.
[[nodiscard]] std::optional<entry> entry_of(const storage::loaded_rows& rows, std::size_t i);
// Where the next load goes on when the limits cut this one off: behind the last row, readable or not. Nothing: no row.
[[nodiscard]] std::optional<message_id> goes_on_at(const storage::loaded_rows& rows);

template <class Known>
std::size_t backlog::finish_load(const storage::loaded_rows& rows, Known known) {
    if (!loading_ || rows.request.number != load_number_) return 0;
    if (since_load_from_ < rows.request.from) {
        cancel_load(); // it lacks what belongs ahead of it
        return 0;
    }
    loading_ = false;
    std::size_t damaged = 0;
    std::size_t not_spilled = 0;
    const auto settled_meanwhile = std::move(settled_since_load_);
    std::ranges::sort(*settled_meanwhile);
    for (std::size_t i = 0; i != rows.entries.size(); ++i) {
        const auto id = id_of(rows, i);
        auto loaded = entry_of(rows, i);
        if (!loaded) {
            ++damaged;
            continue;
        }
        if (known(id) || std::ranges::binary_search(*settled_meanwhile, id)) {
            ++not_spilled;
            continue;
        }
        const auto size = loaded->message->footprint();
        spilled_bytes_ -= std::min(spilled_bytes_, size);
        bytes_ += size;
        head_.push_back(std::move(*loaded));
    }
    if (rows.more) {
        const auto taken = rows.entries.size() - not_spilled;
        if (spilled_ <= taken) counted_ = false;
        spilled_ = spilled_ > taken ? spilled_ - taken : 1;
        const auto next = goes_on_at(rows);
        stuck_ = !next && spilled_since_load_ == 0;
        spill_from_ = std::min(next.value_or(spill_from_), since_load_from_);
    } else {
        spilled_ = spilled_since_load_;
        counted_ = true;
        spill_from_ = since_load_from_;
        if (spilled_ == 0) spilled_bytes_ = 0;
    }
    spilled_since_load_ = 0;
    since_load_from_ = message_id{~0ULL};
    return damaged;
}

} // namespace broker
