// doorkeeper: who of those that connect is served at all: how many at the same time, in all, on a listener and from an address, how
// fast, and who is banned. While there can be no more, an operator hears one line in the log at the beginning and one at the end, and an
// alarm between them.
// Threading: any thread.
#pragma once

#include "core/alarms.hpp"
#include "core/limits.hpp"
#include "security/bans.hpp"

#include <atomic>
#include <cstddef>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace broker {

class doorkeeper {
public:
    struct settings {
        std::size_t most = 0;     // connections
        std::string bounded_by{}; // what `most` comes from and what to do
        std::size_t per_address_max = 0; // 0: no bound
        rate accepts{};
        rate failed_logins{};
        rate flapping{};
        seconds ban_time{60};
    };
    doorkeeper(settings s, alarms& raised, std::function<time_point()> now);

    // One connection, from when it is accepted until it is destroyed, which the doorkeeper outlives.
    using sites = std::unordered_map<security::ip_address, std::size_t>; // connections
    class guest {
    public:
        guest(doorkeeper& at, std::atomic<std::size_t>& of_listener) : door_{&at}, of_listener_{&of_listener} {}
        guest(guest&& other) noexcept : door_{std::exchange(other.door_, nullptr)}, of_listener_{other.of_listener_}, site_{other.site_} {}
        guest(const guest&) = delete;
        guest& operator=(const guest&) = delete;
        guest& operator=(guest&&) = delete;
        ~guest() {
            if (door_ != nullptr) door_->leave(*this);
        }

    private:
        friend doorkeeper;
        doorkeeper* door_;
        std::atomic<std::size_t>* of_listener_;
        sites::value_type* site_ = nullptr; // counted there
    };

    // One more. Nothing: as many as are served are open already; alarm `connections_full` until a twentieth of them, at least one, has
    // gone. `listener_max` 0: as many as in all.
    [[nodiscard]] std::optional<guest> enter(std::atomic<std::size_t>& of_listener, std::size_t listener_max);
    [[nodiscard]] std::size_t open() const { return open_.load(std::memory_order_relaxed); }

    // Where it comes from, once that is known.
    enum class verdict : std::uint8_t { welcome, banned, too_many };
    [[nodiscard]] verdict comes_from(guest& who, const security::ip_address& address);

    // When the next may be accepted; in the past: now.
    [[nodiscard]] time_point next_accept() const { return accepts_.next(); }
    void accepted(time_point now) { accepts_.charge(1, now); }

    // Somebody there has failed to prove who he is.
    void login_failed(const security::ip_address& address);
    [[nodiscard]] security::bans& banned() { return bans_; }

    // A listener cannot accept, for want of descriptors as a rule: alarm `accept_failed` until every listener that has said so
    // has accepted all that waited for it.
    void accept_failed(std::string_view listener, std::string_view why);
    void accepts_again();

private:
    void leave(const guest& who);
    void ban(const security::ip_address& address, std::string_view why);
    void tell_full();
    void tell_room();

    const settings settings_;
    alarms& alarms_;
    const std::function<time_point()> now_;
    rate_meter accepts_;
    security::bans bans_;
    security::offences failed_logins_;
    security::offences flapping_;
    std::atomic<std::size_t> open_{0};
    std::atomic<bool> full_{false};
    std::mutex sites_mutex_;
    sites sites_; // empty without per_address_max
    std::mutex mutex_; // changes of full_, stuck_, and what is said of them
    std::size_t stuck_ = 0; // listeners
};

} // namespace broker
