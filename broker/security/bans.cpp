#include "security/bans.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

namespace broker::security {

std::string_view name(ban_kind k) {
    switch (k) {
    case ban_kind::address: return "address";
    case ban_kind::user: return "user";
    case ban_kind::client_id: return "client_id";
    }
    return {};
}

std::optional<ban_kind> ban_kind_named(std::string_view word) {
    for (const auto k : {ban_kind::address, ban_kind::user, ban_kind::client_id}) {
        if (name(k) == word) return k;
    }
    return std::nullopt;
}

result<void, std::string> bans::add(ban b, time_point now) {
    const std::unique_lock lock{mutex_};
    if (size() >= most && now >= look_again_at_) forget_ended(now);
    if (size() >= most) return fail(fmt::format("{} bans are there already, which is as many as can be", most));
    if (b.what != ban_kind::address) {
        if (b.whom.empty()) return fail(std::string{"nobody is named"});
        auto& map = b.what == ban_kind::user ? users_ : client_ids_;
        auto whom = b.whom;
        map.insert_or_assign(std::move(whom), std::move(b));
        names_ = users_.size() + client_ids_.size();
        return {};
    }
    auto of = networks::parse({b.whom});
    if (!of) return fail(std::move(of.error()));
    const auto& one = of->all().front();
    b.whom = one.text();
    if (auto* const map = map_of(one)) {
        map->insert_or_assign(one.base, std::move(b));
    } else {
        std::erase_if(networks_, [&b](const auto& n) { return n.entry.whom == b.whom; });
        if (networks_.size() >= networks_max) return fail(fmt::format("{} networks are banned already, which is as many as can be", networks_max));
        networks_.push_back({std::move(*of), std::move(b)});
    }
    any_address_ = true;
    return {};
}

bool bans::remove(ban_kind what, std::string_view whom) {
    const std::unique_lock lock{mutex_};
    if (what != ban_kind::address) {
        const bool was = (what == ban_kind::user ? users_ : client_ids_).erase(std::string{whom}) != 0;
        names_ = users_.size() + client_ids_.size();
        return was;
    }
    const auto of = networks::parse({std::string{whom}});
    if (!of) return false;
    const auto& one = of->all().front();
    if (auto* const map = map_of(one)) return map->erase(one.base) != 0;
    return std::erase_if(networks_, [&one](const auto& n) { return n.entry.whom == one.text(); }) != 0;
}

std::vector<ban> bans::all(time_point now) const {
    const std::shared_lock lock{mutex_};
    std::vector<ban> made;
    const auto take = [&](const ban& b) {
        if (b.until > now) made.push_back(b);
    };
    for (const auto& [_, b] : addresses_) take(b);
    for (const auto& [_, b] : sites_) take(b);
    for (const auto& n : networks_) take(n.entry);
    for (const auto& [_, b] : users_) take(b);
    for (const auto& [_, b] : client_ids_) take(b);
    std::ranges::sort(made, {}, [](const ban& b) { return std::tie(b.what, b.whom); });
    return made;
}

bool bans::banned(const ip_address& who, time_point now) const {
    if (!any_address_.load(std::memory_order_relaxed)) return false;
    const std::shared_lock lock{mutex_};
    if (const auto it = addresses_.find(who); it != addresses_.end() && it->second.until > now) return true;
    if (const auto it = sites_.find(who.site()); !who.is_v4() && it != sites_.end() && it->second.until > now) return true;
    return std::ranges::any_of(networks_, [&](const auto& n) { return n.entry.until > now && n.of.contain(who); });
}

bool bans::banned(ban_kind what, std::string_view whom, time_point now) const {
    if (!has_names()) return false;
    const std::shared_lock lock{mutex_};
    const auto& map = what == ban_kind::user ? users_ : client_ids_;
    const auto it = map.find(std::string{whom});
    return it != map.end() && it->second.until > now;
}

std::unordered_map<ip_address, ban>* bans::map_of(const networks::network& n) {
    if (n.bits == 128) return &addresses_;
    return n.bits == 64 && !n.base.is_v4() ? &sites_ : nullptr;
}

void bans::forget_ended(time_point now) {
    look_again_at_ = now + seconds{1};
    const auto ended = [now](const auto& named) { return named.second.until <= now; };
    std::erase_if(addresses_, ended);
    std::erase_if(sites_, ended);
    std::erase_if(users_, ended);
    std::erase_if(client_ids_, ended);
    std::erase_if(networks_, [now](const auto& n) { return n.entry.until <= now; });
    names_ = users_.size() + client_ids_.size();
    any_address_ = !addresses_.empty() || !sites_.empty() || !networks_.empty();
}

bool offences::again(const ip_address& who, time_point now) {
    if (!most_.bounded() || who.is_loopback()) return false;
    const std::lock_guard lock{mutex_};
    auto it = counts_.find(who.site());
    if (it == counts_.end()) {
        if (counts_.size() >= watched_max) std::erase_if(counts_, [&](const auto& one) { return one.second.since + most_.per <= now; });
        if (counts_.size() >= watched_max) return false;
        it = counts_.try_emplace(who.site(), count{.since = now}).first;
    }
    auto& c = it->second;
    if (c.since + most_.per <= now) c = {.since = now};
    if (++c.times <= most_.amount) return false;
    counts_.erase(it);
    return true;
}

} // namespace broker::security
