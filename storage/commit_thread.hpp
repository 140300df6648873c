// commit_thread: the thread that runs a committer.
#pragma once

#include "storage/committer.hpp"

#include <condition_variable>
#include <thread>

namespace broker::storage {

class commit_thread {
public:
    // `on_trouble` hears of every change of what is wrong and why, and when nothing is. What differs in numbers only is no change:
    // an attempt names files of its own.
    commit_thread(committer& work, std::function<void(const store_trouble&)> on_trouble);
    ~commit_thread();
    commit_thread(const commit_thread&) = delete;
    commit_thread& operator=(const commit_thread&) = delete;

    // Writes what is pending, as long as that works, and ends.
    void stop();

private:
    void run();

    committer& work_;
    std::function<void(const store_trouble&)> on_trouble_;
    std::mutex mutex_;
    std::condition_variable changed_;
    bool has_work_ = false;
    bool waits_for_answers_ = false; // not for work
    bool stopping_ = false;
    std::thread thread_;
};

} // namespace broker::storage
