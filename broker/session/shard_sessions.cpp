#include "session/shard_sessions.hpp"

#include "core/assert.hpp"
#include "routing/queue_router.hpp"
#include "session/entry_record.hpp"
#include "session/sharing.hpp"
#include "storage/keys.hpp"
#include "storage/records.hpp"

#include <algorithm>
#include <utility>

namespace broker {

using storage::column;

shard_sessions::shard_sessions(shard_desk& desk, session_table& table, topic_trie& trie, queue_table& queues,
                               std::function<void(message_ptr, time_point)> publish_will)
    : desk_{desk}, table_{table}, trie_{trie}, queues_{queues}, publish_will_{std::move(publish_will)} {}

shard_sessions::~shard_sessions() = default;

// --- claims ---

// The client identifier names the session [MQTT-3.1.3-2]; without one there is a new one [MQTT-3.1.2-6].
sessions::claimed shard_sessions::claim(std::string_view client_id, bool clean, attachment with, time_point now) {
    return claim(client_id, clean, std::move(with), 0, now);
}

sessions::claimed shard_sessions::claim(std::string_view client_id, bool clean, attachment with, std::uint64_t number,
                                        time_point now) {
    const auto mine = desk_.self();
    for (;;) {
        const auto found = table_.find_or_create(client_id, mine, [this] { return session_id{desk_.next_id()}; });
        if (found.value == nullptr && !found.ending) {
            desk_.count().refuse(limit_kind::sessions);
            return {.refused = true};
        }
        if (number == 0) number = found.claim;
        if (found.ending) {
            (void)wait_here(client_id, {.who = with.who, .with = with, .clean = clean, .number = number}, now);
            return {};
        }
        slot& s = *found.value;
        if (found.created) {
            give_way(client_id, now); // an earlier one that still waits for the word that this one did not need
            auto& made = create(s);
            made.claim_ = number;
            attach(made, with, now);
            return {.now = &made, .present = false};
        }
        if (s.owner.load(std::memory_order_acquire) == mine && s.holder.load(std::memory_order_acquire) == mine) {
            auto& known = *s.held;
            if (!known.belongs_to(with.user)) return {.forbidden = true};
            take_over(known, clean, now);
            if (s.held == nullptr) continue; // ended: the client id is free again
            known.claim_ = number;
            attach(known, with, now);
            return {.now = &known, .present = true};
        }
        // On another shard, or on its way here.
        const auto owner = s.owner.load(std::memory_order_acquire);
        const bool first = wait_here(client_id, {.who = with.who, .with = with, .clean = clean, .number = number}, now);
        if (first && owner != mine) {
            desk_.send(owner, session_request{
                                  .which = &s, .client_id = s.client_id, .user = with.user, .to = mine, .clean = clean, .claim = number});
        }
        return {};
    }
}

// A later claim on this shard replaces an earlier one. True: there was none.
bool shard_sessions::wait_here(std::string_view client_id, pending_claim pending, time_point now) {
    const bool first = !give_way(client_id, now);
    claims_.emplace(client_id, std::move(pending));
    return first;
}

bool shard_sessions::give_way(std::string_view client_id, time_point now) {
    const auto it = claims_.find(client_id);
    if (it == claims_.end()) return false;
    auto* const earlier = it->second.who;
    claims_.erase(it);
    if (earlier != nullptr) {
        earlier->evict({.cause = close_cause::taken_over, .detail = "the same client id connected again"}, now);
    }
    return true;
}

void shard_sessions::abandon(subscriber& who) {
    for (auto& [client_id, pending] : claims_) {
        if (pending.who == &who) pending.who = nullptr; // the session still comes; it stays here, offline
    }
}

session* shard_sessions::open_transient(std::string_view label, attachment with, time_point now) {
    auto* s = table_.create_unlisted(label, desk_.self(), session_id{desk_.next_id()});
    if (s == nullptr) {
        desk_.count().refuse(limit_kind::sessions);
        return nullptr;
    }
    auto& made = create(*s);
    with.expiry = seconds{0};
    with.expires = true;
    attach(made, with, now);
    return &made;
}

session& shard_sessions::create(slot& s) {
    auto& made = held_[s.id] = std::make_unique<session>(s, desk_);
    s.held = made.get();
    return *made;
}

void shard_sessions::attach(session& s, const attachment& with, time_point) {
    const bool was_durable = s.durable();
    s.attach(with);
    record_will(s); // [MQTT-3.1.2-7]
    s.set_expiry(with.expiry, with.expires);
    // A session that was stored stays so until it ends, though its new connection lets it end with it: what it is owed
    // is in the store.
    const bool durable = !with.expires || with.expiry.count() > 0 || was_durable;
    s.slot_->durable.store(durable, std::memory_order_relaxed);
    if (durable) {
        record(s, 0);
        // Subscriptions made while the session was not durable become so with it.
        if (!was_durable) {
            for (const auto& [filter, options] : s.subscriptions_) {
                std::string value;
                storage::encode_subscription({.options = options}, value);
                desk_.open().put(column::subscriptions, storage::subscription_key(s.id(), filter), value);
            }
        }
        desk_.require(true);
    }
    s.recorded_at_ = durable || s.will_ ? desk_.open_ticket() : ticket{}; // of what is in the batch by now
    join_queues(s);
}

// Another connection claims the session of this shard. The connection it has is ended [MQTT-3.1.4-3]; clean ends the session as well [MQTT-3.1.2-4, MQTT-3.1.4-4, MQTT-3.2.2-2],
// else it goes on [MQTT-3.1.2-5].
void shard_sessions::take_over(session& s, bool clean, time_point now) {
    const slot& handle = *s.slot_; // outlives the session until the end of the turn
    if (!s.online()) {
        meet_deadlines(s, now); // a client that comes back in the turn they pass does not undo them
    } else {
        auto* const old = s.subscriber_;
        leave(s, true, clean ? departure::clean_start : departure::taken_over, now);
        old->evict({.cause = close_cause::taken_over, .detail = "the same client id connected again"}, now);
    }
    if (handle.held != nullptr && clean) end(s, now); // else it lived only as long as its connection
}

void shard_sessions::detach(session& s, bool publish_will, time_point now) {
    leave(s, publish_will, departure::alone, now);
}

void shard_sessions::leave(session& s, bool publish_will, departure how, time_point now) {
    s.detach();
    leave_queues(s);
    const bool ends = s.expires_ && s.expiry_.count() == 0;
    if (how == departure::alone && !ends && !draining_ && s.pass_on_shares(takers::online)) pass_on_later(s);
    if (!ends) s.put_away();
    if (!ends && how == departure::alone) s.record_unacknowledged();
    if (publish_will) {
        publish_will_of(s, how != departure::clean_start, now);
    } else {
        s.set_will(std::nullopt); // [MQTT-3.14.4-3]
    }
    // From here the expiry counts, not while connected [MQTT-4.1.0-1]; until then the session is stored [MQTT-3.1.2-23].
    if (ends) {
        end(s, now);
        return;
    }
    s.slot_->durable.store(true, std::memory_order_relaxed);
    s.ends_at_ = s.expires_ ? now + s.expiry_ : never;
    record(s, std::max<std::int64_t>(epoch_ms(now), 1));
    schedule(s);
}

void shard_sessions::publish_will_of(session& s, bool may_wait, time_point now) {
    if (!s.will_) return; // [MQTT3-3.1.2-12]
    // The will waits for its delay or the session's end, whichever is first [MQTT-3.1.2-8, MQTT-3.1.3-9].
    auto delay = s.will_->delay;
    if (s.expires_) delay = std::min(delay, s.expiry_);
    if (may_wait && delay.count() > 0) {
        s.will_due_ = now + delay;
        record_will(s); // the delay counts while the server is down
        return;
    }
    const auto last_will = s.will_->message;
    s.set_will(std::nullopt); // [MQTT-3.1.2-10], in one batch with its publication
    s.will_due_ = never;
    publish_will(s.id(), *last_will, now);
}

void shard_sessions::publish_will(session_id of, const message& last_will, time_point now) {
    // Its lifetime begins when it is published (§3.1.3.2.4).
    auto fields = last_will.fields();
    if (fields.expires_at != never) fields.expires_at = now + (fields.expires_at - fields.received_at);
    fields.received_at = now;
    fields.publisher = of;
    publish_will_(make_message(fields), now);
}

// Its expiry has passed [MQTT-4.1.0-2], or a clean start ends it. What it held is for nobody else [MQTT-4.8.2-5].
ticket shard_sessions::end(session& s, time_point now) { return end(s, now, {}); }

ticket shard_sessions::end(session& s, time_point now, std::function<void(ticket)> gone) {
    slot& handle = *s.slot_;
    if (s.online()) {
        s.detach();
        leave_queues(s);
    }
    publish_will_of(s, false, now);
    for (const auto& [filter, options] : s.subscriptions_) {
        const auto parsed = topic_filter::parse(filter, desk_.bounds());
        if (parsed && parsed->what() != topic_filter::kind::queue) (void)trie_.erase(*parsed, handle);
    }
    (void)s.pass_on_shares(takers::any);
    const bool left_behind = s.durable() && (s.got_shares_ || s.may_hold_shares_);
    if (left_behind) {
        leave_behind(s, std::exchange(gone, nullptr));
    } else if (s.durable()) {
        erase_records(s.id());
    }
    const auto durable_at = s.durable() ? desk_.open_ticket() : ticket{};
    if (s.durable()) {
        table_.ending(handle);
        ends_.push_back({.at = durable_at, .of = s.id(), .client_id = handle.client_id});
    }
    table_.unlist(handle);
    handle.durable.store(false, std::memory_order_relaxed);
    handle.held = nullptr;
    std::erase_if(desk_.waiters(), [&](const auto& w) { return w.who == &handle; });
    s.count_owed(0, 0);
    const auto id = s.id();
    held_.erase(id);
    after_all_shards([this, &handle, id, left_behind, gone = std::move(gone)](time_point) {
        if (left_behind) read_left_behind(id, message_id{0}); // nothing is under way to it any more
        if (gone) gone(desk_.open_ticket());
        freeable_.push_back(&handle);
    });
    return durable_at;
}

// --- queues ---

void shard_sessions::leave_queues(session& s) {
    if (!s.has_queues_) return;
    for (const auto& [filter, options] : s.subscriptions_) {
        const auto name = queue_name(filter);
        if (!name) continue;
        auto* const q = queues_.find(*name);
        if (q == nullptr) continue;
        s.leave(*q);
        desk_.send(q->owner, queue_leave{.queue = q, .who = s.slot_});
    }
}

void shard_sessions::join_queues(session& s) {
    if (!s.has_queues_) return;
    for (const auto& [filter, options] : s.subscriptions_) {
        const auto name = queue_name(filter);
        if (!name) continue;
        join_queue(s, *name, options);
    }
}

// The queue may have been deleted while the session was away, or at the same time.
void shard_sessions::join_queue(session& s, std::string_view name, const subscription_options& options) {
    if (auto* const q = desk_.queues().find_or_create(name)) {
        desk_.send(q->owner, queue_join{.queue = q, .who = s.consumer_of(*q, options)});
    }
}

// --- deliveries ---

void shard_sessions::deliver(const topic_mail& m, time_point now) {
    std::size_t at = 0;
    std::size_t shares_at = 0;
    for (const auto& r : m.to) {
        entry e{.message = m.message,
                .level = r.level,
                .retain = r.retain,
                .stored = r.stored,
                .shared_record = r.shared_record};
        if (r.identifiers != 0) {
            const auto first = m.identifiers.begin() + static_cast<std::ptrdiff_t>(at);
            e.identifiers.assign(first, first + r.identifiers);
            at += r.identifiers;
        }
        if (r.of_share) e.share = m.shares[shares_at++];
        deliver_to(*r.to, std::move(e), now);
    }
}

void shard_sessions::deliver_to(slot& to, entry e, time_point now) {
    if (to.holder.load(std::memory_order_acquire) == desk_.self()) {
        // It ended, or lost its connection, while this was under way: another member of the group gets it.
        const bool gone = to.held == nullptr;
        if (e.share && (gone || !to.held->online()) && !e.message->expired(now) &&
            pass_on(desk_, e, to.id, &to, gone ? takers::any : takers::online)) {
            return;
        }
        if (gone) return erase_entry(desk_, e, to.id);
        return to.held->enqueue(std::move(e), now);
    }
    const auto owner = to.owner.load(std::memory_order_acquire);
    if (owner == desk_.self()) {
        arriving_[&to].push_back(std::move(e));
        return;
    }
    desk_.send(owner, entry_mail{.to = &to, .value = std::move(e)});
}

// Its subscription is a use of the name: it goes on with the new queue.
void shard_sessions::on(const queue_closed& m) {
    if (m.who->holder.load(std::memory_order_acquire) != desk_.self() || m.who->held == nullptr) return;
    auto& s = *m.who->held;
    s.release_from(*m.queue);
    const auto known = s.subscriptions_.find(std::string{queue_prefix} + m.queue->name);
    if (known != s.subscriptions_.end() && s.online()) join_queue(s, m.queue->name, known->second);
}

void shard_sessions::on(queue_delivery m, time_point now) {
    // A consumer leaves its queues before its session moves or ends, or another connection takes it over; what was on
    // its way then is taken back by the queue itself.
    if (m.to->holder.load(std::memory_order_acquire) != desk_.self() || m.to->held == nullptr) return;
    if (!m.to->held->is_joined(*m.value.from, m.joined)) return;
    m.to->held->take(std::move(m.value), now);
}

// Every answer goes to whoever asked and to nobody else: what a session had asked for before it ended is stale.
void shard_sessions::read(storage::load_request what, reader then) {
    what.cursor = ++last_token_;
    readers_.emplace(what.cursor, std::move(then));
    desk_.load(what);
}

void shard_sessions::on_loaded(storage::loaded_rows&& rows, time_point now) {
    if (rows.request.cursor != 0) {
        if (const auto asked = readers_.extract(rows.request.cursor); !asked.empty()) asked.mapped()(std::move(rows), now);
        return;
    }
    const auto it = held_.find(rows.request.of);
    if (it == held_.end()) return;
    if (rows.request.to_pass_on) return it->second->pass_on_rows(rows);
    // When everything in it has been announced (backlog.hpp). A session that has moved on meanwhile has given it up.
    after_all_shards([this, now, answer = std::make_shared<storage::loaded_rows>(std::move(rows))](time_point later) {
        if (const auto s = held_.find(answer->request.of); s != held_.end()) s->second->loaded(*answer, std::max(now, later));
    });
}

void shard_sessions::on_durable(ticket upto, time_point now) {
    std::erase_if(ends_, [&](session_end& e) {
        if (e.at > upto) return false;
        for (const auto waiting : table_.ended(e.client_id, e.of)) {
            desk_.send(waiting, session_gone{.client_id = e.client_id});
        }
        return true;
    });
    auto& waiters = desk_.waiters();
    std::vector<slot*> ready;
    std::erase_if(waiters, [&](const shard_desk::waiter& w) {
        if (w.at > upto) return false;
        ready.push_back(w.who);
        return true;
    });
    std::ranges::sort(ready, {}, [](const slot* s) { return s->id; }); // not by address: a run can be repeated
    ready.erase(std::ranges::unique(ready).begin(), ready.end());
    for (auto* const s : ready) {
        if (s->holder.load(std::memory_order_acquire) == desk_.self() && s->held != nullptr) {
            s->held->committed(upto, now);
        }
    }
}

// --- time ---

void shard_sessions::schedule(session& s) {
    const auto at = std::min(s.ends_at_, s.will_due_);
    if (!s.online() && at != never) deadlines_.emplace(at, s.id());
}

time_point shard_sessions::next_deadline() const {
    if (!to_read_.empty() || !lost_wills_.empty() || !desk_.walkers().empty()) return time_point{};
    return deadlines_.empty() ? never : deadlines_.top().first;
}

void shard_sessions::on_deadline(time_point now) {
    for (const auto id : std::exchange(to_read_, {})) read_left_behind(id, message_id{0});
    for (const auto& [id, last_will] : std::exchange(lost_wills_, {})) {
        desk_.open().erase(column::wills, storage::will_key(id));
        desk_.require(true);
        publish_will(id, *last_will, now);
    }
    for (auto* const s : std::exchange(desk_.walkers(), {})) {
        if (s->holder.load(std::memory_order_acquire) == desk_.self() && s->held != nullptr) s->held->go_on_walking(now);
    }
    while (!deadlines_.empty() && deadlines_.top().first <= now) {
        const auto id = deadlines_.top().second;
        deadlines_.pop();
        const auto it = held_.find(id);
        if (it == held_.end() || it->second->online()) continue;
        auto& s = *it->second;
        const slot& handle = *s.slot_;
        if (handle.owner.load(std::memory_order_acquire) != desk_.self()) continue; // its new owner sees to it
        meet_deadlines(s, now);
        if (handle.held != nullptr) schedule(s);
    }
}

void shard_sessions::meet_deadlines(session& s, time_point now) {
    if (s.ends_at_ <= now) {
        ++desk_.count().sessions_expired;
        end(s, now);
    } else if (s.will_due_ <= now) {
        publish_will_of(s, false, now);
    }
}

void shard_sessions::end_of_turn() {
    for (auto* const s : freeable_) table_.free(*s);
    freeable_.clear();
}

} // namespace broker
