#include "session/queue.hpp"

#include "routing/desk.hpp"
#include "storage/keys.hpp"

#include <algorithm>

namespace broker {

using storage::column;

queue_slot& queue_table::add(std::string_view name, session_id id) {
    auto made = std::make_unique<queue_slot>();
    made->id = id;
    made->name = name;
    made->owner = static_cast<std::uint16_t>(std::hash<std::string_view>{}(name) % shards_);
    return *by_name_.insert_or_assign(std::string{name}, std::move(made)).first->second;
}

queue::queue(queue_slot& handle, shard_desk& desk)
    : slot_{&handle}, desk_{&desk},
      backlog_{desk.bounds().session_memory_messages_max, desk.bounds().session_memory_bytes_max} {}

void queue::arrive(entry e, time_point now) {
    backlog_.push_back(std::move(e));
    dispatch(now);
}

void queue::join(const consumer& c, time_point now) {
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
    // What it held goes to the others, oldest first: put back newest first, each in front.
    std::vector<message_id> of_it;
    for (const auto& [id, h] : unacknowledged_) {
        if (h.by == &who) of_it.push_back(id);
    }
    std::ranges::sort(of_it, std::greater{});
    for (const auto id : of_it) {
        auto node = unacknowledged_.extract(id);
        ++node.mapped().value.redelivery_count;
        put_back(std::move(node.mapped().value));
    }
    dispatch(now);
}

void queue::settled(message_id id, slot& who, queue_outcome how, time_point now) {
    const auto it = unacknowledged_.find(id);
    if (it == unacknowledged_.end() || it->second.by != &who) return; // it went to somebody else meanwhile
    auto e = std::move(it->second.value);
    unacknowledged_.erase(it);
    if (auto* const c = find(who)) --c->unacknowledged;
    switch (how) {
    case queue_outcome::accepted: finish(e); break; // the consumer's shard has erased the entry
    case queue_outcome::reject:
        erase_stored(e);
        finish(e);
        desk_->count().drop(drop_reason::no_subscriber);
        break;
    case queue_outcome::requeue:
        if (++e.redelivery_count > desk_->bounds().max_deliveries) {
            erase_stored(e);
            finish(e);
            desk_->count().drop(drop_reason::no_subscriber);
        } else {
            put_back(std::move(e));
        }
        break;
    case queue_outcome::returned: put_back(std::move(e)); break;
    }
    dispatch(now);
}

void queue::loaded(const storage::loaded_rows& rows, time_point now) {
    const auto damaged = backlog_.finish_load(rows, [this](message_id id) {
        return unacknowledged_.contains(id) ||
               std::ranges::any_of(backlog_.head(), [id](const entry& e) { return e.message->id() == id; });
    });
    desk_->count().drop(drop_reason::storage, damaged);
    dispatch(now);
}

void queue::dispatch(time_point now) {
    while (backlog_.head_ready()) {
        if (backlog_.front().message->expired(now)) {
            const auto e = backlog_.pop_front();
            erase_stored(e);
            finish(e);
            desk_->count().drop(drop_reason::expired);
            continue;
        }
        auto* const c = next_consumer();
        if (c == nullptr) return;
        auto e = backlog_.pop_front();
        e.from = slot_;
        auto out = e;
        out.level = std::min(c->maximum_qos, qos::at_least_once);
        out.retain = false;
        out.identifiers.clear();
        if (c->identifier != 0) out.identifiers.push_back(c->identifier);
        ++c->unacknowledged;
        const auto id = e.message->id();
        unacknowledged_.insert_or_assign(id, held{std::move(e), c->who});
        desk_->send(c->who->holder.load(std::memory_order_acquire), queue_delivery{.to = c->who, .joined = c->joined, .value = std::move(out)});
    }
    if (backlog_.wants_load() && next_consumer() != nullptr) desk_->load(backlog_.start_load(slot_->id));
}

queue::consumer* queue::next_consumer() {
    for (std::size_t i = 0; i != consumers_.size(); ++i) {
        auto& c = consumers_[(turn_ + i) % consumers_.size()];
        if (c.unacknowledged >= c.credit_max) continue;
        turn_ = (turn_ + i + 1) % consumers_.size();
        return &c;
    }
    return nullptr;
}

queue::consumer* queue::find(const slot& who) {
    const auto it = std::ranges::find(consumers_, &who, &consumer::who);
    return it == consumers_.end() ? nullptr : &*it;
}

void queue::put_back(entry e) {
    e.from = nullptr;
    backlog_.push_front(std::move(e));
}

void queue::finish(const entry& e) {
    backlog_.settled(e.message->id());
    // Counts are a lower bound after a restart: never below zero.
    const auto lower = [](std::atomic<std::size_t>& of, std::size_t by) {
        auto value = of.load(std::memory_order_relaxed);
        while (!of.compare_exchange_weak(value, value > by ? value - by : 0, std::memory_order_relaxed)) {}
    };
    lower(slot_->messages, 1);
    lower(slot_->bytes, e.message->footprint());
}

void queue::erase_stored(const entry& e) {
    desk_->open().erase(column::entries, storage::entry_key(slot_->id, e.message->id()));
    desk_->require(true);
}

} // namespace broker
