#include "protocols/stomp/engine.hpp"

#include "core/properties.hpp"
#include "core/utf8.hpp"
#include "protocols/stomp/destination.hpp"
#include "protocols/stomp/header_escape.hpp"
#include "protocols/stomp/reserved.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace broker::stomp {

namespace {

constexpr std::string_view nul{"\0", 1};
constexpr int grace = 2; // a peer may be silent for twice what it promised [STOMP12 §Heart-beating: error margin]

void append_header(std::string& to, std::string_view key, std::string_view value, version v) {
    append_escaped(to, key, v);
    to += ':';
    append_escaped(to, value, v);
    to += '\n';
}

std::string base64url(std::string_view bytes) {
    constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    std::string text;
    unsigned bits = 0;
    int held = 0;
    for (const char c : bytes) {
        bits = bits << 8 | static_cast<unsigned char>(c);
        for (held += 8; held >= 6; held -= 6) text += digits[bits >> (held - 6) & 63];
    }
    if (held > 0) text += digits[bits << (6 - held) & 63];
    return text;
}

} // namespace

std::unique_ptr<broker::engine> make_engine(const engine_context& with, time_point now) {
    return std::make_unique<engine>(with, now);
}

engine::engine(const engine_context& with, time_point now)
    : with_{with}, parser_{with_.bounds}, opened_at_{now}, last_in_{now}, last_out_{now}, now_{now} {}

// --- bytes ---

void engine::on_bytes(byte_view input, time_point now) {
    if (closing_) return;
    now_ = now;
    last_in_ = now;
    if (leaving_) return; // nothing behind a DISCONNECT counts
    if (paused()) {
        buffer_ += as_text(input);
        if (buffer_.size() > with_.bounds.max_message_bytes) fail("too_big", "too much sent while a session was moving");
        return;
    }
    process(input, now);
}

void engine::process(byte_view bytes, time_point now) {
    const auto used = parser_.feed(bytes, [&](const frame& f) {
        dispatch(f, now);
        return !closing_ && !paused();
    });
    if (closing_) return;
    if (const auto& e = parser_.error()) return fail(e->code, e->what, e->receipt);
    buffer_ = as_text(bytes.subspan(used));
}

void engine::dispatch(const frame& f, time_point now) {
    ++with_.route.count().packets_received[static_cast<std::size_t>(protocol_kind::stomp)];
    const bool connect = f.command == "CONNECT" || f.command == "STOMP";
    if (!connected_) {
        if (!connect) return fail("protocol_error", "the first frame must be CONNECT or STOMP");
        return on_connect(f, now);
    }
    if (connect) return fail("protocol_error", "a second CONNECT", f.get("receipt"));
    if (f.command == "SEND") return on_send(f, now);
    if (!f.body.empty()) { // [STOMP12 §Body]: only SEND, MESSAGE and ERROR have one
        return fail("protocol_error", f.command + " has a body", f.get("receipt"));
    }
    if (f.command == "SUBSCRIBE") return on_subscribe(f, now);
    if (f.command == "UNSUBSCRIBE") return on_unsubscribe(f, now);
    if (f.command == "ACK") return on_ack(f, settlement::accepted, now);
    if (f.command == "NACK" && version_ != version::v1_0) {
        return on_ack(f, f.get("requeue") == "false" ? settlement::reject : settlement::requeue, now);
    }
    if (f.command == "BEGIN") return on_begin(f);
    if (f.command == "COMMIT") return on_commit(f, now);
    if (f.command == "ABORT") return on_abort(f);
    if (f.command == "DISCONNECT") return on_disconnect(f);
    fail("protocol_error", "unknown command " + f.command.substr(0, 40), f.get("receipt"));
}

// --- frames out ---

void engine::send(std::string_view bytes, time_point now) {
    last_out_ = now;
    with_.out.append(as_bytes(bytes), is_utf8(bytes) ? frame_kind::text : frame_kind::binary);
}

void engine::receipt(const frame& f, ticket at) {
    if (const auto id = f.find("receipt")) receipt(*id, at);
}

void engine::receipt(std::string_view id, ticket at) {
    std::string bytes = "RECEIPT\n";
    append_header(bytes, "receipt-id", id, version_);
    bytes += '\n';
    bytes += nul;
    if (held_.empty() && with_.route.is_durable(at)) return send(bytes, now_);
    if (!held_.empty()) at = std::max(at, held_.back().at); // in order
    held_.push_back({at, std::move(bytes)});
}

void engine::on_durable(ticket upto, time_point now) {
    if (closing_) return;
    while (!held_.empty() && held_.front().at <= upto) {
        send(held_.front().bytes, now);
        held_.pop_front();
    }
    leave_when_done();
}

void engine::leave_when_done() {
    if (!leaving_ || !held_.empty() || closing_) return;
    closing_ = close_reason{.cause = close_cause::normal};
    with_.out.touch();
}

std::string engine::error_frame(std::string_view code, std::string_view what, std::string_view receipt_id,
                                std::string_view extra_headers) const {
    const auto v = connected_ ? version_ : version::v1_0;
    std::string bytes = "ERROR\n";
    append_header(bytes, "message", what.substr(0, 200), v);
    append_header(bytes, "code", code, v);
    if (!receipt_id.empty()) append_header(bytes, "receipt-id", receipt_id, v);
    bytes += extra_headers;
    bytes += fmt::format("content-type:text/plain\ncontent-length:{}\n\n{}", what.size(), what);
    bytes += nul;
    return bytes;
}

void engine::fail(std::string_view code, std::string what, std::string_view receipt_id, std::string_view extra_headers) {
    if (closing_) return;
    send(error_frame(code, what, receipt_id, extra_headers), now_);
    const auto cause = code == "too_big"    ? close_cause::too_big
                       : code == "bad_utf8" ? close_cause::bad_utf8
                       : code == "overload" ? close_cause::overload
                                            : close_cause::protocol_error;
    closing_ = close_reason{.cause = cause, .detail = std::move(what)};
    held_.clear();
}

void engine::close(const close_reason& why, time_point now) {
    if (closing_) return;
    std::string_view code = token(why.cause);
    if (why.cause == close_cause::server_drain) code = "server_shutting_down";
    if (why.cause == close_cause::keepalive) code = "heartbeat";
    if (why.cause != close_cause::normal && why.cause != close_cause::peer_gone) {
        send(error_frame(code, why.detail.empty() ? code : std::string_view{why.detail}, "", ""), now);
    }
    closing_ = why;
    held_.clear();
    with_.out.touch();
}

// --- MESSAGE ---

bool subscription::has_room() const { return !owner_.with_.out.over_limit(); }
void subscription::deliver(const delivery& d, time_point now) { owner_.deliver(*this, d, now); }

void subscription::on_session(session& claimed, bool, time_point now) {
    session_ = &claimed;
    owner_.now_ = now;
    owner_.claiming_ = nullptr;
    owner_.subscribed(*this, now);
    const auto waiting = std::exchange(owner_.buffer_, {});
    owner_.process(as_bytes(waiting), now);
    owner_.with_.out.touch();
}

void subscription::evict(const close_reason& why, time_point now) {
    session_ = nullptr;
    if (owner_.claiming_ == this) owner_.claiming_ = nullptr;
    owner_.close(why, now);
}

void engine::deliver(subscription& to, const delivery& d, time_point now) {
    auto& count = with_.route.count();
    if (closing_) return;
    if (d.level == qos::at_most_once && with_.out.over_limit()) return count.drop(drop_reason::queue_full);
    const auto& m = *d.message;
    const auto id = fmt::format("{}-{}-{}", to.number_, d.handle, m.id().value());
    auto& h = head_;
    h = "MESSAGE\n";
    append_header(h, "destination", destination_of(m.topic()), version_);
    append_header(h, "message-id", id, version_);
    append_header(h, "subscription", to.id_, version_);
    if (d.handle != 0 && to.mode_ == ack_mode::automatic) { // durable: sending it is the acknowledgement
        sent_automatically_.emplace_back(&to, d.handle);
    } else if (d.handle != 0) {
        to.unacknowledged_.push_back({.handle = d.handle, .id = m.id()});
        if (version_ == version::v1_2) append_header(h, "ack", id, version_);
    }
    if (d.redelivered) append_header(h, "redelivered", "true", version_);
    if (d.redelivery_count != 0) append_header(h, "redelivery-count", fmt::to_string(d.redelivery_count), version_);
    if (d.retain) append_header(h, "retain", "true", version_);
    if (m.expires_at() != never) append_header(h, "expires", fmt::to_string(epoch_ms(m.expires_at())), version_);
    property_reader properties{m.properties()};
    while (const auto p = properties.next()) {
        switch (p->kind) {
        case property_kind::payload_format: break;
        case property_kind::content_type: append_header(h, "content-type", p->value, version_); break;
        case property_kind::response_topic: append_header(h, "reply-to", destination_of(p->value), version_); break;
        case property_kind::correlation_data:
            append_header(h, "correlation-id", is_utf8(p->value) ? std::string{p->value} : base64url(p->value), version_);
            break;
        case property_kind::user_property:
            // Any publisher's choice, so never a header that frames the body or means something to the client's library.
            if (!p->name.empty() && !is_reserved(p->name)) append_header(h, p->name, p->value, version_);
            break;
        }
    }
    h += fmt::format("content-length:{}\n\n", m.payload().size());
    const auto kind = is_utf8(as_text(m.payload())) ? frame_kind::text : frame_kind::binary;
    with_.out.append(as_bytes(h), d.message, as_bytes(nul), kind);
    last_out_ = now;
    constexpr auto mine = static_cast<std::size_t>(protocol_kind::stomp);
    ++count.messages_sent[mine][static_cast<std::size_t>(d.level)];
    count.message_bytes_sent[mine] += m.payload().size();
}

void engine::on_writable(time_point now) {
    if (closing_) return;
    for (const auto& [s, handle] : std::exchange(sent_automatically_, {})) {
        if (s->session_ != nullptr) (void)s->session_->settle(handle, settlement::accepted, now);
    }
    for (const auto& s : subscriptions_) {
        if (s->session_ != nullptr) s->session_->pump(now);
    }
}

// --- time ---

time_point engine::next_deadline() const {
    if (closing_) return never;
    if (!connected_) return opened_at_ + with_.bounds.connect_timeout;
    auto at = never;
    if (send_every_.count() != 0) at = std::min(at, last_out_ + send_every_);
    if (expect_every_.count() != 0) at = std::min(at, last_in_ + expect_every_ * grace);
    return at;
}

void engine::on_deadline(time_point now) {
    if (closing_) return;
    now_ = now;
    if (!connected_) {
        if (opened_at_ + with_.bounds.connect_timeout <= now) {
            close({.cause = close_cause::keepalive, .detail = "no CONNECT in time"}, now);
        }
        return;
    }
    if (expect_every_.count() != 0 && last_in_ + expect_every_ * grace <= now) {
        return close({.cause = close_cause::keepalive,
                      .detail = fmt::format("nothing received for {} ms", expect_every_.count() * grace)},
                     now);
    }
    if (send_every_.count() != 0 && last_out_ + send_every_ <= now) send("\n", now);
}

// --- endings ---

void engine::on_disconnected(time_point now) {
    if (connected_) --with_.route.count().clients[static_cast<std::size_t>(protocol_kind::stomp)];
    for (const auto& s : subscriptions_) {
        if (claiming_ == s.get()) with_.sessions.abandon(*s);
        if (s->session_ != nullptr) with_.sessions.detach(*s->session_, true, now);
        s->session_ = nullptr;
    }
    claiming_ = nullptr;
}

client_info engine::info() const {
    client_info i{.protocol = "stomp",
                  .version = connected_ ? std::string{name(version_)} : "",
                  .client_id = client_id_,
                  .user = login_,
                  .keep_alive_s = static_cast<std::uint32_t>(expect_every_.count() / 1000),
                  .subscriptions = subscriptions_.size()};
    for (const auto& s : subscriptions_) {
        i.inflight += s->unacknowledged_.size();
        if (s->session_ != nullptr) i.waiting += s->session_->waiting();
    }
    return i;
}

} // namespace broker::stomp
