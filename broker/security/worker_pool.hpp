// worker_pool: a few threads for answers that take too long for a shard, such as argon2id. What waits is bounded, in all and
// per source, so that one address that tries passwords does not keep the others out.
//
// Threading: ask() from any thread. The answer is handed to the asker's thread by the asker's own `post`.
// Lifetime:  destroyed before whatever `post` posts to. Work that has not begun then is dropped, unanswered.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

namespace broker::security {

class worker_pool {
public:
    struct settings {
        unsigned threads = 2;
        std::size_t waiting_max = 1'024;
        std::size_t waiting_per_source_max = 16;
    };
    struct counters {
        std::uint64_t done = 0;
        std::uint64_t refused = 0;   // too many were waiting
        std::uint64_t cancelled = 0; // the asker went before its work began
        std::size_t waiting = 0;
    };

    // The asker's interest: when it is destroyed, work that has not begun is not done, and no answer comes any more. It is
    // destroyed on the thread that `post` posts to.
    class question {
    public:
        explicit question(std::shared_ptr<std::atomic<bool>> wanted) : wanted_{std::move(wanted)} {}
        question(question&&) noexcept = default;
        question& operator=(question&& other) noexcept {
            drop();
            wanted_ = std::move(other.wanted_);
            return *this;
        }
        question(const question&) = delete;
        question& operator=(const question&) = delete;
        ~question() { drop(); }

    private:
        void drop() {
            if (wanted_) wanted_->store(false, std::memory_order_relaxed);
        }
        std::shared_ptr<std::atomic<bool>> wanted_;
    };

    using post = std::function<void(std::function<void()>)>;

    explicit worker_pool(const settings& s);
    worker_pool(const worker_pool&) = delete;
    worker_pool& operator=(const worker_pool&) = delete;
    ~worker_pool();

    // Runs `work` (which does not throw) on a thread of the pool, then `then(answer)` by way of `back`. Nothing: too many are waiting, of
    // this source (an address) or in all; refuse the client as busy.
    template <class Work, class Then>
    [[nodiscard]] std::optional<question> ask(const std::string& source, Work work, post back, Then then) {
        auto wanted = std::make_shared<std::atomic<bool>>(true);
        auto run = [wanted, work = std::move(work), back = std::move(back), then = std::move(then)]() mutable {
            auto answer = work();
            back([wanted = std::move(wanted), then = std::move(then), answer = std::move(answer)]() mutable {
                if (wanted->load(std::memory_order_relaxed)) then(std::move(answer));
            });
        };
        if (!enqueue({.source = source, .wanted = wanted, .run = std::move(run)})) return std::nullopt;
        return question{std::move(wanted)};
    }

    [[nodiscard]] counters counted() const;

private:
    struct job {
        std::string source{};
        std::shared_ptr<std::atomic<bool>> wanted{};
        std::function<void()> run{};
    };
    [[nodiscard]] bool enqueue(job j);
    void serve();

    const settings settings_;
    mutable std::mutex mutex_;
    std::condition_variable some_;
    std::deque<job> waiting_;
    std::unordered_map<std::string, std::size_t> per_source_; // of waiting_
    counters counters_;
    bool stopping_ = false;
    std::vector<std::thread> threads_; // last: they use the others
};

} // namespace broker::security
