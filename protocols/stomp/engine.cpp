#include "protocols/stomp/engine.hpp"

#include "core/utf8.hpp"
#include "protocols/stomp/header_escape.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace broker::stomp {

namespace {

constexpr std::string_view nul{"\0", 1};
constexpr std::size_t scratch_kept = 4096;
constexpr std::size_t short_message = 200; // of the ERROR frame's header; the body has all of it

} // namespace

std::unique_ptr<broker::engine> make_engine(const engine_context& with, time_point now) {
    return std::make_unique<engine>(with, now);
}

engine::engine(const engine_context& with, time_point now)
    : with_{with}, names_{with_.bounds, with_.dotted}, parser_{with_.bounds}, opened_at_{now}, last_in_{now},
      last_out_{now}, now_{now} {}

// --- bytes ---

void engine::on_bytes(byte_view input, time_point now) {
    if (closing_) return;
    now_ = now;
    last_in_ = now;       // [STOMP12-BEAT-6]
    if (leaving_) return; // nothing behind a DISCONNECT counts [STOMP12-DISCONNECT-1]
    if (paused() || !buffer_.empty()) {
        buffer_ += as_text(input);
        if (is_unanswered() && buffer_.size() - buffer_used_ > with_.bounds.max_message_bytes) {
            fail_over(limit_kind::message_bytes, "too much sent while a session was moving");
        }
        return process_buffered(now);
    }
    const auto used = process(input, now);
    if (paused()) buffer_ = as_text(input.subspan(used));
}

void engine::go_on(time_point now) {
    now_ = now;
    process_buffered(now);
}

std::size_t engine::process(byte_view bytes, time_point now) {
    const auto used = parser_.feed(bytes, [&](const frame& f) {
        dispatch(f, now);
        return !closing_ && !paused() && !leaving_;
    });
    if (const auto& e = parser_.error(); e && !closing_) {
        if (e->over) with_.route.count().refuse(*e->over);
        fail(e->code, e->what, e->receipt);
    }
    trim();
    return used;
}

// Many connections, each with room for its largest frame, would be memory nobody uses.
void engine::trim() {
    if (scratch_.capacity() > scratch_kept) std::string{}.swap(scratch_);
    if (topic_.capacity() > scratch_kept) std::string{}.swap(topic_);
}

// What came while paused; it may contain the next reason to pause.
void engine::process_buffered(time_point now) {
    if (closing_ || paused() || buffer_.empty()) return;
    buffer_used_ += process(as_bytes(std::string_view{buffer_}.substr(buffer_used_)), now);
    if (paused() && !closing_) return;
    std::string{}.swap(buffer_);
    buffer_used_ = 0;
}

// Commands and header names are case sensitive [STOMP12-FRAME-3].
void engine::dispatch(const frame& f, time_point now) {
    ++with_.route.count().packets_received[static_cast<std::size_t>(protocol_kind::stomp)];
    const bool connect = f.command == "CONNECT" || f.command == "STOMP"; // [STOMP12-CONNECT-1]
    if (!connected_) return on_connect(f, now);
    if (connect) return fail("protocol_error", "a second CONNECT", f.get("receipt"));
    if (f.command == "SEND") return on_send(f, now);
    if (!f.body.empty() && version_ != version::v1_0) { // [STOMP12-BODY-1] [STOMP10-SUBSCRIBE-2]
        return fail("protocol_error", fmt::format("{} has a body", utf8_prefix(f.command, 40)), f.get("receipt"));
    }
    if (f.command == "ACK") return on_ack(f, settlement::accepted, now);
    if (f.command == "NACK" && version_ != version::v1_0) { // [STOMP12-NACK-1] [STOMP11-NACK-1]
        return on_ack(f, f.get("requeue") == "false" ? settlement::reject : settlement::requeue, now);
    }
    if (f.command == "SUBSCRIBE") return on_subscribe(f, now);
    if (f.command == "UNSUBSCRIBE") return on_unsubscribe(f, now);
    if (f.command == "BEGIN") return on_begin(f, now);
    if (f.command == "COMMIT") return on_commit(f, now);
    if (f.command == "ABORT") return on_abort(f);
    if (f.command == "DISCONNECT") return on_disconnect(f);
    // [STOMP12-COMMAND-1] [STOMP11-COMMAND-1]
    fail("protocol_error", fmt::format("unknown command {}", utf8_prefix(f.command, 40)), f.get("receipt"));
}

// --- frames out ---

void engine::send(std::string_view bytes, frame_kind kind, time_point now) {
    last_out_ = now;
    with_.out.append(as_bytes(bytes), kind);
}

// `at`: when the frame's effect is on disk.
void engine::receipt(const frame& f, ticket at) {
    last_ticket_ = std::max(last_ticket_, at);
    if (const auto id = f.find("receipt")) receipt(*id, at); // [STOMP12-RECEIPT-3]
}

void engine::receipt(std::string_view id, ticket at) {
    if (held_.empty() && with_.route.is_durable(at)) return send_receipt(id);
    if (!held_.empty()) at = std::max(at, held_.back().at); // in order
    held_.push_back({at, std::string{id}});
}

void engine::send_receipt(std::string_view id) {
    scratch_ = "RECEIPT\n";
    (void)append_header(scratch_, "receipt-id", id, version_); // [STOMP12-RECEIPT-1]
    scratch_ += '\n';
    scratch_ += nul;
    send(scratch_, frame_kind::text, now_);
}

void engine::on_durable(ticket upto, time_point now) {
    if (closing_) return;
    now_ = now;
    if (stores_will() && will_.session_->recorded_at() <= upto) {
        begin(now);
        process_buffered(now);
    }
    while (!held_.empty() && held_.front().at <= upto) {
        send_receipt(held_.front().id);
        held_.pop_front();
    }
    leave_when_done();
}

void engine::leave_when_done() {
    if (!leaving_ || !held_.empty() || closing_) return;
    closing_ = std::make_unique<close_reason>(close_reason{.cause = close_cause::normal});
    with_.out.touch();
}

// --- MESSAGE: message.cpp ---

// Who is told no is pumped when the outbox has been written.
bool subscription::has_room() const {
    const bool room = !owner_.with_.out.over_limit();
    owner_.turned_away_ |= !room;
    return room;
}
bool subscription::has_room_to_spare() const {
    const bool room = !owner_.with_.out.half_full();
    owner_.turned_away_ |= !room;
    return room;
}
void subscription::deliver(const delivery& d, time_point now) { owner_.deliver(*this, d, now); }

void subscription::on_session(session& claimed, bool, time_point now) {
    auto& owner = owner_; // outlives this, which is gone after claimed() when it was only to be ended
    session_ = &claimed;
    owner.now_ = now;
    owner.claiming_ = nullptr;
    owner.claimed(*this, now);
    owner.process_buffered(now);
    owner.with_.out.touch();
}

void subscription::evict(const close_reason& why, time_point now) {
    session_ = nullptr;
    if (owner_.claiming_ == this) owner_.claiming_ = nullptr;
    owner_.close(why, now);
}

void will_holder::evict(const close_reason& why, time_point now) {
    session_ = nullptr;
    owner_.close(why, now);
}

void engine::on_writable(time_point now) {
    if (closing_) return;
    settling_.swap(sent_automatically_);
    for (const auto& [s, handle] : settling_) {
        if (s->session_ != nullptr) (void)s->session_->settle(handle, settlement::accepted, now);
    }
    settling_.clear();
    trim();
    for (const auto& b : browsers_) {
        if (std::exchange(b->wants_page_, false)) with_.route.next_page(b->cursor_);
    }
    if (!std::exchange(turned_away_, false)) return;
    for (const auto& s : subscriptions_) {
        if (s->session_ != nullptr) s->session_->pump(now);
    }
}

// --- time ---

time_point engine::silent_until() const {
    if (newcomer_) return opened_at_ + with_.bounds.connect_timeout; // unread, but nobody waits for ever
    if (unread_) return never;
    if (!connected_) return opened_at_ + with_.bounds.connect_timeout;
    return expect_every_.count() == 0 ? never : last_in_ + expect_every_ + with_.bounds.stomp_heart_beat_grace; // [STOMP12-BEAT-7]
}

// A beat every n ms means one that leaves before they are over [STOMP12-BEAT-4].
time_point engine::beat_at() const {
    if (!connected_ || send_every_.count() == 0) return never;
    return last_out_ + send_every_ - std::min(send_every_ / 10, milliseconds{1000});
}

time_point engine::open_until(const transaction& t) const {
    return unread_ ? never : t.begun_at + with_.bounds.stomp_transaction_age_max;
}

time_point engine::next_deadline() const {
    if (closing_) return never;
    auto at = std::min({silent_until(), beat_at(), connected_ ? until_ : never});
    for (const auto& [id, t] : transactions_) at = std::min(at, open_until(t));
    return at;
}

void engine::on_reading(bool reads, time_point now) {
    if (reads && unread_) {
        for (auto& [id, t] : transactions_) t.begun_at += now - last_in_;
    }
    unread_ = !reads;
    last_in_ = now;
    opened_at_ = now;
}

void engine::on_deadline(time_point now) {
    if (closing_) return;
    now_ = now;
    const auto& bounds = with_.bounds;
    if (connected_ && until_ <= now) return close({.cause = close_cause::token_expired}, now);
    if (newcomer_ && silent_until() <= now) {
        return close({.cause = close_cause::overload, .detail = stores_will() ? "the will could not be stored in time" : "not authenticated in time"}, now);
    }
    if (silent_until() <= now) {
        const auto why = connected_ ? fmt::format("nothing received for {} ms: heart-beats every {} ms were promised",
                                                  (expect_every_ + bounds.stomp_heart_beat_grace).count(), expect_every_.count())
                                    : std::string{"no CONNECT in time"};
        return close({.cause = close_cause::keepalive, .detail = why}, now);
    }
    for (const auto& [id, t] : transactions_) {
        if (open_until(t) > now) continue;
        return fail_over(limit_kind::transaction_age, fmt::format("transaction {} open for longer than {} s", utf8_prefix(id, 80),
                                                                  bounds.stomp_transaction_age_max.count()));
    }
    if (beat_at() <= now) send("\n", frame_kind::text, now); // [STOMP12-BEAT-5]
}

void engine::on_rights(welcome again, time_point now) {
    if (closing_) return;
    now_ = now;
    until_ = again.until;
    may_.grant(std::move(again.may), with_.admit, with_.bounds.partial_subscriptions == "refuse");
    review_subscriptions();
    with_.out.touch();
}

// --- endings ---

void engine::send_error(std::string_view code, std::string_view what, std::string_view receipt_id,
                        std::string_view extra_headers, time_point now) {
    const auto v = connected_ ? version_ : version::v1_0;
    scratch_ = "ERROR\n";
    (void)append_header(scratch_, "message", utf8_prefix(what, short_message), v); // [STOMP12-ERROR-2]
    (void)append_header(scratch_, "code", code, v);
    if (!receipt_id.empty()) (void)append_header(scratch_, "receipt-id", receipt_id, v); // [STOMP12-ERROR-3]
    scratch_ += extra_headers;
    // [STOMP12-ERROR-4] [STOMP12-TYPE-1]
    scratch_ += fmt::format("content-type:text/plain\ncontent-length:{}\n\n{}", what.size(), what);
    scratch_ += nul;
    send(scratch_, frame_kind::text, now);
}

// The answer to a frame that is wrong: nothing behind it is processed [STOMP12-ERROR-1].
void engine::fail(std::string_view code, std::string what, std::string_view receipt_id, std::string_view extra_headers) {
    if (closing_) return;
    send_error(code, what, receipt_id, extra_headers, now_);
    const auto cause = code == "too_big"    ? close_cause::too_big
                       : code == "bad_utf8" ? close_cause::bad_utf8
                       : code == "forbidden" ? close_cause::forbidden
                       : code == "token_invalid" ? close_cause::not_authenticated
                       : code == "token_expired" ? close_cause::token_expired
                       : code == "overload" || code == "disk_full" ? close_cause::overload
                                            : close_cause::protocol_error;
    if (!connected_) ++with_.route.count().connect_rejected[static_cast<std::size_t>(cause)];
    closing_ = std::make_unique<close_reason>(close_reason{.cause = cause, .detail = std::move(what)});
    held_.clear();
}

void engine::fail_over(limit_kind limit, std::string what, std::string_view receipt_id) {
    if (closing_) return;
    with_.route.count().refuse(limit);
    fail("too_big", std::move(what), receipt_id);
}

void engine::fail_destination(std::string_view destination, std::string what, std::string_view receipt_id) {
    if (const auto by = names_.over(destination)) with_.route.count().refuse(*by);
    fail("protocol_error", std::move(what), receipt_id);
}

void engine::fail_refused(refusal why, std::string_view what, std::string_view receipt_id) {
    if (why == refusal::disk_full) return fail("disk_full", fmt::format("the disk is full: {} is refused", what), receipt_id);
    fail("overload", fmt::format("the store or a limit refuses {}", what), receipt_id);
}

void engine::close(const close_reason& why, time_point now) {
    if (closing_) return;
    std::string_view code = token(why.cause);
    if (why.cause == close_cause::server_drain) code = "server_shutting_down";
    if (why.cause == close_cause::keepalive) code = "heartbeat";
    if (why.cause != close_cause::normal && why.cause != close_cause::peer_gone) {
        send_error(code, why.detail.empty() ? code : std::string_view{why.detail}, "", "", now);
    }
    closing_ = std::make_unique<close_reason>(why);
    held_.clear();
    with_.out.touch();
}

void engine::on_disconnected(time_point now) {
    if (connected_) --with_.route.count().clients[static_cast<std::size_t>(protocol_kind::stomp)];
    // What came before has been processed already [STOMP12-RECEIPT-4]; what was not acknowledged goes to others, or waits for
    // a durable subscription [STOMP12-SUBSCRIBE-8].
    for (const auto& s : subscriptions_) {
        if (claiming_ == s.get()) with_.sessions.abandon(*s);
        if (s->session_ != nullptr) with_.sessions.detach(*s->session_, true, now);
        s->session_ = nullptr;
    }
    claiming_ = nullptr;
    while (!browsers_.empty()) stop(*browsers_.back());
    transactions_.clear(); // [STOMP12-BEGIN-3]
    // Every end but the client's own DISCONNECT publishes the will, as MQTT has it.
    if (auto* const s = std::exchange(will_.session_, nullptr)) {
        const auto* const last_will = s->last_will();
        const bool may = last_will == nullptr || may_.publish(last_will->topic(), last_will->retain()); // by the rules of now
        if (!may && connected_) with_.route.count().drop(drop_reason::acl);
        with_.sessions.detach(*s, connected_ && !leaving_ && may, now);
    }
}

client_info engine::info() const {
    client_info i{.protocol = "stomp",
                  .version = connected_ ? std::string{name(version_)} : "",
                  .client_id = client_id_,
                  .user = login_,
                  .keep_alive_s = static_cast<std::uint32_t>(expect_every_.count() / 1000),
                  .subscriptions = subscriptions_.size() + browsers_.size()};
    for (const auto& s : subscriptions_) {
        i.inflight += s->unacknowledged_.size();
        if (s->session_ != nullptr) i.waiting += s->session_->waiting();
    }
    return i;
}

} // namespace broker::stomp
