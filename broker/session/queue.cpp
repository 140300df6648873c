#include "session/queue.hpp"

#include "routing/desk.hpp"
#include "routing/queue_router.hpp"
#include "storage/keys.hpp"

#include <algorithm>

namespace broker {

using storage::column;

queue::queue(queue_slot& handle, shard_desk& desk) : slot_{&handle}, desk_{&desk} {}

backlog& queue::waiting(std::uint8_t priority) {
    auto& l = at(priority);
    if (!l.waiting) {
        const auto& bounds = desk_->bounds();
        l.waiting = std::make_unique<backlog>(bounds.session_memory_messages_max, bounds.session_memory_bytes_max);
    }
    if (std::exchange(l.unknown, false)) l.waiting->assume_stored(first(priority));
    return *l.waiting;
}

void queue::restored(const storage::queue_state_record& state) {
    for (auto& l : levels_) l.unknown = true;
    for (const auto& m : state.marks) {
        set_first(m.priority, m.first);
        at(m.priority).delivered = m.delivered;
        at(m.priority).delivered_before = m.delivered;
    }
}

std::size_t queue::in_memory() const {
    std::size_t n = unacknowledged_.size();
    for (const auto& l : levels_) n += l.waiting ? l.waiting->head().size() : 0;
    return n;
}

// --- messages in ---

void queue::arrive(entry e, time_point now) {
    ++arrived_;
    if (closed_) return desk_->queues().erase(*slot_, e);
    auto& b = waiting(e.priority);
    b.try_again();
    b.push_back(std::move(e));
    dispatch(now);
    trim();
}

void queue::loaded(const storage::loaded_rows& rows, time_point now) {
    auto& l = at(*rows.request.priority);
    if (closed_ || !l.waiting) return;
    std::vector<message_id> here;
    for (const auto& e : l.waiting->head()) here.push_back(e.message->id());
    std::ranges::sort(here);
    const auto before = l.waiting->head().size();
    const auto damaged = l.waiting->finish_load(rows, [&](message_id id) {
        return unacknowledged_.contains(id) || std::ranges::binary_search(here, id);
    });
    desk_->count().drop(drop_reason::storage, damaged);
    for (std::size_t i = before; i != l.waiting->head().size(); ++i) {
        // Handed out before the restart, and nobody wrote down how that ended.
        auto& e = l.waiting->at(i);
        if (e.redelivery_count == 0 && e.message->id() <= l.delivered_before) e.redelivery_count = 1;
    }
    dispatch(now);
    trim();
    go_on_removing(now);
}

// Reads what dispatching will need soon; `whatever`: somebody needs the next messages though no consumer does.
void queue::load(bool whatever) {
    const auto has_credit = [](const consumer& c) { return c.unacknowledged < c.credit_max; };
    if (!whatever && std::ranges::none_of(consumers_, has_credit)) return;
    for (std::size_t p = priorities; p-- != 0;) {
        const auto priority = static_cast<std::uint8_t>(p);
        if (!may_hold(at(priority))) continue;
        auto& b = waiting(priority);
        if (!b.may_load() || b.stuck() || b.head().size() >= backlog::load_messages_max / 2) continue;
        auto request = b.start_load(slot_->id);
        request.priority = priority;
        desk_->load(request);
    }
}

// --- consumers ---

void queue::join(const consumer& c, time_point now) {
    if (closed_) return say_closed(*c.who);
    for (auto& l : levels_) {
        if (l.waiting) l.waiting->try_again();
    }
    if (auto* const known = find(*c.who)) {
        const auto held_now = known->unacknowledged;
        *known = c;
        known->unacknowledged = held_now;
    } else {
        consumers_.push_back(c);
    }
    dispatch(now);
}

void queue::leave(slot& who, time_point now) {
    std::erase_if(consumers_, [&](const consumer& c) { return c.who == &who; });
    std::vector<message_id> of_it;
    for (const auto& [id, h] : unacknowledged_) {
        if (h.by == &who) of_it.push_back(id);
    }
    std::ranges::sort(of_it, std::greater{}); // the oldest is put back last, in front
    for (const auto id : of_it) delivery_failed(unacknowledged_.extract(id).mapped().value, now);
    dispatch(now);
    trim();
}

void queue::settled(message_id id, slot& who, queue_outcome how, time_point now) {
    const auto it = unacknowledged_.find(id);
    if (it == unacknowledged_.end() || it->second.by != &who) return; // it went to somebody else meanwhile
    auto e = std::move(it->second.value);
    unacknowledged_.erase(it);
    if (auto* const c = find(who)) --c->unacknowledged;
    switch (how) {
    case queue_outcome::gone: left(e); break;
    case queue_outcome::requeue:
        e.not_to = &who;
        delivery_failed(std::move(e), now);
        break;
    case queue_outcome::returned: waiting(e.priority).put_back(std::move(e)); break;
    case queue_outcome::expired: expire(e, now); break;
    }
    dispatch(now);
    trim();
}

// The count goes to disk here and nowhere else: a delivery that is accepted costs nothing.
void queue::delivery_failed(entry e, time_point now) {
    ++e.redelivery_count;
    const auto most = slot_->max_deliveries.load(std::memory_order_relaxed);
    if (most != 0 && e.redelivery_count >= most) {
        left(e);
        return desk_->queues().give_up(*slot_, e, dead_letter_reason::max_deliveries, now);
    }
    desk_->queues().record_count(*slot_, e);
    waiting(e.priority).put_back(std::move(e));
}

void queue::dispatch(time_point now) {
    for (bool more = true; more;) {
        more = false;
        for (std::size_t p = priorities; p-- != 0 && !more;) {
            auto& l = levels_[p];
            if (!may_hold(l)) continue;
            if (!l.waiting || !l.waiting->head_ready()) {
                break; // what is less urgent waits until it is known whether there is something here
            }
            auto& front = l.waiting->front();
            if (expiry_of(front) <= now) {
                expire(l.waiting->pop_front(), now);
                more = true;
                break;
            }
            auto* const c = next_consumer(front.not_to);
            if (c == nullptr) break;
            hand_out(l.waiting->pop_front(), *c);
            more = true;
        }
    }
    load(false);
}

void queue::hand_out(entry e, consumer& c) {
    const auto id = e.message->id();
    auto& l = at(e.priority);
    if (id > l.delivered) {
        l.delivered = id;
        state_changed_ = true;
    }
    ++delivered_;
    if (e.redelivery_count != 0) ++redelivered_;
    e.from = nullptr;
    auto out = e;
    out.from = slot_;
    out.level = std::min(c.maximum_qos, qos::at_least_once);
    out.retain = false;
    out.identifiers.clear();
    if (c.identifier != 0) out.identifiers.push_back(c.identifier);
    ++c.unacknowledged;
    unacknowledged_.insert_or_assign(id, held{std::move(e), c.who});
    desk_->send(c.who->holder.load(std::memory_order_acquire), queue_delivery{.to = c.who, .joined = c.joined, .value = std::move(out)});
}

// Turn by turn among those with credit; `not_to` only when there is no other.
queue::consumer* queue::next_consumer(const void* not_to) {
    consumer* last_resort = nullptr;
    for (std::size_t i = 0; i != consumers_.size(); ++i) {
        const auto index = (turn_ + i) % consumers_.size();
        auto& c = consumers_[index];
        if (c.unacknowledged >= c.credit_max) continue;
        if (c.who == not_to) {
            last_resort = &c;
            continue;
        }
        turn_ = (index + 1) % consumers_.size();
        return &c;
    }
    return last_resort;
}

queue::consumer* queue::find(const slot& who) {
    const auto it = std::ranges::find(consumers_, &who, &consumer::who);
    return it == consumers_.end() ? nullptr : &*it;
}

// --- messages out ---

// It is in the store no more.
void queue::left(const entry& e) {
    ++settled_since_mark_;
    waiting(e.priority).settled(e.message->id());
}

time_point queue::expiry_of(const entry& e) const {
    const auto ttl_s = slot_->ttl_s.load(std::memory_order_relaxed);
    const auto own = e.message->expires_at();
    return ttl_s == 0 ? own : std::min(own, e.message->received_at() + seconds{ttl_s});
}

void queue::expire(const entry& e, time_point now) {
    left(e);
    desk_->queues().give_up(*slot_, e, dead_letter_reason::expired, now);
}

// Policy drop-oldest: admission let it in, the oldest of what is least urgent goes.
void queue::trim() {
    if (slot_->policy.load(std::memory_order_relaxed) != overflow_policy::drop_oldest) return;
    for (std::size_t p = 0; p != priorities && slot_->over();) {
        auto& l = levels_[p];
        if (l.waiting && l.waiting->head_ready()) {
            const auto e = l.waiting->pop_front();
            left(e);
            slot_->dropped.fetch_add(1, std::memory_order_relaxed);
            desk_->count().drop(drop_reason::queue_full);
            desk_->queues().erase(*slot_, e);
        } else if (may_hold(l)) {
            return load(true); // loaded() comes back here
        } else {
            ++p;
        }
    }
}

time_point queue::next_deadline() const {
    auto next = never;
    const bool ages = slot_->ttl_s.load(std::memory_order_relaxed) != 0;
    for (const auto& l : levels_) {
        if (l.waiting && l.waiting->head_ready()) {
            next = std::min(next, expiry_of(l.waiting->head().front()));
        } else if (ages && may_hold(l) && !(l.waiting && l.waiting->loading())) {
            next = time_point{}; // to see how old it is
        }
    }
    return closed_ ? never : next;
}

void queue::on_deadline(time_point now) {
    for (auto& l : levels_) {
        while (l.waiting && l.waiting->head_ready() && expiry_of(l.waiting->front()) <= now) expire(l.waiting->pop_front(), now);
    }
    if (slot_->ttl_s.load(std::memory_order_relaxed) != 0) load(true);
    dispatch(now);
}

// --- administration ---

void queue::remove(queue_removal what, time_point now) {
    removals_.push_back({.what = std::move(what), .below = message_id{desk_->next_id()}});
    if (removals_.size() == 1) go_on_removing(now);
}

void queue::go_on_removing(time_point now) {
    while (!removals_.empty()) {
        auto& r = removals_.front();
        for (std::size_t p = priorities; p-- != 0;) {
            const auto priority = static_cast<std::uint8_t>(p);
            while (may_hold(at(priority)) && !r.so_far.more && !r.so_far.refused) {
                auto& b = waiting(priority);
                if (r.so_far.removed == r.what.messages_max) {
                    r.so_far.more = true;
                    break;
                }
                if (!b.head_ready()) return load(true); // loaded() comes back here
                if (b.front().message->id() >= r.below) break;
                if (!r.what.to.empty() && !desk_->queues().move(*slot_, b.front(), r.what.to, now)) {
                    r.so_far.refused = true;
                } else {
                    const auto e = b.pop_front();
                    if (r.what.to.empty()) desk_->queues().erase(*slot_, e);
                    left(e);
                    ++r.so_far.removed;
                }
            }
        }
        r.so_far.durable_at = desk_->open_ticket();
        const auto done = std::move(r.what.done);
        const auto result = r.so_far;
        removals_.pop_front();
        done(result);
    }
}

void queue::close() {
    closed_ = true;
    for (const auto& c : consumers_) say_closed(*c.who);
    consumers_.clear();
    unacknowledged_.clear();
    for (auto& l : levels_) l = level{};
    for (auto& r : std::exchange(removals_, {})) r.what.done(r.so_far);
    erase_records();
}

void queue::say_closed(slot& consumer_of_it) {
    desk_->send(consumer_of_it.holder.load(std::memory_order_acquire), queue_closed{.queue = slot_, .who = &consumer_of_it});
}

void queue::erase_records() {
    auto& batch = desk_->open();
    batch.erase(column::queues, storage::queue_key(slot_->id));
    batch.erase(column::queues, storage::queue_state_key(slot_->id));
    batch.erase(column::queues, storage::queue_settings_key(slot_->id));
    batch.erase_prefix(column::queue_entries, storage::queue_prefix(slot_->id));
    desk_->require(true);
}

// --- marks ---

void queue::begin_mark() {
    marking_ = true;
    settled_since_mark_ = 0;
}

void queue::mark(message_id below) {
    marking_ = false;
    if (closed_) return;
    std::array<message_id, priorities> lowest;
    for (std::size_t p = 0; p != priorities; ++p) {
        const auto& l = levels_[p];
        lowest[p] = l.waiting && !l.unknown ? std::min(below, l.waiting->lowest()) : first(p);
    }
    for (const auto& [id, h] : unacknowledged_) {
        auto& low = lowest[h.value.priority];
        low = std::min(low, id);
    }
    for (std::size_t p = 0; p != priorities; ++p) set_first(p, lowest[p]);
    state_changed_ = true;
}

void queue::write_state(bool with_counts, storage::batch& to) {
    state_changed_ = false;
    storage::queue_state_record state;
    if (with_counts) {
        state.messages = static_cast<std::uint64_t>(std::max<std::int64_t>(slot_->messages.load(std::memory_order_relaxed), 0));
        state.bytes = static_cast<std::uint64_t>(std::max<std::int64_t>(slot_->bytes.load(std::memory_order_relaxed), 0));
    }
    for (std::size_t p = 0; p != priorities; ++p) {
        const auto& l = levels_[p];
        if (first(p) == message_id{} && l.delivered == message_id{}) continue;
        state.marks.push_back({.priority = static_cast<std::uint8_t>(p), .first = first(p), .delivered = l.delivered});
    }
    std::string value;
    storage::encode_queue_state(state, value);
    to.put(column::queues, storage::queue_state_key(slot_->id), value);
}

} // namespace broker
