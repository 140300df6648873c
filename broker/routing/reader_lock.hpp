// reader_lock: a big-reader lock. One mutex per shard on its own cache line: a reader takes its own (uncontended), a
// writer takes all, in order. The slot after the last shard serves every other thread.
#pragma once

#include "core/ids.hpp"

#include <algorithm>
#include <memory>
#include <mutex>

namespace broker {

class reader_lock {
public:
    explicit reader_lock(std::size_t shards) : size_{shards + 1}, lanes_{std::make_unique<lane[]>(shards + 1)} {}

    [[nodiscard]] std::unique_lock<std::mutex> read(shard_index who) {
        return std::unique_lock{lanes_[std::min<std::size_t>(who.value(), size_ - 1)].mutex};
    }

    class write_guard {
    public:
        explicit write_guard(reader_lock& of) : of_{of} {
            for (std::size_t i = 0; i != of_.size_; ++i) of_.lanes_[i].mutex.lock();
        }
        ~write_guard() {
            for (std::size_t i = of_.size_; i != 0; --i) of_.lanes_[i - 1].mutex.unlock();
        }
        write_guard(const write_guard&) = delete;
        write_guard& operator=(const write_guard&) = delete;

    private:
        reader_lock& of_;
    };
    [[nodiscard]] write_guard write() { return write_guard{*this}; }

private:
    struct alignas(64) lane {
        std::mutex mutex;
    };
    std::size_t size_;
    std::unique_ptr<lane[]> lanes_;
};

} // namespace broker
