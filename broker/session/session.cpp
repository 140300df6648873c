#include "session/session.hpp"

#include "core/assert.hpp"
#include "routing/desk.hpp"
#include "routing/queue_router.hpp"
#include "session/entry_record.hpp"
#include "storage/keys.hpp"
#include "storage/records.hpp"

#include <algorithm>
#include <ranges>
#include <utility>

namespace broker {

using storage::column;

namespace {

constexpr std::size_t oldest_to_drop = 32; // read at once when an offline session is full

} // namespace

session::session(slot& handle, shard_desk& desk)
    : slot_{&handle}, desk_{&desk},
      backlog_{desk.bounds().session_memory_messages_max, desk.bounds().session_memory_bytes_max} {}

void session::count_owed(std::size_t messages, std::size_t bytes) {
    auto& count = desk_->count();
    count.owed_messages += messages - std::exchange(counted_messages_, messages);
    count.owed_bytes += bytes - std::exchange(counted_bytes_, bytes);
}

// --- entries in ---

void session::enqueue(entry e, time_point now) {
    if (e.message->expired(now)) return drop(e, drop_reason::expired); // [MQTT-3.3.2-5]
    if (e.level == qos::at_most_once) {
        if (!online()) return drop(e, drop_reason::disconnected);
        subscriber_->deliver({.message = e.message,
                              .level = e.level,
                              .retain = e.retain,
                              .subscription_identifiers = e.identifiers},
                             now);
        return show_room(); // the outbox may be full now
    }
    const change counted{*this};
    if (e.share) got_shares_ = true;
    if (ready_for_more()) {
        return hand_over(std::move(e), now);
    }
    if (!online() && !durable()) return drop(e, drop_reason::disconnected);

    if (desk_->bounds().session_queue_policy == "drop-new" && !has_place_for(e)) return drop(e, drop_reason::queue_full);

    backlog_.push_back(std::move(e));
    if (!over_limit()) {
        if (!online()) backlog_.spill_all();
        return;
    }
    // Policy drop-oldest. An offline session's oldest are on disk: some are read and kept, so that the next to go are at
    // hand; loaded() drops what is too much by then.
    drop_oldest();
    if (over_limit() && backlog_.may_load() && !passing_on_) desk_->load(backlog_.start_load(id(), oldest_to_drop));
}

bool session::over_limit() const {
    const auto& bounds = desk_->bounds();
    return backlog_.size() > bounds.session_queue_messages_max || backlog_.bytes() > bounds.session_queue_bytes_max;
}

bool session::has_place_for(const entry& e) const {
    const auto& bounds = desk_->bounds();
    return backlog_.size() < bounds.session_queue_messages_max &&
           backlog_.bytes() + e.message->footprint() <= bounds.session_queue_bytes_max;
}

// What was sent before a restart is finished [MQTT-4.3.3-7]: its handle must not name something else meanwhile.
void session::drop_oldest() {
    std::vector<entry> begun; // no more than the window
    while (over_limit() && backlog_.head_ready()) {
        auto oldest = backlog_.pop_front();
        if (restored_.contains(oldest.message->id())) {
            begun.push_back(std::move(oldest));
        } else {
            drop(oldest, drop_reason::queue_full);
        }
    }
    for (auto& e : begun | std::views::reverse) backlog_.push_front(std::move(e));
}

void session::take(entry e, time_point now) {
    const change counted{*this};
    if (!online()) return return_to_queue(e, queue_outcome::returned);
    if (e.message->expired(now)) return return_to_queue(e, queue_outcome::expired);
    if (ready_for_more()) return hand_over(std::move(e), now);
    e.stored = false; // the store's entry belongs to the queue: it must not spill into this session's backlog
    backlog_.push_back(std::move(e));
}

// May an entry that arrives now leave at once? Not past what waits: the backlog, and outstanding entries this connection
// has not had yet [MQTT-4.6.0-5, MQTT-4.6.0-6]. Not beyond the receive maximum [MQTT-3.3.4-9, MQTT-4.9.0-2]; QoS 0 and
// everything that is no delivery does not come this way [MQTT-3.3.4-10, MQTT-4.9.0-3].
bool session::ready_for_more() const {
    return online() && backlog_.empty() && in_flight_ == outstanding_.size() && in_flight_ < window_ &&
           subscriber_->has_room();
}

void session::hand_over(entry e, time_point now) {
    if (e.level == qos::at_most_once) { // from a queue: handing over is the acknowledgement
        send({.value = e}, e.redelivery_count != 0, now);
        erase_stored(e);
        return return_to_queue(e, queue_outcome::gone);
    }
    if (e.share) got_shares_ = true;
    outstanding_entry o{.value = std::move(e), .handle = 0};
    // DUP: sent to this receiver before [MQTT-3.3.1-3].
    bool again = (o.value.redelivery_count != 0 && !o.value.elsewhere) || may_have_been_sent(o.value);
    if (const auto earlier = restored_.take(o.value.message->id()); earlier != 0) {
        o.handle = earlier; // it was sent with it before a restart [MQTT-4.4.0-1]
        o.recorded = true;
        again = true;
    } else {
        o.handle = next_handle(); // [MQTT-4.3.2-1, MQTT-4.3.3-1]
        if (o.value.level == qos::exactly_once && durable() && o.value.from == nullptr) {
            wait_for_handle(o);
            o.at = outstanding_entry::phase::committing;
        }
    }
    ++in_flight_;
    const auto& handed_over = outstanding_.push_back(std::move(o));
    if (handed_over.at == outstanding_entry::phase::sent) send(handed_over, again, now);
}

// DUP when it was sent before, or may have been [MQTT-3.3.1-1], and not else [MQTT-4.3.2-2, MQTT-4.3.3-2].
void session::send(const outstanding_entry& o, bool again, time_point now) {
    subscriber_->deliver({.message = o.value.message,
                          .level = o.value.level,
                          .retain = o.value.retain,
                          .redelivered = again,
                          .redelivery_count = o.value.redelivery_count,
                          .handle = o.handle,
                          .subscription_identifiers = o.value.identifiers},
                         now);
}

std::vector<message_id> session::in_hand() const {
    std::vector<message_id> ids;
    ids.reserve(outstanding_.size() + backlog_.head().size());
    outstanding_.for_each([&](const outstanding_entry& o) {
        if (o.value.message) ids.push_back(o.value.message->id());
    });
    for (const auto& e : backlog_.head()) ids.push_back(e.message->id());
    std::ranges::sort(ids);
    return ids;
}

// --- entries out ---

void session::pump(time_point now) {
    if (!online()) return;
    const change counted{*this};
    // First what an earlier connection had: in its order [MQTT-4.6.0-1], with its handles [MQTT-4.4.0-1]; of what was
    // received only the release [MQTT-4.3.3-6]. Expiry has no say in what was sent [MQTT-4.3.3-7], nor has the end of the
    // subscription [MQTT-3.10.4-3], and a shared one leaves it here [MQTT-4.8.2-4].
    if (in_flight_ < outstanding_.size() && !send_outstanding(now)) return;
    while (in_flight_ < window_ && backlog_.head_ready() && subscriber_->has_room()) {
        auto e = backlog_.pop_front();
        // What was sent before a restart does not expire any more [MQTT-4.3.3-7].
        if (!e.message->expired(now) || restored_.contains(e.message->id())) {
            hand_over(std::move(e), now);
        } else if (e.from != nullptr) {
            return_to_queue(e, queue_outcome::expired);
        } else {
            drop(e, drop_reason::expired);
        }
    }
    if (backlog_.wants_load()) desk_->load(backlog_.start_load(id()));
    if (!walks_.empty()) pump_retained(now);
}

void session::loaded(const storage::loaded_rows& rows, time_point now) {
    const change counted{*this};
    // A row that cannot be decoded stays on disk for inspection; the others go on.
    const auto damaged =
        backlog_.finish_load(rows, [known = in_hand()](message_id m) { return std::ranges::binary_search(known, m); });
    desk_->count().drop(drop_reason::storage, damaged);
    if (passing_on_) return backlog_.spill_all();
    const bool full = over_limit();
    drop_oldest();
    if (online()) {
        pump(now);
    } else if (!full) {
        backlog_.spill_all();
    }
}

void session::drop(const entry& e, drop_reason why) {
    desk_->count().drop(why);
    if (e.from != nullptr) return return_to_queue(e, queue_outcome::returned);
    backlog_.settled(e.message->id());
    erase_stored(e);
    forget_handle(e.message->id());
}

void session::erase_stored(const entry& e, bool answered) {
    if (e.from == nullptr) return erase_entry(*desk_, e, id(), answered);
    desk_->queues().erase(*e.from, e, answered);
}

void session::return_to_queue(const entry& e, queue_outcome how) {
    if (e.from == nullptr) return;
    desk_->send(e.from->owner,
                queue_settlement{.queue = e.from, .who = slot_, .id = e.message->id(), .how = how});
}

// --- queues ---

queue::consumer session::consumer_of(const queue_slot& q, const subscription_options& options) {
    if (!joined_) joined_ = std::make_unique<std::vector<joined_queue>>();
    auto it = std::ranges::find(*joined_, &q, &joined_queue::to);
    if (it == joined_->end()) it = joined_->insert(it, {.to = &q, .number = ++joins_});
    return {.who = slot_,
            .identifier = options.identifier,
            .maximum_qos = options.maximum_qos,
            .credit_max = window_,
            .joined = it->number};
}

void session::leave(const queue_slot& q) {
    if (joined_) std::erase_if(*joined_, [&q](const joined_queue& j) { return j.to == &q; });
}

bool session::is_joined(const queue_slot& q, std::uint32_t number) const {
    return joined_ && std::ranges::any_of(*joined_, [&](const joined_queue& j) { return j.to == &q && j.number == number; });
}

// --- QoS 2 inbound ---

std::optional<ticket> session::remembered_at(packet_id packet) const {
    return inbound_.find(packet);
}

void session::remember(packet_id packet) {
    ticket at;
    if (durable()) {
        std::string value;
        storage::encode_inbound_qos2({}, value);
        desk_->open().put(column::inbound_qos2, storage::inbound_qos2_key(id(), packet), value);
        desk_->require(true);
        at = desk_->open_ticket();
    }
    inbound_.put(packet, at);
}

std::optional<ticket> session::forget(packet_id packet) {
    if (!inbound_.erase(packet)) return std::nullopt;
    if (!durable()) return ticket{};
    desk_->open().erase(column::inbound_qos2, storage::inbound_qos2_key(id(), packet));
    desk_->require(true);
    return desk_->open_ticket();
}

// --- life ---

void session::attach(const attachment& with) {
    BROKER_ASSERT(subscriber_ == nullptr);
    subscriber_ = with.who;
    if (user_.empty()) user_ = with.user;
    window_ = std::clamp<std::uint16_t>(with.window, 1, window_max); // [MQTT-4.9.0-1]
    set_will(with.last_will); // the one before was for another connection [MQTT-3.1.3-9]
    ends_at_ = never;
    will_due_ = never;
    passing_on_ = false;
    backlog_.try_again();
    walk_waits_ = false; // it may have waited on another shard
    // What is outstanding here was handed over on an earlier connection; committing entries count from the start.
    in_flight_ = 0;
    unsent_ = 0;
    outstanding_.for_each([this](outstanding_entry& o) {
        if (o.at == outstanding_entry::phase::sent) o.at = outstanding_entry::phase::resend;
        if (o.at == outstanding_entry::phase::released) o.release_again = true;
        if (o.at == outstanding_entry::phase::committing) ++in_flight_;
    });
    slot_->online.store(true, std::memory_order_relaxed);
    ++desk_->count().sessions_online;
}

void session::resume(time_point now) {
    if (!online()) return;
    committed(desk_->durable_upto(), now);
    pump(now);
}

void session::detach() {
    const change counted{*this};
    if (online()) --desk_->count().sessions_online;
    subscriber_ = nullptr;
    slot_->online.store(false, std::memory_order_relaxed);
    // What never left goes back first; then the queues learn by queue_leave that this consumer is gone and take back
    // what it held.
    backlog_.give_away([this](const entry& e) {
        return_to_queue(e, queue_outcome::returned);
        return e.from != nullptr;
    });
    outstanding_.erase_if([](const outstanding_entry& o) { return o.value.from != nullptr || !o.value.message; });
    joined_.reset();
    in_flight_ = 0;
}

void session::put_away() {
    const change counted{*this};
    backlog_.spill_all();
}

session::facts session::inspect() const {
    return {.waiting_bytes = backlog_.bytes(),
            .waiting_in_memory = backlog_.head().size(),
            .window = window_,
            .expiry = expires_ ? std::optional{expiry_} : std::nullopt,
            .will_topic = will_ ? std::string{will_->message->topic()} : std::string{},
            .will_due = will_due_,
            .ends_at = ends_at_};
}

void session::set_expiry(seconds expiry, bool expires) {
    expiry_ = expiry;
    expires_ = expires;
}

void session::set_will(std::optional<will> last_will) {
    if (std::exchange(will_stored_, false)) {
        desk_->open().erase(column::wills, storage::will_key(id()));
        desk_->require(true);
    }
    will_ = std::move(last_will);
}

void session::arrived(shard_desk& desk) {
    desk_ = &desk;
    backlog_.cancel_load();
    passing_on_ = false;
    // Tickets of the old shard mean nothing here: write the state they stood for again and wait for that.
    outstanding_.for_each([this](outstanding_entry& o) {
        if (o.at == outstanding_entry::phase::committing || o.at == outstanding_entry::phase::released) wait_for_handle(o);
    });
    inbound_.for_each([this](packet_id packet, ticket at) {
        if (at != ticket{}) remember(packet);
    });
}

} // namespace broker
