#include "security/worker_pool.hpp"

#include "core/assert.hpp"

namespace broker::security {

worker_pool::worker_pool(const settings& s) : settings_{s} {
    BROKER_ASSERT(s.threads > 0);
    threads_.reserve(s.threads);
    for (unsigned t = 0; t < s.threads; ++t) threads_.emplace_back([this] { serve(); });
}

worker_pool::~worker_pool() {
    {
        const std::lock_guard lock{mutex_};
        stopping_ = true;
    }
    some_.notify_all();
    for (auto& t : threads_) t.join();
}

bool worker_pool::enqueue(job j) {
    {
        const std::lock_guard lock{mutex_};
        const auto here = per_source_.find(j.source);
        const auto of_source = here == per_source_.end() ? 0 : here->second;
        if (waiting_.size() >= settings_.waiting_max || of_source >= settings_.waiting_per_source_max) {
            ++counters_.refused;
            return false;
        }
        ++per_source_[j.source];
        waiting_.push_back(std::move(j));
    }
    some_.notify_one();
    return true;
}

void worker_pool::serve() {
    std::unique_lock lock{mutex_};
    for (;;) {
        some_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
        if (stopping_) return;
        auto next = std::move(waiting_.front());
        waiting_.pop_front();
        const auto here = per_source_.find(next.source);
        if (--here->second == 0) per_source_.erase(here);
        if (!next.wanted->load(std::memory_order_relaxed)) {
            ++counters_.cancelled;
            continue;
        }
        lock.unlock();
        next.run();
        next = {}; // what it holds goes outside the lock
        lock.lock();
        ++counters_.done;
    }
}

worker_pool::counters worker_pool::counted() const {
    const std::lock_guard lock{mutex_};
    auto now = counters_;
    now.waiting = waiting_.size();
    return now;
}

} // namespace broker::security
