#include "net/doorkeeper.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace broker {

namespace {

constexpr const char* full_alarm = "connections_full";
constexpr const char* accept_alarm = "accept_failed";

} // namespace

doorkeeper::doorkeeper(std::size_t most, std::string bounded_by, alarms& raised, std::function<time_point()> now)
    : most_{most}, bounded_by_{std::move(bounded_by)}, alarms_{raised}, now_{std::move(now)} {}

bool doorkeeper::enter() {
    if (open_.fetch_add(1, std::memory_order_relaxed) < most_) return true;
    open_.fetch_sub(1, std::memory_order_relaxed);
    if (!full_.load(std::memory_order_relaxed)) tell_full();
    return false;
}

void doorkeeper::leave() {
    open_.fetch_sub(1, std::memory_order_relaxed);
    if (full_.load(std::memory_order_relaxed)) tell_room();
}

void doorkeeper::tell_full() {
    const std::lock_guard lock{mutex_};
    if (full_.exchange(true)) return;
    const auto text = fmt::format("{} connections are open, more are closed at once: {}", most_, bounded_by_);
    alarms_.raise(full_alarm, text, now_());
    spdlog::warn("{}", text);
}

void doorkeeper::tell_room() {
    const std::lock_guard lock{mutex_};
    const auto now = open();
    if (now + std::max<std::size_t>(most_ / 20, 1) > most_ || !full_.exchange(false)) return;
    alarms_.clear(full_alarm);
    spdlog::info("{} of {} connections are open, new ones are served again", now, most_);
}

void doorkeeper::accept_failed(std::string_view listener, std::string_view why) {
    const std::lock_guard lock{mutex_};
    if (stuck_++ != 0) return;
    const auto text = fmt::format("listener {}: a connection waits that cannot be accepted: {}", listener, why);
    alarms_.raise(accept_alarm, text, now_());
    spdlog::error("{}", text);
}

void doorkeeper::accepts_again() {
    const std::lock_guard lock{mutex_};
    if (--stuck_ != 0) return;
    alarms_.clear(accept_alarm);
    spdlog::info("every waiting connection has been accepted");
}

} // namespace broker
