#include "session/backlog.hpp"

#include "core/assert.hpp"
#include "storage/keys.hpp"
#include "storage/records.hpp"

#include <algorithm>

namespace broker {

void backlog::spill(message_id id, std::size_t bytes) {
    ++spilled_;
    spilled_bytes_ += bytes;
    stuck_ = false;
    if (loading_) {
        ++spilled_since_load_;
        since_load_from_ = std::min(since_load_from_, id);
    } else {
        spill_from_ = std::min(spill_from_, id);
    }
}

void backlog::push_back(entry e) {
    const auto size = e.message->footprint();
    const bool full = head_.size() >= memory_messages_max_ || bytes_ + size > memory_bytes_max_;
    if (e.stored && (spilled_ != 0 || (full && !head_.empty()))) return spill(e.message->id(), size);
    bytes_ += size;
    head_.push_back(std::move(e));
}

void backlog::push_front(entry e) {
    bytes_ += e.message->footprint();
    head_.push_front(std::move(e));
}

void backlog::put_back(entry e) {
    bytes_ += e.message->footprint();
    auto at = head_.begin();
    while (at != head_.end() && at->message->id() < e.message->id()) ++at;
    head_.insert(at, std::move(e));
}

message_id backlog::lowest() const {
    auto low = std::min(spilled_ != 0 || loading_ ? spill_from_ : message_id{~0ULL}, since_load_from_);
    for (const auto& e : head_) low = std::min(low, e.message->id());
    return low;
}

entry backlog::pop_front() {
    BROKER_DEBUG_ASSERT(!head_.empty());
    auto taken = std::move(head_.front());
    head_.pop_front();
    bytes_ -= taken.message->footprint();
    return taken;
}

void backlog::spill_all() {
    while (!head_.empty()) {
        const auto e = pop_front();
        if (e.stored) spill(e.message->id(), e.message->footprint());
    }
}

void backlog::forget_spilled(std::size_t bytes) {
    if (spilled_ > 1 || (spilled_ == 1 && counted_)) --spilled_;
    spilled_bytes_ -= spilled_ == 0 ? spilled_bytes_ : std::min(spilled_bytes_, bytes);
}

void backlog::assume_stored(message_id from) {
    spilled_ = std::max<std::size_t>(spilled_, 1);
    counted_ = false;
    spill_from_ = from;
}

void backlog::clear() { *this = backlog{memory_messages_max_, memory_bytes_max_}; }

storage::load_request backlog::start_load(session_id of, std::size_t messages_max) {
    loading_ = true;
    settled_since_load_ = std::make_unique<std::vector<message_id>>();
    spilled_since_load_ = 0;
    since_load_from_ = message_id{~0ULL};
    return {.of = of,
            .from = spill_from_,
            .messages_max = messages_max,
            .bytes_max = load_bytes_max,
            .number = ++load_number_};
}

// What was spilled since it was asked for is spilled like the rest.
void backlog::cancel_load() {
    loading_ = false;
    settled_since_load_.reset();
    spill_from_ = std::min(spill_from_, since_load_from_);
}

message_id id_of(const storage::loaded_rows& rows, std::size_t i) {
    const std::string_view key = rows.entries[i].first;
    if (rows.request.priority) {
        const auto parts = storage::decode_queue_entry_key(key);
        return parts ? parts->message : message_id{0};
    }
    const auto parts = storage::decode_entry_key(key);
    return parts ? parts->message : message_id{0};
}

std::optional<message_id> goes_on_at(const storage::loaded_rows& rows) {
    for (auto i = rows.entries.size(); i-- != 0;) {
        if (const auto id = id_of(rows, i); id != message_id{0}) return message_id{id.value() + 1};
    }
    return std::nullopt;
}

std::optional<entry> entry_of(const storage::loaded_rows& rows, std::size_t i) {
    const auto record = storage::decode_entry(rows.entries[i].second);
    if (!record) return std::nullopt;
    entry made{.level = record->level,
               .retain = record->retain,
               .stored = true,
               .shared_record = false, // the sweep after start-up erases shared records
               .redelivery_count = record->redelivery_count,
               .share = record->share.empty() ? group_ptr{} : shared_group::of(record->share),
               .elsewhere = record->redelivery_count != 0,
               .identifiers = record->identifiers};
    const auto id = id_of(rows, i);
    if (id == message_id{0}) return std::nullopt;
    if (rows.request.priority) {
        made.priority = *rows.request.priority;
        made.redelivery_count = rows.redelivery_counts[i];
        made.count_stored = made.redelivery_count != 0;
        made.elsewhere = false;
    }
    const bool is_shared = !rows.request.priority && rows.messages[i];
    auto body = storage::decode_message(is_shared ? std::string_view{*rows.messages[i]} : record->inline_message);
    if (!body) return std::nullopt;
    body->id = id;
    made.message = make_message(*body);
    return made;
}

} // namespace broker
