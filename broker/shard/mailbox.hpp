// mailbox: what other threads hand to a shard, in batches: one lock and at most one wake-up per batch.
// Threading: post() from any thread; take() from the shard's.
#pragma once

#include "routing/mail.hpp"

#include <atomic>
#include <functional>
#include <mutex>
#include <vector>

namespace broker {

class mailbox {
public:
    // `wake` is called on the posting thread when the box was empty.
    explicit mailbox(std::function<void()> wake) : wake_{std::move(wake)} {}

    // Empties `batch`. Never refuses: senders look at size() and stop reading their publishers when it is too large.
    void post(std::vector<mail>& batch) {
        if (batch.empty()) return;
        bool was_empty = false;
        {
            const std::lock_guard lock{mutex_};
            was_empty = items_.empty();
            if (was_empty) {
                items_.swap(batch);
            } else {
                items_.insert(items_.end(), std::make_move_iterator(batch.begin()),
                              std::make_move_iterator(batch.end()));
            }
            size_.store(items_.size(), std::memory_order_relaxed);
        }
        batch.clear();
        if (was_empty) wake_();
    }
    void post(mail m) {
        std::vector<mail> one;
        one.push_back(std::move(m));
        post(one);
    }

    // Swaps what is there into `into`, which must be empty.
    void take(std::vector<mail>& into) {
        const std::lock_guard lock{mutex_};
        items_.swap(into);
        size_.store(0, std::memory_order_relaxed);
    }

    [[nodiscard]] std::size_t size() const { return size_.load(std::memory_order_relaxed); }

private:
    std::mutex mutex_;
    std::vector<mail> items_;
    std::atomic<std::size_t> size_{0};
    std::function<void()> wake_;
};

} // namespace broker
