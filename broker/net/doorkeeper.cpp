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

doorkeeper::doorkeeper(settings s, alarms& raised, std::function<time_point()> now)
    : settings_{std::move(s)}, alarms_{raised}, now_{std::move(now)}, accepts_{settings_.accepts}, failed_logins_{settings_.failed_logins},
      flapping_{settings_.flapping} {}

std::optional<doorkeeper::guest> doorkeeper::enter(std::atomic<std::size_t>& of_listener, std::size_t listener_max) {
    if (open_.fetch_add(1, std::memory_order_relaxed) >= settings_.most) {
        open_.fetch_sub(1, std::memory_order_relaxed);
        if (!full_.load(std::memory_order_relaxed)) tell_full();
        return std::nullopt;
    }
    if (of_listener.fetch_add(1, std::memory_order_relaxed) >= listener_max && listener_max != 0) {
        of_listener.fetch_sub(1, std::memory_order_relaxed);
        open_.fetch_sub(1, std::memory_order_relaxed);
        return std::nullopt;
    }
    return std::optional<guest>{std::in_place, *this, of_listener};
}

doorkeeper::verdict doorkeeper::comes_from(guest& who, const security::ip_address& address) {
    const auto now = now_();
    if (bans_.banned(address, now)) return verdict::banned;
    if (flapping_.again(address, now)) {
        ban(address, fmt::format("more than {} connections in {} s (limits.flapping)", settings_.flapping.amount, settings_.flapping.per.count() / 1'000));
        return verdict::banned;
    }
    if (settings_.per_address_max == 0) return verdict::welcome;
    const std::lock_guard lock{sites_mutex_};
    auto& site = *sites_.try_emplace(address.site(), 0).first;
    if (site.second >= settings_.per_address_max) return verdict::too_many;
    ++site.second;
    who.site_ = &site;
    return verdict::welcome;
}

void doorkeeper::leave(const guest& who) {
    who.of_listener_->fetch_sub(1, std::memory_order_relaxed);
    if (who.site_ != nullptr) {
        const std::lock_guard lock{sites_mutex_};
        if (--who.site_->second == 0) sites_.erase(sites_.find(who.site_->first));
    }
    open_.fetch_sub(1, std::memory_order_relaxed);
    if (full_.load(std::memory_order_relaxed)) tell_room();
}

void doorkeeper::login_failed(const security::ip_address& address) {
    if (failed_logins_.again(address, now_())) {
        ban(address, fmt::format("more than {} failed logins in {} s (limits.failed_logins)", settings_.failed_logins.amount,
                                 settings_.failed_logins.per.count() / 1'000));
    }
}

void doorkeeper::ban(const security::ip_address& address, std::string_view why) {
    const auto now = now_();
    const auto whom = address.site().text() + (address.is_v4() ? "" : "/64");
    auto added = bans_.add({.whom = whom, .until = now + settings_.ban_time, .why = std::string{why}, .by_itself = true}, now);
    spdlog::warn("{} {} for {} s: {}", whom, added ? "is banned" : "would be banned", settings_.ban_time.count(), added ? std::string{why} : added.error());
}

void doorkeeper::tell_full() {
    const std::lock_guard lock{mutex_};
    if (full_.exchange(true)) return;
    const auto text = fmt::format("{} connections are open, more are closed at once: {}", settings_.most, settings_.bounded_by);
    alarms_.raise(full_alarm, text, now_());
    spdlog::warn("{}", text);
}

void doorkeeper::tell_room() {
    const std::lock_guard lock{mutex_};
    const auto now = open();
    if (now + std::max<std::size_t>(settings_.most / 20, 1) > settings_.most || !full_.exchange(false)) return;
    alarms_.clear(full_alarm);
    spdlog::info("{} of {} connections are open, new ones are served again", now, settings_.most);
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
