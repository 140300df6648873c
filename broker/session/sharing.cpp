#include "session/sharing.hpp"

#include "routing/topic_trie.hpp"
#include "session/entry_record.hpp"
#include "session/shard_sessions.hpp"
#include "storage/keys.hpp"
#include "storage/records.hpp"

#include <algorithm>

namespace broker {

using storage::column;

bool pass_on(shard_desk& desk, const entry& e, session_id holder, const slot* except, takers who) {
    const auto found = desk.trie().choose(shard_index{desk.self()}, *e.share, except, who == takers::online);
    if (!found) return false;
    entry next{.message = own_copy(desk, *e.message),
               .level = found->options.level_for(e.message->level()), // [MQTT-4.8.2-3]
               .retain = found->options.retain_as_published && e.message->retain(),
               .redelivery_count = e.redelivery_count,
               .share = found->of,
               .elsewhere = true};
    if (found->options.identifier != 0) next.identifiers.push_back(found->options.identifier);
    if (next.level != qos::at_most_once && found->to->durable.load(std::memory_order_relaxed)) {
        next.stored = true;
        put_entry(desk, next, found->to->id);
    }
    erase_entry(desk, e, holder);
    ++desk.count().shared_passed_on;
    desk.send(found->to->owner.load(std::memory_order_acquire), entry_mail{.to = found->to, .value = std::move(next)});
    return true;
}

// --- one session ---

void session::join_group() {
    ++groups_;
    show_room();
}

void session::leave_group() {
    --groups_;
    show_room();
}

bool session::has_begun(const entry& e) const {
    return e.level == qos::exactly_once && restored_.contains(e.message->id());
}

bool session::pass_on_shares(takers who) {
    if (!got_shares_) return false;
    const change counted{*this};
    outstanding_.erase_if([&](outstanding_entry& o) {
        auto& e = o.value;
        if (!e.share || !e.message || o.at == outstanding_entry::phase::released) return false;
        const bool sent = o.at != outstanding_entry::phase::committing && !o.first_time;
        if (sent && e.level == qos::exactly_once) return false;
        if (sent) ++e.redelivery_count;
        if (!pass_on(*desk_, e, id(), slot_, who)) {
            if (sent) --e.redelivery_count;
            return false;
        }
        backlog_.settled(e.message->id());
        if (o.recorded) erase_handle(e.message->id());
        return true;
    });
    backlog_.give_away([&](const entry& e) {
        if (!e.share || has_begun(e) || !pass_on(*desk_, e, id(), slot_, who)) return false;
        backlog_.settled(e.message->id());
        forget_handle(e.message->id());
        return true;
    });
    return backlog_.spilled() != 0;
}

void session::pass_on_stored(message_id before) {
    passing_on_ = true;
    pass_on_before_ = before;
    read_to_pass_on(message_id{0});
}

void session::read_to_pass_on(message_id from) {
    desk_->load({.of = id(),
                 .from = from,
                 .messages_max = backlog::load_messages_max,
                 .bytes_max = backlog::load_bytes_max,
                 .number = ++pass_on_number_,
                 .to_pass_on = true});
}

// Who comes back meanwhile keeps the rest.
void session::pass_on_rows(const storage::loaded_rows& rows) {
    if (!passing_on_ || rows.request.number != pass_on_number_) return;
    const change counted{*this};
    const auto known = in_hand();
    for (std::size_t i = 0; i != rows.entries.size(); ++i) {
        auto e = entry_of(rows, i);
        if (!e) continue;
        const auto message = e->message->id();
        if (message >= pass_on_before_) break;
        if (!e->share || std::ranges::binary_search(known, message) || has_begun(*e)) continue;
        if (restored_.contains(message)) ++e->redelivery_count; // this member had it, before a restart
        if (!pass_on(*desk_, *e, id(), slot_, takers::online)) continue;
        backlog_.settled(message);
        forget_handle(message);
        backlog_.forget_spilled(e->message->footprint());
    }
    const auto next = goes_on_at(rows);
    passing_on_ = rows.more && next && *next < pass_on_before_;
    if (passing_on_) read_to_pass_on(*next);
}

std::vector<message_id> session::begun() const {
    std::vector<message_id> ids;
    restored_.for_each([&](message_id of) { ids.push_back(of); });
    outstanding_.for_each([&](const outstanding_entry& o) {
        if (o.value.level == qos::exactly_once && o.value.message) ids.push_back(o.value.message->id());
    });
    return ids;
}

// --- a shard's sessions ---

// What the store holds of the session's groups, once everything with a lower id has arrived: what arrives later is passed
// on then.
void shard_sessions::pass_on_later(const session& s) {
    const auto id = s.id();
    const message_id before{desk_.next_id()};
    after_all_shards([this, id, before](time_point) {
        const auto it = held_.find(id);
        if (it == held_.end() || it->second->online()) return;
        if (it->second->slot_->owner.load(std::memory_order_acquire) != desk_.self()) return; // its client is back
        it->second->pass_on_stored(before);
    });
}

// The session ends; its entries stay until they are read, under a record without client id: a restart goes on from there.
void shard_sessions::leave_behind(const session& s, std::function<void(ticket)> gone) {
    auto& batch = desk_.open();
    batch.erase(column::wills, storage::will_key(s.id()));
    batch.erase_prefix(column::subscriptions, storage::session_prefix(s.id()));
    batch.erase_prefix(column::inbound_qos2, storage::session_prefix(s.id()));
    std::string value;
    storage::encode_session({}, value);
    batch.put(column::sessions, storage::session_key(s.id()), value);
    desk_.require(true);
    left_behind_.emplace(s.id(), leftover{.begun = s.begun(), .gone = std::move(gone)});
}

void shard_sessions::read_left_behind(session_id of, message_id from) {
    read({.of = of, .from = from, .messages_max = backlog::load_messages_max, .bytes_max = backlog::load_bytes_max},
         [this](storage::loaded_rows&& rows, time_point) { on_left_behind(rows); });
}

void shard_sessions::on_left_behind(const storage::loaded_rows& rows) {
    const auto of = rows.request.of;
    const auto& begun = left_behind_.at(of).begun;
    for (std::size_t i = 0; i != rows.entries.size(); ++i) {
        auto e = entry_of(rows, i);
        if (!e || !e->share) continue;
        const bool has_begun = std::ranges::find(begun, e->message->id()) != begun.end();
        if (has_begun && e->level == qos::exactly_once) continue; // [MQTT-4.8.2-5]
        if (has_begun) ++e->redelivery_count;
        (void)pass_on(desk_, *e, of, nullptr, takers::any);
    }
    if (rows.more) {
        if (const auto next = goes_on_at(rows)) return read_left_behind(of, *next);
    } else {
        erase_records(of);
    } // else: what cannot be read now is read after a restart
    const auto gone = left_behind_.extract(of).mapped().gone;
    if (gone) gone(desk_.open_ticket());
}

} // namespace broker
