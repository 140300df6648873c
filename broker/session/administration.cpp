// What administrators see of sessions and do to them: looking at what one holds, dropping a message of it, ending it.
#include "core/utf8.hpp"
#include "session/shard_sessions.hpp"

#include <algorithm>
#include <iterator>
#include <memory>
#include <span>
#include <utility>

namespace broker {

namespace {

constexpr message_id no_bound{~0ULL};

// Text without half a character at its end, anything else as it is.
std::string_view beginning(std::string_view payload) {
    const auto whole = payload.substr(0, held_message::preview_bytes);
    const auto text = utf8_prefix(payload, held_message::preview_bytes);
    return is_utf8(text) && text.size() + 4 > whole.size() ? text : whole;
}

held_message described_as(const entry& e, held_message::state at, std::uint16_t handle) {
    const auto& m = *e.message;
    return {.id = m.id(),
            .topic = std::string{m.topic()},
            .level = e.level,
            .retain = e.retain,
            .bytes = m.payload().size(),
            .payload = std::string{beginning(as_text(m.payload()))},
            .received_at = m.received_at(),
            .expires_at = m.expires_at(),
            .redelivery_count = e.redelivery_count,
            .at = at,
            .handle = handle};
}

} // namespace

// --- looking ---

std::vector<held_message> session::look(message_id after, std::size_t count_max, bool in_flight_only) const {
    struct place {
        message_id id{};
        const entry* value = nullptr;
        const outstanding_entry* sent = nullptr;
    };
    std::vector<place> all;
    outstanding_.for_each([&](const outstanding_entry& o) {
        if (!o.value.message || o.value.message->id() <= after) return;
        if (in_flight_only && !is_in_flight(o)) return;
        all.push_back({.id = o.value.message->id(), .value = &o.value, .sent = &o});
    });
    for (const auto& e : backlog_.head()) {
        const auto id = e.message->id();
        if (id > after && (!in_flight_only || restored_.contains(id))) all.push_back({.id = id, .value = &e});
    }
    const auto wanted = std::min(count_max, all.size());
    std::ranges::partial_sort(all, all.begin() + static_cast<std::ptrdiff_t>(wanted), {}, &place::id);
    std::vector<held_message> found;
    for (const auto& p : std::span{all}.first(wanted)) {
        if (p.sent == nullptr) {
            found.push_back(described(*p.value));
        } else {
            const auto at = p.sent->at == outstanding_entry::phase::released ? held_message::state::received
                            : is_in_flight(*p.sent)                          ? held_message::state::sent
                                                                             : held_message::state::queued;
            found.push_back(described_as(*p.value, at, p.sent->handle));
        }
    }
    return found;
}

held_message session::described(const entry& e) const {
    const auto handle = restored_.handle_of(e.message->id());
    return described_as(e, handle != 0 ? held_message::state::sent : held_message::state::queued, handle);
}

struct shard_sessions::looking {
    session_id of{};
    message_id from{}; // stored ones that have not been read
    message_id upto{}; // and no further
    look what{};
    std::vector<held_message> in_memory{};
    std::vector<held_message> stored{};
};

void shard_sessions::look_into(const session& s, look what) {
    if (what.after == no_bound) return what.done(std::vector<held_message>{});
    auto l = std::make_shared<looking>(
        looking{.of = s.id(), .from = message_id{what.after.value() + 1}, .upto = no_bound, .what = std::move(what)});
    l->in_memory = s.look(l->what.after, l->what.count_max, l->what.in_flight_only);
    if (l->in_memory.size() == l->what.count_max) l->upto = l->in_memory.empty() ? message_id{0} : l->in_memory.back().id;
    if (l->what.in_flight_only) { // those of before a restart
        auto first = no_bound;
        auto last = message_id{0};
        s.restored_.for_each([&](message_id of) {
            first = std::min(first, of);
            last = std::max(last, of);
        });
        l->from = std::max(l->from, first);
        l->upto = std::min(l->upto, last);
    }
    if (!s.may_have_more_stored() || l->from > l->upto) return l->what.done(std::move(l->in_memory));
    look_on(l);
}

void shard_sessions::look_on(const std::shared_ptr<looking>& l) {
    read({.of = l->of, .from = l->from, .messages_max = backlog::load_messages_max, .bytes_max = backlog::load_bytes_max},
         [this, l](storage::loaded_rows&& rows, time_point) { on_looked(l, rows); });
}

void shard_sessions::on_looked(const std::shared_ptr<looking>& l, const storage::loaded_rows& rows) {
    const auto held = held_.find(l->of);
    if (held == held_.end()) return l->what.done(std::nullopt);
    for (std::size_t i = 0; i != rows.entries.size() && l->stored.size() != l->what.count_max; ++i) {
        const auto id = id_of(rows, i);
        if (id > l->upto) break;
        if (std::ranges::binary_search(l->in_memory, id, {}, &held_message::id)) continue;
        const auto e = entry_of(rows, i);
        if (!e) continue; // "store verify" speaks of it
        auto seen = held->second->described(*e);
        if (!l->what.in_flight_only || seen.at == held_message::state::sent) l->stored.push_back(std::move(seen));
    }
    const auto next = rows.more ? goes_on_at(rows) : std::nullopt;
    if (next && *next <= l->upto && l->stored.size() != l->what.count_max) {
        l->from = *next;
        return look_on(l);
    }
    auto all = std::move(l->in_memory);
    all.insert(all.end(), std::make_move_iterator(l->stored.begin()), std::make_move_iterator(l->stored.end()));
    std::ranges::sort(all, {}, &held_message::id);
    if (all.size() > l->what.count_max) all.resize(l->what.count_max);
    l->what.done(std::move(all));
}

// --- dropping ---

// Committing, or ready and not sent yet: nobody has seen it.
bool session::is_in_flight(const outstanding_entry& o) {
    return o.at != outstanding_entry::phase::committing && !o.first_time;
}

// Its receiver may answer, or it has the packet identifier of a QoS 2 delivery in its own books and would take another message
// with it for a repetition [MQTT-4.3.3-10].
std::optional<drop_outcome> session::kept_because_sent(qos level, bool though_sent) const {
    if (level == qos::exactly_once) return drop_outcome::sent_for_good;
    if (online()) return drop_outcome::in_flight;
    if (!though_sent) return drop_outcome::sent_earlier;
    return std::nullopt;
}

void session::drop_as_told(const entry& e) {
    drop(e, drop_reason::administrator);
    if (passing_on_) read_to_pass_on(message_id{0}); // what was read for other members is stale
}

std::optional<drop_outcome> session::drop_in_memory(message_id which, bool though_sent, time_point now) {
    const change counted{*this};
    for (auto p = outstanding_.begin(); p != outstanding_.end(); ++p) {
        auto* const o = outstanding_.at(p);
        if (o == nullptr || !o->value.message || o->value.message->id() != which) continue;
        if (o->value.from != nullptr) return drop_outcome::of_queue;
        if (is_in_flight(*o)) {
            if (const auto kept = kept_because_sent(o->value.level, though_sent)) return kept;
        } else if (online() && o->at == outstanding_entry::phase::committing) {
            --in_flight_;
        }
        const auto dropped = outstanding_.take(*o);
        if (dropped.recorded) erase_handle(which);
        drop_as_told(dropped.value);
        pump(now);
        return drop_outcome::dropped;
    }
    const auto waits = std::ranges::find_if(backlog_.head(), [&](const entry& e) { return e.message->id() == which; });
    if (waits == backlog_.head().end()) return std::nullopt;
    if (waits->from != nullptr) return drop_outcome::of_queue;
    if (restored_.contains(which)) {
        if (const auto kept = kept_because_sent(waits->level, though_sent)) return kept;
    }
    backlog_.give_away([&](const entry& e) {
        if (e.message->id() != which) return false;
        drop_as_told(e);
        return true;
    });
    return drop_outcome::dropped;
}

drop_outcome session::drop_stored(const entry& e, bool though_sent) {
    if (restored_.contains(e.message->id())) {
        if (const auto kept = kept_because_sent(e.level, though_sent)) return *kept;
    }
    const change counted{*this};
    drop_as_told(e);
    backlog_.forget_spilled(e.message->footprint());
    return drop_outcome::dropped;
}

struct shard_sessions::dropping {
    session_id of{};
    message_id which{};
    bool though_sent = false;
    std::uint64_t claim = 0; // that has the session
    std::uint64_t number = 0;
};

// One that is on disk is read first. When every shard has answered a marker sent behind the read it has been announced, so that
// it is in the backlog, or has been handed over meanwhile, or erased.
void shard_sessions::drop_message(session& s, message_id which, bool though_sent, time_point now,
                                  std::function<void(drop_outcome, ticket)> done) {
    if (const auto outcome = s.drop_in_memory(which, though_sent, now)) return done(*outcome, desk_.open_ticket());
    if (!s.may_have_more_stored()) return done(drop_outcome::unknown, {});
    const dropping d{.of = s.id(), .which = which, .though_sent = though_sent, .claim = s.claim_, .number = ++last_token_};
    desk_.watched().push_back({.of = d.of, .message = which, .by = d.number});
    read({.of = d.of, .from = which, .messages_max = 1, .bytes_max = backlog::load_bytes_max},
         [this, d, done = std::move(done)](storage::loaded_rows&& rows, time_point at) {
             after_all_shards([this, d, done, at, found = std::make_shared<storage::loaded_rows>(std::move(rows))](time_point later) {
                 const auto outcome = drop_read(*found, d, std::max(at, later));
                 done(outcome, desk_.open_ticket());
             });
         });
}

drop_outcome shard_sessions::drop_read(const storage::loaded_rows& rows, const dropping& d, time_point now) {
    const auto watch = std::ranges::find(desk_.watched(), d.number, &shard_desk::watched_entry::by);
    const bool erased = watch->erased;
    desk_.watched().erase(watch);
    const auto held = held_.find(d.of);
    if (held == held_.end()) return drop_outcome::not_here;
    auto& s = *held->second;
    // Another shard may have had it meanwhile.
    if (s.claim_ != d.claim || s.slot_->owner.load(std::memory_order_acquire) != desk_.self()) return drop_outcome::not_here;
    if (const auto outcome = s.drop_in_memory(d.which, d.though_sent, now)) return *outcome;
    if (rows.entries.empty()) return rows.more ? drop_outcome::unreadable : drop_outcome::unknown;
    if (id_of(rows, 0) != d.which || erased) return drop_outcome::unknown;
    const auto e = entry_of(rows, 0);
    return e ? s.drop_stored(*e, d.though_sent) : drop_outcome::unreadable;
}

// --- ending ---

void shard_sessions::for_each(const visitor& visit) const {
    for (const auto& [id, s] : held_) visit(*s);
}

session* shard_sessions::find(std::string_view client_id) const {
    const slot* const s = table_.find(client_id);
    const auto mine = desk_.self();
    if (s == nullptr || s->owner.load(std::memory_order_acquire) != mine) return nullptr;
    return s->holder.load(std::memory_order_acquire) == mine ? s->held : nullptr;
}

void shard_sessions::expire(session& s, time_point now, std::function<void(ticket)> gone) {
    auto* const who = s.subscriber_;
    ++desk_.count().sessions_expired;
    end(s, now, std::move(gone));
    if (who != nullptr) who->evict({.cause = close_cause::kicked, .detail = "its session was ended by an administrator"}, now);
}

} // namespace broker
