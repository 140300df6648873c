// Sessions on their way from shard to shard, and the barriers that make a move and the freeing of a slot safe: the protocol
// is told in shard_sessions.hpp.
#include "core/assert.hpp"
#include "session/shard_sessions.hpp"

namespace broker {

void shard_sessions::after_all_shards(std::function<void(time_point)> then) {
    if (desk_.shards() == 1) {
        // Nobody else can hold anything; what this turn holds is gone at its end.
        return then(time_point{});
    }
    const auto token = ++last_token_;
    barriers_.emplace(token, barrier{.missing = desk_.shards() - 1, .then = std::move(then)});
    for (std::size_t to = 0; to != desk_.shards(); ++to) {
        if (to != desk_.self()) {
            desk_.send(static_cast<std::uint16_t>(to), marker{.token = token, .from = desk_.self()});
        }
    }
}

void shard_sessions::on(const marker_answer& m, time_point now) {
    const auto it = barriers_.find(m.token);
    BROKER_ASSERT(it != barriers_.end());
    if (--it->second.missing != 0) return;
    const auto then = std::move(it->second.then);
    barriers_.erase(it);
    then(now);
}

void shard_sessions::on(session_request m, time_point now) {
    slot& s = *m.which;
    const auto mine = desk_.self();
    const auto owner = s.owner.load(std::memory_order_acquire);
    if (owner != mine) return desk_.send(owner, std::move(m)); // it moved on: after it
    if (s.holder.load(std::memory_order_acquire) != mine) {
        early_requests_[&s].push_back(std::move(m)); // it is on its way here
        return;
    }
    if (s.held != nullptr) {
        if (!s.held->belongs_to(m.user)) {
            return desk_.send(m.to, session_refused{.client_id = std::move(m.client_id), .claim = m.claim, .forbidden = true});
        }
        if (m.claim < s.held->claim_) {
            return desk_.send(m.to, session_refused{.client_id = std::move(m.client_id), .claim = m.claim});
        }
        take_over(*s.held, m.clean, now);
    }
    if (s.held == nullptr) return desk_.send(m.to, session_gone{.client_id = std::move(m.client_id)});
    hand_over(s, m.to, now);
}

void shard_sessions::hand_over(slot& s, std::uint16_t to, time_point) {
    s.owner.store(to, std::memory_order_release);
    after_all_shards([this, &s, to](time_point) {
        auto it = held_.find(s.id);
        BROKER_ASSERT(it != held_.end());
        std::erase_if(desk_.waiters(), [&](const auto& w) { return w.who == &s; });
        auto value = std::move(it->second);
        held_.erase(it);
        s.held = nullptr;
        desk_.send(to, session_arrival{.which = &s, .value = std::move(value)});
    });
}

void shard_sessions::on(session_arrival m, time_point now) {
    slot& s = *m.which;
    auto& here = held_[s.id];
    here = std::move(m.value);
    here->arrived(desk_);
    s.held = here.get();
    s.holder.store(desk_.self(), std::memory_order_release);
    if (auto waiting = arriving_.extract(&s); !waiting.empty()) {
        for (auto& e : waiting.mapped()) here->enqueue(std::move(e), now);
    }
    auto requests = early_requests_.extract(&s);

    if (auto claim_node = claims_.extract(s.client_id); !claim_node.empty() && claim_node.mapped().who != nullptr) {
        const auto& pending = claim_node.mapped();
        if (pending.clean) end(*here, now);
        answer(claim_node.key(), pending, now);
    } else {
        schedule(*here);
    }
    if (!requests.empty()) {
        for (auto& r : requests.mapped()) on(std::move(r), now);
    }
}

void shard_sessions::on(session_gone m, time_point now) {
    auto node = claims_.extract(m.client_id);
    if (!node.empty() && node.mapped().who != nullptr) answer(node.key(), node.mapped(), now);
}

void shard_sessions::on(session_refused m, time_point now) {
    auto node = claims_.extract(m.client_id);
    if (node.empty() || node.mapped().who == nullptr) return;
    if (node.mapped().number != m.claim) return answer(node.key(), node.mapped(), now); // a later one has replaced it
    if (m.forbidden) return node.mapped().who->evict({.cause = close_cause::forbidden}, now);
    node.mapped().who->evict({.cause = close_cause::taken_over, .detail = "the same client id connected again"}, now);
}

// The claim is made again, now that nothing stands in its way; it may still find a newer owner.
void shard_sessions::answer(const std::string& client_id, const pending_claim& pending, time_point now) {
    const auto again = claim(client_id, pending.clean, pending.with, pending.number, now);
    if (again.now != nullptr) {
        pending.who->on_session(*again.now, again.present, now);
    } else if (again.forbidden) {
        pending.who->evict({.cause = close_cause::forbidden}, now);
    } else if (again.refused) {
        pending.who->evict({.cause = close_cause::overload, .detail = "max_sessions reached"}, now);
    }
}

} // namespace broker
