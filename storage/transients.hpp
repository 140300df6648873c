// transients: what is put and erased before it is written never goes to the disk. Most of a durable delivery to a receiver that is
// there: its answer comes while the group before is being written.
//
// Two ways. Erased in the same group: the store is the same without both. Erased by its receiver's answer (batch::erase_answered)
// in a batch that came, but will be written later: the message has been received, so nobody needs it on disk, and after a crash
// nobody misses it. Any other erasure is one half of something (a move to another queue, a transaction) and stays with it.
#pragma once

#include "storage/store.hpp"

#include <boost/unordered/unordered_flat_map.hpp>

#include <chrono>
#include <span>
#include <vector>

namespace broker::storage {

class transients {
public:
    using time = std::chrono::steady_clock::time_point;
    struct answers {
        std::size_t count = 0;
        time::duration after{0}; // the sum of how long they took
    };
    // Of a batch behind all that came before, which was submitted `at`. It does not move until it is in a group. Returns its
    // answers that have found what they erase.
    answers add(batch& b, time at = {});
    // The next batches, in order, are a group that is about to be written: what is put and erased in it is dropped. From here on
    // what it puts may be on disk. Returns the number of new rows it has left.
    std::size_t close(std::span<batch* const> group);

    [[nodiscard]] std::size_t unanswered() const { return fresh_.size(); } // new keys that nobody has erased

private:
    struct place {
        column in{};
        std::string_view key{}; // in its batch
        friend bool operator==(const place&, const place&) = default;
    };
    struct place_hash {
        using is_avalanching = void;
        std::size_t operator()(const place& p) const;
    };
    struct operation_at {
        batch* of = nullptr;
        std::size_t at = 0;
        std::uint64_t number = 0; // of the batch
        time since{};
    };
    struct pair {
        operation_at put{};
        operation_at erasure{};
    };

    boost::unordered_flat_map<place, operation_at, place_hash> fresh_;
    std::vector<pair> pairs_; // in the order of their erasures
    std::uint64_t added_ = 0;
    std::uint64_t closed_ = 0;
};

} // namespace broker::storage
