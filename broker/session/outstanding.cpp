// What a session has handed over and not heard the last of: handles, what is sent again, the receiver's answers. The rest of
// the session is in session.cpp.
#include "routing/desk.hpp"
#include "routing/queue_router.hpp"
#include "session/entry_record.hpp"
#include "session/session.hpp"
#include "session/sharing.hpp"
#include "storage/keys.hpp"
#include "storage/records.hpp"

#include <algorithm>
#include <utility>

namespace broker {

using storage::column;

// False: the rest has to wait.
bool session::send_outstanding(time_point now) {
    bool all_before = true;
    // What drop_unsent() takes from the front takes the gaps behind it along.
    for (auto p = std::max(unsent_, outstanding_.begin()); p < outstanding_.end(); p = std::max(p + 1, outstanding_.begin())) {
        auto* const o = outstanding_.at(p);
        if (o != nullptr && o->at == outstanding_entry::phase::committing) {
            all_before = false;
            continue;
        }
        if (o != nullptr && o->first_time && o->value.message->expired(now)) {
            drop_unsent(*o); // while its handle went to the disk [MQTT-3.3.2-5]
        } else if (o != nullptr && (o->at == outstanding_entry::phase::resend || o->release_again)) {
            if (in_flight_ >= window_ || !subscriber_->has_room()) return false;
            // "released" must be on disk before the receiver is told; committed() comes back here.
            if (o->release_again && o->durable_at > desk_->durable_upto()) return false;
            ++in_flight_;
            if (o->release_again) {
                o->release_again = false;
                subscriber_->release(o->handle, now);
            } else {
                o->at = outstanding_entry::phase::sent;
                send(*o, !std::exchange(o->first_time, false), now);
            }
        }
        if (all_before) unsent_ = p + 1;
    }
    return true;
}

void session::drop_unsent(outstanding_entry& o) {
    const auto unsent = outstanding_.take(o);
    erase_handle(unsent.value.message->id());
    drop(unsent.value, drop_reason::expired);
}

void session::committed(ticket upto, time_point now) {
    if (!online()) return;
    for (auto p = std::max(unsent_, outstanding_.begin()); p < outstanding_.end(); ++p) {
        auto* const o = outstanding_.at(p);
        if (o == nullptr || o->at != outstanding_entry::phase::committing) continue;
        if (o->durable_at > upto) break; // so are those behind it
        // Ready, but in its turn: pump() sends what is outstanding in order.
        o->at = outstanding_entry::phase::resend;
        o->first_time = true;
        --in_flight_;
    }
    pump(now);
}

std::optional<ticket> session::settle(std::uint16_t handle, settlement how, time_point now) {
    auto* const known = outstanding_.find(handle);
    if (known == nullptr || known->at == outstanding_entry::phase::committing) return std::nullopt;
    const change counted{*this};
    auto done = outstanding_.take(*known);
    if (done.value.message) backlog_.settled(done.value.message->id());
    if (done.at != outstanding_entry::phase::resend && !done.release_again) --in_flight_;

    ticket at;
    if (done.recorded) {
        erase_handle(done.value.message ? done.value.message->id() : message_id{});
        desk_->require(true);
        at = desk_->open_ticket();
    }
    auto& e = done.value;
    const bool again = how == settlement::requeue || (how == settlement::pass_on && e.share);
    const auto most = desk_->bounds().max_deliveries;
    if (!e.message) { // of an exactly-once delivery only the handle was left; of a queue that was left, too
    } else if (e.from != nullptr) {
        at = std::max(at, settle_with_queue(e, how, now));
    } else if (again) {
        const auto who = how == settlement::requeue ? takers::online : takers::any;
        if (++e.redelivery_count; most != 0 && e.redelivery_count >= most) {
            drop(e, drop_reason::rejected);
        } else if (e.share && pass_on(*desk_, e, id(), slot_, who)) {
            at = desk_->open_ticket();
        } else if (how == settlement::requeue) {
            e.elsewhere = false;
            backlog_.push_front(std::move(e));
        } else {
            erase_stored(e);
            at = desk_->open_ticket();
        }
    } else if (how != settlement::accepted || e.stored) { // gone for all [MQTT-4.4.0-2, MQTT-4.8.2-6]
        erase_stored(e, how == settlement::accepted);
        at = desk_->open_ticket();
    }
    pump(now);
    return at;
}

// What ends here is erased here, in this turn's batch, so that the answer is durable with the ticket.
ticket session::settle_with_queue(const entry& e, settlement how, time_point now) {
    auto& q = *e.from;
    const auto most = q.max_deliveries.load(std::memory_order_relaxed);
    if (how == settlement::requeue && (most == 0 || e.redelivery_count + 1 < most)) {
        return_to_queue(e, queue_outcome::requeue);
        return {};
    }
    if (how == settlement::accepted) {
        erase_stored(e, true);
    } else {
        auto failed = e;
        if (how == settlement::requeue) ++failed.redelivery_count;
        desk_->queues().give_up(q, failed,
                                how == settlement::requeue ? dead_letter_reason::max_deliveries : dead_letter_reason::rejected,
                                now);
    }
    return_to_queue(e, queue_outcome::gone);
    return desk_->open_ticket();
}

// The queue gives what this session held to others; an answer that still comes changes nothing but the window.
void session::release_from(const queue_slot& q) {
    leave(q);
    const change counted{*this};
    outstanding_.for_each([&q](outstanding_entry& o) {
        if (o.value.from == &q) o.value = entry{.level = o.value.level};
    });
    backlog_.give_away([&](const entry& e) {
        if (e.from == &q) return_to_queue(e, queue_outcome::returned);
        return e.from == &q;
    });
}

std::optional<ticket> session::received(std::uint16_t handle, time_point) {
    auto* const o = outstanding_.find(handle);
    if (o == nullptr || o->value.level != qos::exactly_once || o->at == outstanding_entry::phase::committing) {
        return std::nullopt;
    }
    if (o->at == outstanding_entry::phase::resend || o->release_again) {
        ++in_flight_; // a late answer of the earlier connection counts as sent on this one
        o->release_again = false;
    }
    if (o->at == outstanding_entry::phase::released) return o->durable_at;
    o->at = outstanding_entry::phase::released;
    if (!durable() || o->value.from != nullptr) return ticket{};
    // From here on only the handle matters: "released" must be on disk before PUBREL leaves, or a crash would send the
    // PUBLISH again to a receiver that has forgotten the handle.
    erase_stored(o->value);
    o->value.stored = false;
    wait_for_handle(*o);
    return o->durable_at;
}

std::uint16_t session::next_handle() { // not 0 and not in use [MQTT-2.2.1-4]
    do {
        last_handle_ = handle_after(last_handle_);
    } while (outstanding_.find(last_handle_) != nullptr || restored_.is_taken(last_handle_));
    return last_handle_;
}

void session::record_handle(outstanding_entry& o) {
    std::string value;
    const bool released = o.at == outstanding_entry::phase::released;
    storage::encode_outbound_qos2({.handle = o.handle, .released = released, .level = o.value.level}, value);
    desk_->open().put(column::outbound_qos2, storage::outbound_qos2_key(id(), o.value.message->id()), value);
    desk_->require(o.value.message->persistent());
    o.recorded = true;
}

void session::wait_for_handle(outstanding_entry& o) {
    record_handle(o);
    o.durable_at = desk_->open_ticket();
    desk_->waiters().push_back({.at = o.durable_at, .who = slot_});
}

void session::forget_handle(message_id of) {
    if (restored_.take(of) != 0) erase_handle(of);
}

void session::erase_handle(message_id of) {
    desk_->open().erase(column::outbound_qos2, storage::outbound_qos2_key(id(), of));
}

// QoS 1 leaves without a write. Who is gone gets it again under its identifier, also from a server that was restarted
// [MQTT-4.4.0-1].
void session::record_unacknowledged() {
    outstanding_.for_each([this](outstanding_entry& o) {
        if (o.value.stored && !o.recorded) record_handle(o);
    });
}

void session::restore_handle(message_id message, std::uint16_t handle, bool was_released) {
    last_handle_ = std::max(last_handle_, handle); // identifiers go on counting behind those in use
    if (!was_released) return restored_.add(message, handle);
    outstanding_entry o{.value = {.message = make_message({.id = message, .topic = "-", .level = qos::exactly_once}),
                                  .level = qos::exactly_once},
                        .handle = handle,
                        .at = outstanding_entry::phase::released,
                        .recorded = true};
    outstanding_.push_back(std::move(o));
}

// Who was connected when the server died: QoS 1 is sent without a word to the store. Else the handle on disk tells, and of a
// queue's messages the queue.
bool session::may_have_been_sent(const entry& e) const {
    return e.level == qos::at_least_once && e.from == nullptr && e.message->id() < sent_before_restart_below_;
}

std::optional<qos> session::outstanding_level(std::uint16_t handle) const {
    const auto* const o = outstanding_.find(handle);
    if (o == nullptr) return std::nullopt;
    return o->value.level;
}

bool session::is_released(std::uint16_t handle) const {
    const auto* const o = outstanding_.find(handle);
    return o != nullptr && o->at == outstanding_entry::phase::released;
}

} // namespace broker
