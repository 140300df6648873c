// reader_lock: a lock that costs its readers nothing but their own cache line. One mutex per shard: reading locks the
// shard's own, which nobody else touches unless something changes; writing locks them all.
// Right for what is read with every publication and changed with a subscription.
#pragma once

#include "core/ids.hpp"

#include <algorithm>
#include <cstddef>
#include <mutex>
#include <vector>

namespace broker {

class reader_lock {
public:
    // One lane per shard and one more, which all threads that are no shard share.
    explicit reader_lock(std::size_t shards) : lanes_(shards + 1) {}

    class write_guard {
    public:
        explicit write_guard(reader_lock& all) : all_{all} {
            for (auto& l : all_.lanes_) l.taken.lock(); // always in this order, so two writers cannot block each other
        }
        ~write_guard() {
            for (auto l = all_.lanes_.rbegin(); l != all_.lanes_.rend(); ++l) l->taken.unlock();
        }
        write_guard(const write_guard&) = delete;
        write_guard& operator=(const write_guard&) = delete;

    private:
        reader_lock& all_;
    };

    // Not recursive: a thread that holds a guard must not ask for another one of the same lock.
    [[nodiscard]] std::unique_lock<std::mutex> read(shard_index reader) {
        const auto lane = std::min<std::size_t>(reader.value(), lanes_.size() - 1);
        return std::unique_lock{lanes_[lane].taken};
    }
    [[nodiscard]] write_guard write() { return write_guard{*this}; }

private:
    struct alignas(64) lane { // a cache line each: readers on different shards share nothing
        std::mutex taken{};
    };
    std::vector<lane> lanes_;
};

} // namespace broker
