#include "cli/bench/client.hpp"

#include "cli/command.hpp"

#include <fmt/format.h>

#include <random>

namespace broker::cli::bench {

namespace {

constexpr std::size_t packet_max = 257UL * 1024 * 1024; // MQTT's 256 MiB and a head

std::string origin_of(const target& to) {
    return fmt::format("{}:{}", to.host.contains(':') ? fmt::format("[{}]", to.host) : to.host, to.port);
}

} // namespace

client::client(const options& o, const address& to, watcher& w, assignment a)
    : with_{o}, watcher_{w}, assigned_{std::move(a)}, stream_{std::make_unique<stream>(to)}, writer_{std::random_device{}()} {}

std::string client::password() const { return with_.token.empty() || with_.to.websocket ? with_.password : with_.token; }

void client::end(int status, std::string why) { // by value: it may be the stream's
    if (has_ended()) return;
    state_ = state::ended;
    stream_.reset();
    watcher_.ended(*this, status, why);
}

void client::on_ready(bool readable, bool writable, std::span<char> buffer) {
    if (state_ == state::connecting) return advance();
    if (writable) flush();
    if (readable && !has_ended()) read(buffer);
}

void client::advance() {
    switch (stream_->advance()) {
    case stream::state::wants_read: wants_to_write_ = false; return;
    case stream::state::wants_write: wants_to_write_ = true; return;
    case stream::state::failed: return end(no_broker, stream_->why());
    case stream::state::open: break;
    }
    wants_to_write_ = false;
    if (with_.to.websocket) {
        state_ = state::upgrading;
        out_ += websocket::request({.host = origin_of(with_.to),
                                    .path = with_.to.path,
                                    .subprotocols = with_.speaks == protocol::stomp ? "v12.stomp" : "mqtt",
                                    .authorization = with_.token.empty() ? "" : "Bearer " + with_.token});
        announce();
    } else {
        state_ = state::greeting;
        connect();
    }
}

void client::read(std::span<char> buffer) {
    for (int times = 0; times != 4 || stream_->is_tls(); ++times) { // with TLS: until it has nothing; the socket cannot tell
        const auto got = stream_->read(buffer);
        if (got < 0) return end(no_broker, stream_->why());
        if (got == 0) return;
        take_in(buffer.first(static_cast<std::size_t>(got)));
        if (has_ended() || (!stream_->is_tls() && static_cast<std::size_t>(got) < buffer.size())) return;
    }
}

void client::take_in(std::span<char> bytes) {
    std::string after; // the upgrade
    if (state_ == state::upgrading) {
        in_.append(bytes.data(), bytes.size());
        const auto head = websocket::accepted(in_);
        if (!head) return end(head.error().status == 401 || head.error().status == 403 ? not_authorised : no_broker, head.error().why);
        if (!*head) return;
        after = in_.substr(**head);
        in_.clear();
        bytes = after;
        state_ = state::greeting;
        connect();
    }
    if (with_.to.websocket) {
        const auto size = reader_.take(bytes, [this](websocket::opcode what, std::string_view payload) { on_control(what, payload); });
        if (has_ended()) return;
        if (!size) return end(refused, "what it sent are no WebSocket frames");
        bytes = bytes.first(*size);
    }
    std::string_view rest{bytes.data(), bytes.size()};
    if (!in_.empty()) {
        in_.append(rest);
        rest = in_;
    }
    parse(rest);
    if (has_ended()) return;
    if (rest.size() > packet_max) return end(refused, fmt::format("it sent a packet of over {} bytes", packet_max));
    if (in_.empty()) in_.assign(rest);
    else in_.erase(0, in_.size() - rest.size());
}

void client::on_control(websocket::opcode what, std::string_view payload) {
    if (has_ended()) return;
    if (what == websocket::opcode::ping) {
        writer_.begin(out_, websocket::opcode::pong, payload.size());
        out_ += payload;
        finish();
    }
    if (what != websocket::opcode::close) return;
    if (payload.size() < 2) return end(no_broker, "it closed the WebSocket");
    const auto code = static_cast<unsigned>(static_cast<unsigned char>(payload[0])) << 8 | static_cast<unsigned char>(payload[1]);
    end(code == 4401 || code == 4403 || code == 1008 ? not_authorised : no_broker,
        fmt::format("it closed the WebSocket with {} {}", code, payload.substr(2)));
}

void client::on_connected(std::uint16_t receive_maximum, std::uint16_t keep_alive_s) {
    receive_maximum_ = receive_maximum;
    keep_alive_s_ = keep_alive_s;
    if (assigned_.subscribes_to.empty()) return on_subscribed();
    state_ = state::subscribing;
    subscribe();
}

void client::on_subscribed() {
    state_ = state::open;
    watcher_.opened(*this);
}

void client::append(std::string_view packet) {
    begin(packet.size());
    out_ += packet;
    finish();
}

void client::begin(std::size_t size) {
    if (with_.to.websocket) writer_.begin(out_, with_.speaks == protocol::stomp ? websocket::opcode::text : websocket::opcode::binary, size);
}

void client::finish() {
    if (with_.to.websocket) writer_.end(out_);
    announce();
}

void client::announce() {
    if (!announced_) watcher_.has_output(*this);
    announced_ = true;
}

void client::flush() {
    announced_ = false;
    if (has_ended() || state_ == state::connecting) return;
    while (written_ != out_.size()) {
        const auto sent = stream_->write(std::string_view{out_}.substr(written_));
        // Why it was closed is in what it has sent before: the reader finds it, and the end.
        if (sent < 0) break;
        if (sent == 0) {
            wants_to_write_ = true;
            return;
        }
        written_ += static_cast<std::size_t>(sent);
    }
    last_sent_ = steady::now();
    out_.clear();
    written_ = 0;
    wants_to_write_ = false;
    watcher_.drained(*this);
}

void client::keep_alive(steady::time_point now) {
    if (is_open() && keep_alive_s_ != 0 && now - last_sent_ > std::chrono::seconds{keep_alive_s_} / 2) ping();
}

void client::leave() {
    if (has_ended()) return;
    if (state_ == state::open) {
        disconnect();
        if (with_.to.websocket) {
            writer_.begin(out_, websocket::opcode::close, 2);
            out_ += "\x03\xe8"; // 1000
            finish();
        }
        flush();
        stream_->shut_down();
    }
    state_ = state::ended;
    stream_.reset();
}

} // namespace broker::cli::bench
