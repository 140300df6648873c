#include "routing/queue_router.hpp"

#include "storage/keys.hpp"
#include "storage/records.hpp"

namespace broker {

using storage::column;

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

queue_router::place queue_router::reserve(const message& m, std::string_view name) {
    auto* const q = find_or_create(name);
    if (q == nullptr) return {.refused = refusal::quota_exceeded};
    const auto& bounds = desk_.bounds();
    const auto bytes = m.footprint();
    const bool full = q->messages.fetch_add(1, std::memory_order_relaxed) >= bounds.queue_messages_max;
    const bool fat = q->bytes.fetch_add(bytes, std::memory_order_relaxed) >= bounds.queue_bytes_max;
    const place taken{.in = q, .bytes = bytes};
    if (!full && !fat) return taken;
    give_back(taken);
    desk_.count().refuse(full ? limit_kind::queue_messages : limit_kind::queue_bytes);
    return {.refused = refusal::quota_exceeded};
}

void queue_router::give_back(const place& taken) {
    taken.in->messages.fetch_sub(1, std::memory_order_relaxed);
    taken.in->bytes.fetch_sub(taken.bytes, std::memory_order_relaxed);
}

routed queue_router::put(const message_ptr& m, const place& taken) {
    const auto body = m->fields();
    record_.clear();
    storage::encode_entry({.level = qos::at_least_once}, &body, record_);
    desk_.open().put(column::entries, storage::entry_key(taken.in->id, m->id()), record_);
    desk_.require(m->persistent());
    desk_.send(taken.in->owner, queue_arrival{.queue = taken.in,
                                              .value = {.message = m, .level = qos::at_least_once, .stored = true}});
    return {.durable_at = desk_.open_ticket(), .matched = true};
}

} // namespace broker
