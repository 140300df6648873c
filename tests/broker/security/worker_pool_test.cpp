#include "security/worker_pool.hpp"

#include <doctest/doctest.h>

#include <future>
#include <latch>

using namespace broker::security;

namespace {

// What a shard is to the pool: a thread that runs what was posted when it gets round to it. Here the test's own.
class inbox {
public:
    [[nodiscard]] worker_pool::post post() {
        return [this](std::function<void()> f) {
            const std::lock_guard lock{mutex_};
            posted_.push_back(std::move(f));
            some_.notify_one();
        };
    }
    void run(std::size_t count) {
        for (; count > 0; --count) {
            std::unique_lock lock{mutex_};
            some_.wait(lock, [this] { return !posted_.empty(); });
            auto f = std::move(posted_.front());
            posted_.pop_front();
            lock.unlock();
            f();
        }
    }

private:
    std::mutex mutex_;
    std::condition_variable some_;
    std::deque<std::function<void()>> posted_;
};

} // namespace

TEST_CASE("answers come on the asker's thread, each to its question") {
    inbox shard;
    worker_pool pool{{.threads = 3, .waiting_max = 1'000, .waiting_per_source_max = 1'000}};
    const auto here = std::this_thread::get_id();
    std::vector<worker_pool::question> asked;
    std::vector<int> answers(200, -1);
    for (int i = 0; i < 200; ++i) {
        auto q = pool.ask("a", [i] { return i * i; }, shard.post(), [&answers, i, here](int answer) {
            CHECK(std::this_thread::get_id() == here);
            answers[static_cast<std::size_t>(i)] = answer;
        });
        REQUIRE(q);
        asked.push_back(std::move(*q));
    }
    shard.run(200);
    for (int i = 0; i < 200; ++i) CHECK(answers[static_cast<std::size_t>(i)] == i * i);
}

TEST_CASE("what waits is bounded, in all and per source") {
    inbox shard;
    worker_pool pool{{.threads = 1, .waiting_max = 4, .waiting_per_source_max = 2}};
    std::latch begun{1};
    std::promise<void> go;
    std::vector<worker_pool::question> asked;
    int answered = 0;
    const auto ask = [&](const std::string& source, std::function<int()> work) {
        auto q = pool.ask(source, std::move(work), shard.post(), [&](int) { ++answered; });
        if (q) asked.push_back(std::move(*q));
        return q.has_value();
    };
    CHECK(ask("a", [&] {
        begun.count_down();
        go.get_future().wait();
        return 0;
    }));
    begun.wait(); // it runs: it does not wait any more
    const auto quick = [] { return 0; };
    CHECK(ask("a", quick));
    CHECK(ask("a", quick));
    CHECK_FALSE(ask("a", quick)); // two of this source wait
    CHECK(ask("b", quick));
    CHECK(ask("c", quick));
    CHECK_FALSE(ask("d", quick)); // four wait
    CHECK(pool.counted().refused == 2);
    CHECK(pool.counted().waiting == 4);
    go.set_value();
    shard.run(5);
    CHECK(answered == 5);
    CHECK(ask("a", quick)); // there is room again
    shard.run(1);
}

TEST_CASE("whoever went is not answered, and work that has not begun is not done") {
    inbox shard;
    worker_pool pool{{.threads = 1}};
    std::latch begun{1};
    std::promise<void> go;
    bool answered = false;
    std::atomic<bool> worked = false;
    auto running = pool.ask("a", [&] {
        begun.count_down();
        go.get_future().wait();
        return 0;
    }, shard.post(), [&](int) { answered = true; });
    auto waiting = pool.ask("a", [&] {
        worked = true;
        return 0;
    }, shard.post(), [&](int) { answered = true; });
    begun.wait();
    running.reset();
    waiting.reset();
    go.set_value();
    shard.run(1); // the first one's answer arrives and is dropped
    auto last = pool.ask("a", [] { return 0; }, shard.post(), [](int) {});
    shard.run(1);
    CHECK_FALSE(answered);
    CHECK_FALSE(worked);
    CHECK(pool.counted().cancelled == 1);
}

TEST_CASE("the pool ends with what runs and drops what waits") {
    inbox shard;
    std::optional<worker_pool::question> running;
    std::optional<worker_pool::question> waiting;
    std::atomic<int> worked = 0;
    {
        worker_pool pool{{.threads = 1}};
        std::latch begun{1};
        running = pool.ask("a", [&] {
            begun.count_down();
            return ++worked;
        }, shard.post(), [](int) {});
        begun.wait();
        waiting = pool.ask("a", [&] { return ++worked; }, shard.post(), [](int) {});
    }
    CHECK(worked >= 1);
}
