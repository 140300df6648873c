#include "security/issuer_keys.hpp"

#include <utility>

namespace broker::security {

std::shared_ptr<const key_set> issuer_keys::keys(time_point now) const {
    const std::lock_guard lock{mutex_};
    return cache_.keys(now);
}

bool issuer_keys::await_unknown(time_point now, std::function<void()> then) {
    const std::lock_guard lock{mutex_};
    const auto before = cache_.next_fetch();
    cache_.on_unknown_key(now);
    const auto next = cache_.next_fetch();
    if (next != before || next <= now) changed_.notify_all();
    const bool soon = cache_.fetching() || next <= now;
    if (!soon || waiting_.size() >= waiting_max) return false;
    waiting_.push_back(std::move(then));
    return true;
}

bool issuer_keys::wait_until_due(const std::stop_token& ending, const std::function<time_point()>& now) {
    std::unique_lock lock{mutex_};
    for (;;) {
        if (ending.stop_requested()) return false;
        const auto at = cache_.next_fetch();
        const auto here = now();
        if (at <= here) break;
        changed_.wait_for(lock, ending, at - here, [&] { return cache_.next_fetch() < at || cache_.next_fetch() <= now(); });
    }
    cache_.on_begun();
    return true;
}

result<void, std::string> issuer_keys::on_fetched(std::string_view body, time_point now) {
    std::unique_lock lock{mutex_};
    auto taken = cache_.on_fetched(body, now);
    let_go(lock);
    return taken;
}

void issuer_keys::on_failed(time_point now) {
    std::unique_lock lock{mutex_};
    cache_.on_failed(now);
    let_go(lock);
}

void issuer_keys::let_go(std::unique_lock<std::mutex>& lock) {
    const auto all = std::exchange(waiting_, {});
    lock.unlock();
    for (const auto& then : all) then();
}

} // namespace broker::security
