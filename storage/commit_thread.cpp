#include "storage/commit_thread.hpp"

namespace broker::storage {

namespace {

constexpr std::chrono::milliseconds retry_every{500};

} // namespace

commit_thread::commit_thread(committer& work, std::function<void(const std::string&)> on_failure)
    : work_{work}, on_failure_{std::move(on_failure)} {
    work_.on_work([this] {
        const std::lock_guard lock{mutex_};
        has_work_ = true;
        changed_.notify_one();
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
    bool said = false;
    for (;;) {
        while (work_.run_once()) {}
        if (work_.failed() != said) {
            said = work_.failed();
            on_failure_(said ? work_.failure() : "");
        }
        std::unique_lock lock{mutex_};
        if (stopping_) {
            if (work_.failed() || work_.idle()) return;
            continue;
        }
        if (work_.failed()) {
            changed_.wait_for(lock, retry_every, [this] { return stopping_; });
        } else {
            changed_.wait(lock, [this] { return has_work_ || stopping_; });
        }
        has_work_ = false;
    }
}

} // namespace broker::storage
