#include "routing/shard_router.hpp"

#include "core/assert.hpp"
#include "session/entry_record.hpp"
#include "storage/keys.hpp"
#include "storage/records.hpp"

#include <algorithm>

namespace broker {

using storage::column;

shard_router::shard_router(shard_desk& desk, topic_trie& trie, retained& kept, server_topics& own,
                           const temporary_names& names, shard_sessions& sessions, queue_router& queues)
    : desk_{desk}, trie_{trie}, retained_{kept}, own_{own}, names_{names}, sessions_{sessions}, queues_{queues},
      per_shard_(desk.shards()) {}

// --- publish ---

routed shard_router::publish(message_ptr m, time_point now) {
    // QoS 0 is not answered, so nothing is promised by going on.
    return route(m, {.refuse_stored = desk_.store_failed(), .nobody_to_tell = m->level() == qos::at_most_once}, now);
}

void shard_router::publish_will(const message_ptr& m, time_point now) { (void)route(m, {.nobody_to_tell = true}, now); }

routed shard_router::route(const message_ptr& m, admission how, time_point now) {
    m->assign_id(message_id{desk_.next_id()});
    if (const auto name = queue_name(m->topic())) {
        const auto place = how.refuse_stored ? queue_router::place{.refused = store_refusal()} : queues_.reserve(*m, *name);
        if (place.refused == refusal::none) return queues_.put(m, place, now);
        return refused(place.refused);
    }
    return publish_to_topic(m, how, now);
}

routed shard_router::refused(refusal why) {
    desk_.count().drop(why == refusal::quota_exceeded ? drop_reason::queue_full : drop_reason::storage);
    return {.refused = why};
}

routed shard_router::publish_to_topic(const message_ptr& m, admission how, time_point now) {
    matched_.clear();
    trie_.match(shard_index{desk_.self()}, m->topic(), matched_);
    const auto stored = choose_receivers(*m); // every matching session gets it [MQTT-4.5.0-1]
    // [MQTT-3.3.1-8]; QoS 0 goes on though the store takes nothing, and what is retained stays what it is on disk.
    const bool kept = is_kept(*m) && !(how.refuse_stored && how.nobody_to_tell);
    if (how.refuse_stored && (stored.any || kept)) return refused(store_refusal());
    if (kept) {
        const auto why = keep(m, how.room_is_sure);
        if (why != refusal::none && !how.nobody_to_tell) return refused(why);
        if (why != refusal::none) forget_retained(m->topic());
    }
    if (stored.any) put_entries(m, stored.together);
    hand_out(m, stored.together, now);
    routed done{.matched = !targets_.empty() || !shared_targets_.empty()};
    if (stored.any || kept) {
        desk_.require(m->persistent());
        done.durable_at = desk_.open_ticket();
    }
    if (!done.matched) desk_.count().drop(drop_reason::no_subscriber);
    return done;
}

void shard_router::announce(message_ptr m, time_point now) {
    m->assign_id(message_id{desk_.next_id()});
    if (m->retain()) own_.set(m);
    matched_.clear();
    trie_.match(shard_index{desk_.self()}, m->topic(), matched_);
    auto stored = choose_receivers(*m); // of QoS 0 only for receivers that acknowledge all
    if (stored.any && desk_.store_failed()) {
        std::erase_if(targets_, [](const target& t) { return t.stored; });
        std::erase_if(shared_targets_, [](const shared_target& s) { return s.who.stored; });
        stored = {};
    }
    if (stored.any) {
        put_entries(m, stored.together);
        desk_.require(false);
    }
    hand_out(m, stored.together, now);
}

// targets_ and shared_targets_ get the message: those of this shard at once, those of each other shard with one mail.
void shard_router::hand_out(const message_ptr& m, std::size_t together, time_point now) {
    const bool shared_record = together > 1;
    for (const auto& t : targets_) give(m, t, nullptr, shared_record, now);
    for (const auto& s : shared_targets_) {
        if (!s.copy) give(m, s.who, s.of, shared_record, now);
    }
    for (std::size_t to = 0; to != per_shard_.size(); ++to) {
        if (per_shard_[to].to.empty()) continue;
        per_shard_[to].message = m;
        desk_.send(static_cast<std::uint16_t>(to), std::exchange(per_shard_[to], {}));
    }
    for (const auto& s : shared_targets_) {
        if (s.copy) desk_.send(s.who.shard, entry_mail{.to = s.who.to, .value = entry_for(s.copy, s.who, s.of, false)});
    }
}

entry shard_router::entry_for(const message_ptr& m, const target& t, const group_ptr& of, bool shared_record) const {
    entry e{.message = m,
            .level = t.level,
            .retain = t.options.retain_as_published && m->retain(), // [MQTT-3.3.1-12, MQTT-3.3.1-13, MQTT3-3.3.1-9]
            .stored = t.stored,
            .shared_record = t.stored && shared_record,
            .share = of};
    if (t.identifiers != 0) {
        const auto first = identifiers_.begin() + t.identifiers_at;
        e.identifiers.assign(first, first + t.identifiers);
    }
    return e;
}

void shard_router::give(const message_ptr& m, const target& t, const group_ptr& of, bool shared_record, time_point now) {
    if (t.shard == desk_.self()) return sessions_.deliver_to(*t.to, entry_for(m, t, of, shared_record), now);
    auto& batch = per_shard_[t.shard];
    batch.to.push_back({.to = t.to,
                        .level = t.level,
                        .retain = t.options.retain_as_published && m->retain(),
                        .stored = t.stored,
                        .shared_record = t.stored && shared_record,
                        .of_share = static_cast<bool>(of),
                        .identifiers = t.identifiers});
    if (of) batch.shares.push_back(of);
    for (std::size_t i = 0; i != t.identifiers; ++i) batch.identifiers.push_back(identifiers_[t.identifiers_at + i]);
}

// Fills targets_ and shared_targets_.
shard_router::stored_receivers shard_router::choose_receivers(const message& m) {
    targets_.clear();
    shared_targets_.clear();
    identifiers_.clear();
    stored_receivers stored;
    if (matched_.nodes > 1 && matched_.found.size() > 1) merge_overlapping();
    for (const auto& f : matched_.found) {
        if (f.options.no_local && f.to->id == m.publisher()) { // [MQTT-3.8.3-3]
            desk_.count().drop(drop_reason::no_local);
            continue;
        }
        // Entries merged for one slot follow each other, the strongest first; its options rule.
        if (!targets_.empty() && targets_.back().to == f.to) {
            auto& same = targets_.back();
            same.options.retain_as_published |= f.options.retain_as_published;
            if (f.options.identifier != 0) {
                if (same.identifiers == 0) same.identifiers_at = static_cast<std::uint32_t>(identifiers_.size());
                identifiers_.push_back(f.options.identifier);
                ++same.identifiers;
            }
            continue;
        }
        targets_.push_back(target_of(*f.to, f.options, m));
        if (targets_.back().stored) ++stored.together;
    }
    stored.any = stored.together != 0;
    for (const auto& f : matched_.shared) choose_member(f, m, stored);
    return stored;
}

shard_router::target shard_router::target_of(slot& to, const subscription_options& options, const message& m) {
    target t{.to = &to, .options = options};
    if (options.identifier != 0) {
        t.identifiers_at = static_cast<std::uint32_t>(identifiers_.size());
        t.identifiers = 1;
        identifiers_.push_back(options.identifier);
    }
    t.level = options.level_for(m.level()); // the lower of both [MQTT-3.8.4-8], of this member [MQTT-4.8.2-3]
    t.stored = t.level != qos::at_most_once && to.durable.load(std::memory_order_relaxed);
    t.shard = to.owner.load(std::memory_order_acquire);
    return t;
}

// A member that gets the message by another way as well gets this one as a copy with an id of its own: entries are keyed
// by it, and only this one may go to other members later. Each copy has the identifiers of its own filters [MQTT-3.3.4-5].
void shard_router::choose_member(const share_match& f, const message& m, stored_receivers& stored) {
    shared_target s{.who = target_of(*f.to, f.options, m), .of = f.of};
    const auto same = [&f](const target& t) { return t.to == f.to; };
    const bool twice =
        (f.to->plain_filters.load(std::memory_order_relaxed) != 0 && std::ranges::any_of(targets_, same)) ||
        std::ranges::any_of(shared_targets_, same, &shared_target::who);
    if (twice && s.who.level != qos::at_most_once) {
        s.copy = own_copy(desk_, m);
    }
    if (s.who.stored) stored.any = true;
    if (s.who.stored && !s.copy) ++stored.together;
    shared_targets_.push_back(std::move(s));
}

// One copy per session however many of its filters match: at the highest QoS, with all identifiers [MQTT-3.3.4-2, MQTT-3.3.4-4].
void shard_router::merge_overlapping() {
    std::ranges::sort(matched_.found, [](const trie_match& a, const trie_match& b) {
        if (a.to != b.to) return a.to->id < b.to->id; // not by address: a run can be repeated
        return a.options.maximum_qos > b.options.maximum_qos;
    });
}

void shard_router::put_entries(const message_ptr& m, std::size_t together) {
    const auto& body = m->fields();
    if (together > 1) {
        record_.clear();
        storage::encode_message(body, record_);
        desk_.open().put_new(column::messages, storage::message_key(m->id()), record_);
        m->set_stored_entries(static_cast<std::uint32_t>(together));
    }
    const auto* const inside = together > 1 ? nullptr : &body;
    for (const auto& t : targets_) {
        if (t.stored) put_entry(*m, t, nullptr, inside);
    }
    for (const auto& s : shared_targets_) {
        if (!s.who.stored) continue;
        const auto copied = s.copy ? s.copy->fields() : message_fields{};
        put_entry(s.copy ? *s.copy : *m, s.who, s.of.get(), s.copy ? &copied : inside);
    }
}

void shard_router::put_entry(const message& m, const target& t, const shared_group* of, const message_fields* inside) {
    record_.clear();
    const auto ids = std::span{identifiers_}.subspan(t.identifiers_at, t.identifiers);
    storage::encode_entry({.level = t.level,
                           .retain = t.options.retain_as_published && m.retain(),
                           .identifiers = {ids.begin(), ids.end()},
                           .share = of == nullptr ? std::string_view{} : std::string_view{of->filter()}},
                          inside, record_);
    desk_.open().put_new(column::entries, storage::entry_key(t.to->id, m.id()), record_);
}

// Only the owner's session would see what is retained for a temporary queue, and it never asks.
bool shard_router::is_kept(const message& m) { return m.retain() && !is_temporary(m.topic()); }

// Which one may do to a message of QoS 0 at any time; the one before it is out of date (§3.3.1.3, MQTT3-3.3.1-7).
void shard_router::forget_retained(std::string_view topic) {
    if (retained_.erase(topic)) desk_.retained_changed(topic);
}

// A retained message belongs to its topic, not to the session of its publisher [MQTT3-3.1.2-7]; one of QoS 0 replaces like
// any other [MQTT3-3.3.1-7].
refusal shard_router::keep(const message_ptr& m, bool room_is_sure) {
    if (m->payload().empty()) { // removes [MQTT-3.3.1-6] and is not stored [MQTT-3.3.1-7]
        // Written though nothing is there any more: another shard that removed it may not have written that yet.
        (void)retained_.erase(m->topic());
        desk_.retained_changed(m->topic());
        return refusal::none;
    }
    switch (retained_.set(m, room_is_sure)) { // [MQTT-3.3.1-5]
    case retained::outcome::stored:
    case retained::outcome::replaced: break;
    case retained::outcome::refused_count:
        desk_.count().refuse(limit_kind::retained_messages);
        return refusal::quota_exceeded;
    case retained::outcome::refused_bytes:
        desk_.count().refuse(limit_kind::retained_bytes);
        return refusal::quota_exceeded;
    }
    desk_.retained_changed(m->topic());
    if (m->expires_at() != never) expire_later(*m);
    return refusal::none;
}

// --- retained messages that expire ---

void shard_router::expire_later(const message& m) {
    expiring_.emplace(m.expires_at(), m.topic());
    // A topic that is set again and again leaves a deadline each time: those that mean nothing any more go.
    if (expiring_.size() < 1024 || expiring_.size() < 2 * retained_.count()) return;
    std::erase_if(expiring_, [this](const auto& e) {
        const auto known = retained_.get(e.second, time_point{});
        return !known || known->expires_at() != e.first;
    });
}

void shard_router::on_deadline(time_point now) {
    while (!expiring_.empty() && expiring_.begin()->first <= now) {
        const auto topic = std::move(expiring_.extract(expiring_.begin()).value().second);
        if (!retained_.expire(topic, now)) continue; // replaced or deleted meanwhile
        desk_.retained_changed(topic);
        desk_.require(false);
        desk_.count().drop(drop_reason::expired);
    }
}

// --- units ---

unit_outcome shard_router::publish_all(std::span<const unit_step> steps, time_point now) {
    if (desk_.store_failed()) return {.refused = store_refusal()};
    if (const auto at = first_unanswerable(steps); at != steps.size()) return {.refused = refusal::not_waiting, .at = at};
    std::size_t kept = 0;
    std::size_t kept_bytes = 0;
    std::vector<queue_router::place> places(steps.size());
    for (std::size_t i = 0; i != steps.size(); ++i) {
        if (!steps[i].message) continue;
        const auto& m = *steps[i].message;
        auto refused = refusal::none;
        if (const auto name = queue_name(m.topic())) {
            places[i] = queues_.reserve(m, *name);
            refused = places[i].refused;
        } else if (is_kept(m) && !m.payload().empty()) {
            kept_bytes += m.footprint();
            if (!retained_.has_room(++kept, kept_bytes)) {
                const bool many = !retained_.has_room(kept, 0);
                desk_.count().refuse(many ? limit_kind::retained_messages : limit_kind::retained_bytes);
                refused = refusal::quota_exceeded;
            }
        }
        if (refused == refusal::none) continue;
        for (const auto& p : places) {
            if (p.in != nullptr && p.refused == refusal::none) queues_.give_back(p);
        }
        return {.refused = refused, .at = i};
    }
    unit_outcome done;
    desk_.in_unit(true);
    for (std::size_t i = 0; i != steps.size(); ++i) {
        const auto& s = steps[i];
        if (!s.message) {
            done.durable_at = std::max(done.durable_at, s.of->settle(s.handle, s.how, now).value_or(ticket{}));
            continue;
        }
        s.message->assign_id(message_id{desk_.next_id()});
        const auto one = places[i].in != nullptr ? queues_.put(s.message, places[i], now)
                                                 : publish_to_topic(s.message, {.room_is_sure = true}, now);
        done.durable_at = std::max(done.durable_at, one.durable_at);
    }
    desk_.in_unit(false);
    return done;
}

// The first answer nobody waits for, or that comes twice; steps.size() when there is none.
std::size_t shard_router::first_unanswerable(std::span<const unit_step> steps) {
    std::vector<std::pair<const session*, std::uint16_t>> answered;
    for (const auto& s : steps) {
        if (!s.message) answered.emplace_back(s.of, s.handle);
    }
    std::ranges::sort(answered);
    const auto twice = std::ranges::adjacent_find(answered);
    for (std::size_t i = 0; i != steps.size(); ++i) {
        if (steps[i].message) continue;
        if (!steps[i].of->outstanding_level(steps[i].handle)) return i;
        if (twice != answered.end() && *twice == std::pair<const session*, std::uint16_t>{steps[i].of, steps[i].handle}) return i;
    }
    return steps.size();
}

// --- subscriptions ---

// Shards that subscribe at once may pass the bound on all by one each.
bool shard_router::room_for_subscription(const session& s) {
    const auto& bounds = desk_.bounds();
    if (s.subscriptions_.size() >= bounds.max_subscriptions_per_client) {
        desk_.count().refuse(limit_kind::subscriptions_per_client);
        return false;
    }
    if (trie_.subscriptions() + trie_.shared_subscriptions() >= bounds.max_subscriptions) {
        desk_.count().refuse(limit_kind::subscriptions);
        return false;
    }
    return true;
}

router::temporary shard_router::open_temporary(session& s, std::string_view name, const subscription_options& options,
                                               time_point) {
    BROKER_ASSERT(!s.durable());
    temporary made{.topic = names_.topic(s.id(), name)};
    const auto filter = topic_filter::parse(made.topic, desk_.bounds());
    if (!filter || name.empty() || filter->has_wildcard()) return {.refused = refusal::not_permitted};
    const auto known = s.subscriptions_.find(made.topic);
    if (known == s.subscriptions_.end() && !room_for_subscription(s)) return {.refused = refusal::quota_exceeded};
    (void)trie_.insert(*filter, *s.slot_, options);
    s.subscriptions_.insert_or_assign(made.topic, options);
    return made;
}

router::subscribed shard_router::subscribe(session& s, const topic_filter& filter, const subscription_options& options,
                                           time_point) {
    const auto known = s.subscriptions_.find(filter.text());
    const bool existed = known != s.subscriptions_.end();
    if (!existed && !room_for_subscription(s)) return {.refused = refusal::quota_exceeded};
    if (s.durable() && desk_.store_failed()) return {.refused = store_refusal()};
    if (level_walk{filter.pattern()}.level() == "$temp" && !existed) return {.refused = refusal::not_permitted};
    if (filter.what() == topic_filter::kind::queue) {
        auto* const q = queues_.find_or_create(filter.queue());
        if (q == nullptr) return {.refused = refusal::quota_exceeded};
        s.has_queues_ = true;
        desk_.send(q->owner, queue_join{.queue = q, .who = s.consumer_of(*q, options)});
    } else {
        (void)trie_.insert(filter, *s.slot_, options);
        if (filter.is_shared() && !existed) s.join_group();
    }
    if (existed) { // nothing on its way is lost [MQTT-3.8.4-3, MQTT-3.8.4-4, MQTT3-3.8.4-3]
        known->second = options;
    } else {
        s.subscriptions_.emplace(filter.text(), options);
    }
    subscribed done{.existed = existed};
    if (s.durable()) {
        record_.clear();
        storage::encode_subscription({.options = options}, record_);
        desk_.open().put(column::subscriptions, storage::subscription_key(s.id(), filter.text()), record_);
        desk_.require(true);
        done.durable_at = desk_.open_ticket();
    }
    return done;
}

router::unsubscribed shard_router::unsubscribe(session& s, const topic_filter& filter, time_point) {
    // The same text, character by character [MQTT-3.10.4-1]; from here on nothing matches it any more [MQTT-3.10.4-2].
    if (s.subscriptions_.erase(filter.text()) == 0) return {};
    s.forget_retained(filter.text());
    if (filter.what() == topic_filter::kind::queue) {
        auto* const q = queues_.find(filter.queue());
        if (q != nullptr) {
            s.release_from(*q);
            desk_.send(q->owner, queue_leave{.queue = q, .who = s.slot_});
        }
    } else {
        (void)trie_.erase(filter, *s.slot_);
        if (filter.is_shared()) s.leave_group();
    }
    unsubscribed done{.existed = true};
    if (s.durable()) {
        desk_.open().erase(column::subscriptions, storage::subscription_key(s.id(), filter.text()));
        desk_.require(true);
        done.durable_at = desk_.open_ticket();
    }
    return done;
}

void shard_router::send_retained(session& s, const topic_filter& filter, const subscription_options& options,
                                 time_point now) {
    std::vector<message_ptr> found;
    own_.match(filter.pattern(), found);
    for (auto& m : found) {
        entry e{.message = std::move(m), .retain = true}; // [MQTT3-3.3.1-8]
        e.level = options.level_for(e.message->level());
        if (options.identifier != 0) e.identifiers.push_back(options.identifier);
        s.enqueue(std::move(e), now);
    }
    s.walk_retained(filter, options, now);
}

} // namespace broker
