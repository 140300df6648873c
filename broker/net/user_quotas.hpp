// user_quotas: what a user's connections share: how many there may be, and how fast they may publish together.
// Threading: any thread; a place may be left on any.
#pragma once

#include "core/limits.hpp"
#include "core/publish_meter.hpp"

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace broker {

class user_quotas {
public:
    explicit user_quotas(const limits& bounds) : bounds_{bounds} {}

    // A connection's, until it is destroyed; the quotas outlive it.
    class place {
    public:
        place(user_quotas& of, std::string user, std::size_t client, std::shared_ptr<publish_rates> rates)
            : of_{&of}, user_{std::move(user)}, client_{client}, rates_{std::move(rates)} {}
        place(place&& other) noexcept : of_{std::exchange(other.of_, nullptr)}, user_{std::move(other.user_)}, client_{other.client_}, rates_{std::move(other.rates_)} {}
        place(const place&) = delete;
        place& operator=(const place&) = delete;
        place& operator=(place&&) = delete;
        ~place() {
            if (of_ != nullptr) of_->leave(user_, client_);
        }
        [[nodiscard]] const std::shared_ptr<publish_rates>& rates() const { return rates_; } // null: no bound

    private:
        user_quotas* of_;
        std::string user_;
        std::size_t client_;
        std::shared_ptr<publish_rates> rates_;
    };

    [[nodiscard]] bool any() const {
        return bounds_.connections_per_user != 0 || bounds_.user_publish_rate.bounded() || bounds_.user_publish_bytes.bounded();
    }

    // Nothing: limits.per_user.connections are there. One that takes over the session of another counts once with it.
    [[nodiscard]] std::optional<place> enter(const std::string& user, std::string_view client_id);

private:
    struct client {
        std::size_t hash = 0; // of its id
        std::size_t connections = 0;
    };
    struct account {
        std::vector<client> clients{};
        std::shared_ptr<publish_rates> rates{};
    };
    void leave(const std::string& user, std::size_t client);

    const limits& bounds_;
    std::mutex mutex_;
    std::unordered_map<std::string, account> accounts_; // of users who are connected
};

} // namespace broker
