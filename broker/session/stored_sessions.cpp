// What the store holds of sessions: written, erased, and read at start-up. Their entries are in entry_record.cpp.
#include "session/shard_sessions.hpp"
#include "storage/keys.hpp"
#include "storage/records.hpp"

#include <algorithm>

namespace broker {

using storage::column;

// Of every session, stored or not: a connection that dies with the server has a will as well [MQTT-3.1.2-8].
void shard_sessions::record_will(session& s) {
    if (!s.will_) return;
    std::string value;
    storage::encode_will({.message = s.will_->message->fields(),
                          .delay_s = static_cast<std::uint32_t>(s.will_->delay.count()),
                          .due_at_ms = s.will_due_ == never ? 0 : epoch_ms(s.will_due_ + milliseconds{1} - nanoseconds{1})},
                         value);
    desk_.open().put(column::wills, storage::will_key(s.id()), value);
    desk_.require(true);
    s.will_stored_ = true;
}

void shard_sessions::record(const session& s, std::int64_t disconnected_at_ms) {
    std::string value;
    storage::encode_session({.client_id = s.slot_->client_id,
                             .expiry_s = static_cast<std::uint64_t>(s.expiry_.count()),
                             .expires = s.expires_,
                             .disconnected_at_ms = disconnected_at_ms,
                             .sent_below = s.sent_before_restart_below_,
                             .user = s.user_},
                            value);
    desk_.open().put(column::sessions, storage::session_key(s.id()), value);
    desk_.require(true);
}

void shard_sessions::erase_records(session_id of) {
    auto& batch = desk_.open();
    batch.erase(column::sessions, storage::session_key(of));
    batch.erase(column::wills, storage::will_key(of));
    batch.erase_prefix(column::subscriptions, storage::session_prefix(of));
    batch.erase_prefix(column::entries, storage::session_prefix(of));
    batch.erase_prefix(column::inbound_qos2, storage::session_prefix(of));
    batch.erase_prefix(column::outbound_qos2, storage::session_prefix(of));
    desk_.require(true);
}

void shard_sessions::restore(const storage::recovered_session& from, time_point now) {
    if (from.session.client_id.empty()) { // leave_behind()
        auto& begun = left_behind_[from.id].begun;
        for (const auto& [message, record] : from.outbound_qos2) begun.push_back(message);
        return to_read_.push_back(from.id);
    }
    slot* handle = table_.restore(from.session.client_id, desk_.self(), from.id);
    // A second record for the client id: the newer id was restored first. This one's end was under way when the server died.
    const bool replaced = handle == nullptr;
    if (replaced) handle = table_.create_unlisted(from.session.client_id, desk_.self(), from.id);
    if (handle == nullptr) return erase_records(from.id);
    auto& s = create(*handle);
    handle->durable.store(true, std::memory_order_relaxed);
    s.user_ = from.session.user;
    s.expiry_ = seconds{from.session.expiry_s};
    s.expires_ = from.session.expires;
    const bool was_connected = from.session.disconnected_at_ms == 0;
    const auto since = was_connected ? now : from_epoch_ms(from.session.disconnected_at_ms);
    s.ends_at_ = replaced ? now : s.expires_ ? since + s.expiry_ : never;
    for (const auto& [filter, options] : from.subscriptions) {
        const auto parsed = topic_filter::parse(filter, desk_.bounds());
        if (!parsed) continue;
        s.subscriptions_.emplace(filter, options);
        if (parsed->what() == topic_filter::kind::queue) {
            s.has_queues_ = true;
        } else {
            (void)trie_.insert(*parsed, *handle, options);
            if (parsed->is_shared()) ++s.groups_;
        }
    }
    s.got_shares_ = s.groups_ != 0 && from.has_entries;
    s.may_hold_shares_ = from.has_entries;
    for (const auto packet : from.inbound_qos2) s.inbound_.put(packet, ticket{});
    for (const auto& [message, record] : from.outbound_qos2) {
        s.restore_handle(message, record.handle, record.released);
    }
    s.sent_before_restart_below_ = was_connected ? message_id{desk_.next_id()} : from.session.sent_below;
    if (from.has_entries) s.backlog_.assume_stored();
    const session::change counted{s};
    if (from.will) {
        // Going down with the server counts as losing the connection.
        s.will_ = will{.message = from.will->message, .delay = seconds{from.will->delay_s}};
        s.will_stored_ = true;
        s.will_due_ = from.will->due_at_ms == 0 ? now + std::min(s.will_->delay, s.expires_ ? s.expiry_ : s.will_->delay)
                                                : from_epoch_ms(from.will->due_at_ms);
        if (from.will->due_at_ms == 0) record_will(s);
    }
    // It was connected when the server went down: its time runs from now on, whatever becomes of this start.
    if (was_connected) record(s, std::max<std::int64_t>(epoch_ms(now), 1));
    schedule(s);
}

} // namespace broker
