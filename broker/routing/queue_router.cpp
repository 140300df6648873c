#include "routing/queue_router.hpp"

#include "core/properties.hpp"
#include "core/topic.hpp"
#include "storage/keys.hpp"
#include "storage/records.hpp"

#include <array>

namespace broker {

using storage::column;

namespace {

constexpr std::array<std::string_view, 4> reason_words{"rejected", "max_deliveries", "expired", "queue_full"};

std::int64_t bytes_of(const message& m) { return static_cast<std::int64_t>(m.footprint()); }

// The user property "priority": one digit. STOMP's header of that name is one.
std::uint8_t priority_of(const message& m) {
    property_reader properties{m.properties()};
    while (const auto p = properties.next()) {
        if (p->kind != property_kind::user_property || p->name != "priority") continue;
        const bool digit = p->value.size() == 1 && p->value[0] >= '0' && p->value[0] <= '9';
        return digit ? static_cast<std::uint8_t>(p->value[0] - '0') : default_priority;
    }
    return default_priority;
}

void append_user_property(std::string& to, std::string_view name, std::string_view value) {
    (void)append_property(to, {.kind = property_kind::user_property, .name = name, .value = value});
}

// The properties of a dead letter: the message's own without those of an earlier death.
std::string dead_letter_properties(const message& m, std::string_view reason, const queue_slot& from, std::uint32_t count) {
    std::string made;
    property_reader properties{m.properties()};
    while (const auto p = properties.next()) {
        if (p->kind != property_kind::user_property || !p->name.starts_with(dlq_prefix)) (void)append_property(made, *p);
    }
    append_user_property(made, dlq_reason, reason);
    append_user_property(made, dlq_original_destination, "/queue/" + from.name);
    append_user_property(made, dlq_redelivery_count, std::to_string(count));
    return made;
}

} // namespace

queue_slot* queue_router::find_or_create(std::string_view name) {
    const auto found = queues_.find_or_create(name, [this] { return session_id{desk_.next_id()}; });
    if (found.slot == nullptr) desk_.count().refuse(limit_kind::queues);
    // Each shard records it once, ahead of what it puts there: the batch of the shard that made it may be late, or lost.
    if (found.slot != nullptr && !found.slot->restored && recorded_.insert(found.slot->id).second) {
        record_.clear();
        storage::encode_queue({.name = std::string{name}}, record_);
        desk_.open().put(column::queues, storage::queue_key(found.slot->id), record_);
        desk_.require(true);
    }
    return found.slot;
}

// --- messages in ---

queue_router::place queue_router::reserve(const message& m, std::string_view name) {
    auto* const q = find_or_create(name);
    if (q == nullptr) return {.refused = refusal::quota_exceeded};
    const place taken{.in = q, .bytes = m.footprint()};
    // Counted first, looked at then: of two shards that want the last place one sees the other.
    const bool full = q->full();
    q->count(1, bytes_of(m));
    const bool too_many = q->messages.load(std::memory_order_relaxed) > q->messages_max.load(std::memory_order_relaxed);
    if (!full && !too_many) return taken;
    switch (q->policy.load(std::memory_order_relaxed)) {
    case overflow_policy::drop_oldest: return taken; // the queue's shard drops
    case overflow_policy::reject: break;
    case overflow_policy::dead_letter: {
        const auto target = queues_.dead_letter_of(*q, false);
        if (target.empty()) break;
        auto other = reserve(m, target);
        if (other.refused != refusal::none) break;
        give_back(taken);
        other.overflow_of = q;
        return other;
    }
    }
    give_back(taken);
    desk_.count().refuse(too_many ? limit_kind::queue_messages : limit_kind::queue_bytes);
    return {.refused = refusal::quota_exceeded};
}

void queue_router::give_back(const place& taken) { taken.in->count(-1, -static_cast<std::int64_t>(taken.bytes)); }

routed queue_router::put(const message_ptr& m, const place& taken, time_point now) {
    if (taken.overflow_of != nullptr) {
        taken.overflow_of->dead_lettered.fetch_add(1, std::memory_order_relaxed);
        ++desk_.count().dead_lettered;
        const auto letter =
            readdress(*m, taken.in->name, dead_letter_properties(*m, reason_words[3], *taken.overflow_of, 0), false, now);
        put_entry(*taken.in, letter, taken.bytes);
    } else {
        put_entry(*taken.in, m, taken.bytes);
    }
    desk_.require(m->persistent());
    return {.durable_at = desk_.open_ticket(), .matched = true};
}

// `counted`: the bytes it was counted with.
void queue_router::put_entry(queue_slot& to, const message_ptr& m, std::size_t counted) {
    to.count(0, bytes_of(*m) - static_cast<std::int64_t>(counted));
    const auto priority = to.by_priority.load(std::memory_order_relaxed) ? priority_of(*m) : default_priority;
    const auto body = m->fields();
    record_.clear();
    storage::encode_entry({.level = qos::at_least_once}, &body, record_);
    desk_.open().put_new(column::queue_entries, storage::queue_entry_key(to.id, priority, m->id()), record_);
    desk_.send(to.owner, queue_arrival{.queue = &to,
                                       .value = {.message = m, .level = qos::at_least_once, .stored = true, .priority = priority}});
}

// A copy with an id and an address of its own; its age counts from now.
message_ptr queue_router::readdress(const message& m, std::string_view to, std::string_view properties, bool expires,
                                    time_point now) {
    const auto topic = std::string{queue_prefix} + std::string{to};
    auto fields = m.fields();
    fields.id = message_id{desk_.next_id()};
    fields.topic = topic;
    fields.properties = as_bytes(properties);
    fields.received_at = now;
    if (!expires) fields.expires_at = never;
    return make_message(fields);
}

// --- messages out ---

void queue_router::erase(queue_slot& from, const entry& e, bool answered) {
    from.count(-1, -bytes_of(*e.message));
    desk_.erase(column::queue_entries, storage::queue_entry_key(from.id, e.priority, e.message->id()), answered);
    if (e.count_stored) {
        desk_.open().erase(column::queue_entries, storage::redelivery_key(from.id, e.priority, e.message->id()));
    }
    desk_.require(true);
}

void queue_router::give_up(queue_slot& from, const entry& e, dead_letter_reason why, time_point now) {
    const bool expired = why == dead_letter_reason::expired;
    if (expired) from.expired.fetch_add(1, std::memory_order_relaxed);
    erase(from, e);
    const auto dropped = [&] {
        from.dropped.fetch_add(1, std::memory_order_relaxed);
        desk_.count().drop(expired ? drop_reason::expired : drop_reason::rejected);
    };
    const auto target = queues_.dead_letter_of(from, expired);
    if (target.empty()) return dropped();
    const auto properties =
        dead_letter_properties(*e.message, reason_words[static_cast<std::size_t>(why)], from, e.redelivery_count);
    auto letter = readdress(*e.message, target, properties, false, now);
    const auto taken = reserve(*letter, target);
    if (taken.refused != refusal::none) return dropped();
    from.dead_lettered.fetch_add(1, std::memory_order_relaxed);
    ++desk_.count().dead_lettered;
    (void)put(letter, taken, now);
}

void queue_router::record_count(queue_slot& of, entry& e) {
    record_.clear();
    storage::encode_redelivery_count(e.redelivery_count, record_);
    desk_.open().put(column::queue_entries, storage::redelivery_key(of.id, e.priority, e.message->id()), record_);
    desk_.require(false);
    e.count_stored = true;
}

bool queue_router::move(queue_slot& from, const entry& e, std::string_view to, time_point now) {
    auto copy = readdress(*e.message, to, as_text(e.message->properties()), true, now);
    const auto taken = reserve(*copy, to);
    if (taken.refused != refusal::none) return false;
    erase(from, e);
    (void)put(copy, taken, now);
    return true;
}

// --- looking ---

namespace {

constexpr std::size_t page_messages_max = 64;
constexpr std::size_t page_bytes_max = 256 * 1024;

} // namespace

std::uint64_t queue_router::browse(std::string_view name, browser& by) {
    const auto* const q = queues_.find(name);
    if (q == nullptr) return 0;
    look c{.by = &by, .of = q->id, .below = message_id{desk_.next_id()}};
    for (std::size_t p = 0; p != c.from.size(); ++p) c.from[p] = message_id{q->first[p].load(std::memory_order_relaxed)};
    cursors_.emplace(++last_cursor_, c);
    next_page(last_cursor_);
    return last_cursor_;
}

void queue_router::next_page(std::uint64_t id) {
    const auto it = cursors_.find(id);
    if (it == cursors_.end()) return;
    const auto& c = it->second;
    desk_.load({.of = c.of,
                .priority = c.priority,
                .from = c.from[c.priority],
                .messages_max = page_messages_max,
                .bytes_max = page_bytes_max,
                .cursor = id});
}

void queue_router::on_loaded(const storage::loaded_rows& rows, time_point now) {
    const auto it = cursors_.find(rows.request.cursor);
    if (it == cursors_.end()) return;
    auto& c = it->second;
    std::vector<browsed> page;
    bool done_here = !rows.more || rows.entries.empty();
    for (std::size_t i = 0; i != rows.entries.size(); ++i) {
        const auto id = id_of(rows, i);
        if (id >= c.below) {
            done_here = true;
            break;
        }
        c.from[c.priority] = message_id{id.value() + 1};
        auto e = entry_of(rows, i);
        if (e && !e->message->expired(now)) page.push_back({.message = std::move(e->message), .redelivery_count = e->redelivery_count});
    }
    const bool end = done_here && c.priority == 0;
    if (done_here && !end) --c.priority;
    auto* const by = c.by;
    if (end) {
        cursors_.erase(it);
    } else if (page.empty()) {
        return next_page(rows.request.cursor);
    }
    by->on_page(page, end, now);
}

} // namespace broker
