#include "storage/commit_thread.hpp"

#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>

namespace broker::storage {

namespace {

constexpr std::chrono::milliseconds retry_every{500};

bool same_but_for_numbers(std::string_view a, std::string_view b) {
    const auto digit = [](char c) { return c >= '0' && c <= '9'; };
    std::string x;
    std::string y;
    std::ranges::remove_copy_if(a, std::back_inserter(x), digit);
    std::ranges::remove_copy_if(b, std::back_inserter(y), digit);
    return x == y;
}

} // namespace

commit_thread::commit_thread(committer& work, std::function<void(const store_trouble&)> on_trouble)
    : work_{work}, on_trouble_{std::move(on_trouble)} {
    work_.on_work([this] {
        const std::lock_guard lock{mutex_};
        has_work_ = true;
        if (!waits_for_answers_) changed_.notify_one();
    });
    thread_ = std::thread{[this] { run(); }};
}

commit_thread::~commit_thread() { stop(); }

void commit_thread::stop() {
    {
        const std::lock_guard lock{mutex_};
        stopping_ = true;
        changed_.notify_one();
    }
    if (thread_.joinable()) thread_.join();
}

void commit_thread::run() {
    store_trouble said;
    for (;;) {
        auto next = work_.next(std::chrono::steady_clock::now());
        while (next.take != 0 && work_.run_once(next.take)) next = work_.next(std::chrono::steady_clock::now());
        const auto now = work_.trouble();
        if (now.failed != said.failed || now.full != said.full || !same_but_for_numbers(now.what, said.what)) {
            said = now;
            on_trouble_(said);
        }
        std::unique_lock lock{mutex_};
        if (next.wait.count() != 0 && !stopping_) {
            waits_for_answers_ = true;
            changed_.wait_for(lock, next.wait, [this] { return stopping_; });
            waits_for_answers_ = false;
            continue;
        }
        if (stopping_) {
            lock.unlock();
            while (work_.run_once()) {}
            if (work_.failed() || work_.idle()) return;
            continue;
        }
        if (said.failed) {
            changed_.wait_for(lock, retry_every, [this] { return stopping_; });
        } else if (said.full) {
            changed_.wait_for(lock, retry_every, [this] { return has_work_ || stopping_; });
        } else {
            changed_.wait(lock, [this] { return has_work_ || stopping_; });
        }
        has_work_ = false;
    }
}

} // namespace broker::storage
