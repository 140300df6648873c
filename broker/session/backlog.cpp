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
    spilled_ -= std::min<std::size_t>(spilled_, 1);
    spilled_bytes_ -= std::min(spilled_bytes_, bytes);
}

void backlog::assume_stored() {
    spilled_ = std::max<std::size_t>(spilled_, 1);
    spill_from_ = message_id{0};
}

void backlog::clear() { *this = backlog{memory_messages_max_, memory_bytes_max_}; }

storage::load_request backlog::start_load(session_id of, std::size_t messages_max) {
    loading_ = true;
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
    settled_since_load_.clear();
    spill_from_ = std::min(spill_from_, since_load_from_);
}

std::optional<message_id> backlog::goes_on_at(const storage::loaded_rows& rows) {
    for (auto row = rows.entries.rbegin(); row != rows.entries.rend(); ++row) {
        if (const auto key = storage::decode_entry_key(row->first)) return message_id{key->message.value() + 1};
    }
    return std::nullopt;
}

std::optional<entry> backlog::decode(const std::pair<std::string, std::string>& row,
                                     const std::optional<std::string>& shared) {
    const auto key = storage::decode_entry_key(row.first);
    const auto record = storage::decode_entry(row.second);
    if (!key || !record) return std::nullopt;
    const auto body = shared ? storage::decode_message(*shared) : storage::decode_message(record->inline_message);
    if (!body) return std::nullopt;
    auto fields = *body;
    fields.id = key->message;
    return entry{.message = make_message(fields),
                 .level = record->level,
                 .retain = record->retain,
                 .stored = true,
                 .shared_record = false, // the sweep after start-up erases shared records
                 .redelivery_count = record->redelivery_count,
                 .share = record->share.empty() ? group_ptr{} : shared_group::of(record->share),
                 .elsewhere = record->redelivery_count != 0,
                 .identifiers = record->identifiers};
}

} // namespace broker
