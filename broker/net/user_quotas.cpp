#include "net/user_quotas.hpp"

#include <algorithm>
#include <functional>

namespace broker {

std::optional<user_quotas::place> user_quotas::enter(const std::string& user, std::string_view client_id) {
    const auto hash = std::hash<std::string_view>{}(client_id);
    const std::lock_guard lock{mutex_};
    auto& mine = accounts_[user];
    const auto known = std::ranges::find(mine.clients, hash, &client::hash);
    if (known != mine.clients.end()) {
        ++known->connections;
    } else if (bounds_.connections_per_user != 0 && mine.clients.size() >= bounds_.connections_per_user) {
        return std::nullopt;
    } else {
        mine.clients.push_back({.hash = hash, .connections = 1});
    }
    if (!mine.rates && (bounds_.user_publish_rate.bounded() || bounds_.user_publish_bytes.bounded())) {
        mine.rates = std::make_shared<publish_rates>(bounds_.user_publish_rate, bounds_.user_publish_bytes);
    }
    return std::optional<place>{std::in_place, *this, user, hash, mine.rates};
}

void user_quotas::leave(const std::string& user, std::size_t client_hash) {
    const std::lock_guard lock{mutex_};
    const auto it = accounts_.find(user);
    auto& clients = it->second.clients;
    const auto mine = std::ranges::find(clients, client_hash, &client::hash);
    if (--mine->connections == 0) {
        std::swap(*mine, clients.back());
        clients.pop_back();
    }
    if (clients.empty()) accounts_.erase(it);
}

} // namespace broker
