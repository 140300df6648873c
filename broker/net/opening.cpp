#include "net/opening.hpp"

#include "net/security_headers.hpp"
#include "protocols/mqtt/engine.hpp"
#include "protocols/stomp/engine.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <array>

namespace broker {

namespace asio = boost::asio;
using boost::system::error_code;

opening::opening(socket_stream& stream, const listener_info& from, const limits& bounds, const security::credential_sources* ask_for,
                 const security::ip_endpoint& peer, doorkeeper& door, doorkeeper::guest& guest)
    : stream_{stream}, info_{from}, bounds_{bounds}, ask_for_{ask_for}, door_{door}, guest_{guest}, client_{peer},
      through_proxy_{from.proxies.trusted.contain(peer.address)}, header_due_{through_proxy_ && from.proxies.header != security::proxy_trust::protocol::off} {}

opening::state opening::go_on(error_code& ec) {
    if (!through_proxy_ && !asked_) {
        if (info_.proxies.header == security::proxy_trust::protocol::required) return refuse(close_cause::policy, "not from a trusted proxy (listener.proxy)");
        if (const auto said = ask_the_door(); said != doorkeeper::verdict::welcome) return turn_away(said);
    }
    if (header_due_) {
        if (const auto after = read_proxy_header(ec); after != state::speaks) return state_ = after;
    }
    if (info_.tls) {
        if (stream_.tls() == nullptr) begin_tls();
        if (const auto after = shake_hands(ec); after != state::speaks) return state_ = after;
    }
    return state_ = begin();
}

doorkeeper::verdict opening::ask_the_door() {
    if (std::exchange(asked_, true) || info_.proxies.trusted.contain(client_.address)) return doorkeeper::verdict::welcome; // a proxy is nobody's address
    return door_.comes_from(guest_, client_.address);
}

// What is not the header stays in the socket.
opening::state opening::read_proxy_header(error_code& ec) {
    std::array<std::uint8_t, security::proxy_header_bytes_max> bytes{};
    std::ranges::copy(front_, bytes.begin());
    const auto there = std::span{bytes}.subspan(front_.size());
    const auto size = stream_.peek(there, ec);
    if (ec == asio::error::would_block) return state::waits;
    if (ec) return state::lost;
    const auto outcome = security::read_proxy_header(std::span{bytes}.first(front_.size() + size));
    const auto take = [&](std::size_t count) {
        error_code failed;
        (void)stream_.read_some(there.first(count), failed); // they have been seen
        front_ += as_text(there.first(count));
    };
    if (std::holds_alternative<security::more_bytes_needed>(outcome)) {
        take(size);
        return state::waits;
    }
    if (const auto* const bad = std::get_if<security::bad_proxy_header>(&outcome)) return refuse(close_cause::protocol_error, std::string{bad->why});
    header_due_ = false;
    if (std::holds_alternative<security::no_proxy_header>(outcome)) {
        if (info_.proxies.header == security::proxy_trust::protocol::required || (info_.tls && !front_.empty())) {
            return refuse(close_cause::protocol_error, "a trusted proxy sent no PROXY header (listener.proxy)");
        }
        return state::speaks;
    }
    const auto& header = std::get<security::proxy_header>(outcome);
    take(header.size - front_.size());
    front_.clear();
    if (header.source) {
        client_ = {*header.source, header.port};
        identity_ = header.common_name;
        if (const auto said = ask_the_door(); said != doorkeeper::verdict::welcome) return turn_away(said);
    }
    return state::speaks;
}

void opening::begin_tls() {
    stream_.speak_tls(info_.tls->current());
    shaking_hands_.emplace(*info_.tls);
}

opening::state opening::shake_hands(error_code& ec) {
    const auto& tls = *stream_.tls();
    stream_.handshake(ec);
    if (ec != asio::error::would_block) shaking_hands_.reset();
    if (!ec) {
        info_.tls->handshakes.fetch_add(1, std::memory_order_relaxed);
        if (auto shown = tls.identity(); !shown.empty()) identity_ = std::move(shown);
        if (tls.resumed()) info_.tls->handshakes_resumed.fetch_add(1, std::memory_order_relaxed);
        return state::speaks;
    }
    if (ec == asio::error::would_block) return state::waits;
    if (ec != boost::system::errc::protocol_error) return state::lost;
    info_.tls->handshakes_failed.fetch_add(1, std::memory_order_relaxed);
    spdlog::info("listener {}: TLS handshake with {} failed: {}", info_.name, client_.text(), tls.problem());
    const bool http = tls.met_http();
    stream_.speak_plain();
    return refuse(close_cause::protocol_error, "TLS handshake failed",
                  http ? std::string{"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n"}
                             .append(security_headers)
                             .append("\r\nThis port speaks TLS: use https:// or wss://.\n")
                       : "");
}

opening::state opening::begin() {
    rest_ = std::move(front_);
    switch (info_.kind) {
    case listener_kind::websocket:
        upgrade_.emplace(bounds_, handshake_policy{.proxies = through_proxy_ ? &info_.proxies : nullptr,
                                                   .peer = client_.address,
                                                   .origins = info_.origins ? &*info_.origins : nullptr,
                                                   .credentials = ask_for_,
                                                   .compression = info_.compression,
                                                   .over_tls = info_.tls != nullptr});
        break;
    case listener_kind::tcp: break;
    case listener_kind::mqtt: maker_ = mqtt::make_engine; return state::known;
    case listener_kind::stomp: maker_ = stomp::make_engine; return state::known;
    }
    if (rest_.empty()) return state::speaks;
    auto first = std::exchange(rest_, {});
    return feed({reinterpret_cast<std::uint8_t*>(first.data()), first.size()});
}

opening::state opening::feed(std::span<std::uint8_t> bytes) { return state_ = upgrade_ ? upgrade(bytes) : sniff(bytes); }

opening::state opening::upgrade(std::span<std::uint8_t> bytes) {
    upgrade_->feed(bytes);
    if (upgrade_->state() == handshake::outcome::need_more) return state::speaks;
    if (upgrade_->client() && *upgrade_->client() != client_.address) client_ = {*upgrade_->client(), 0};
    if (const auto said = ask_the_door(); said == doorkeeper::verdict::banned) {
        upgrade_->turn_away(403, "this address is banned");
        (void)turn_away(said);
    } else if (said == doorkeeper::verdict::too_many) {
        upgrade_->turn_away(429, "too many connections of this address (limits.per_ip.connections)", "Retry-After: 10\r\n");
        (void)turn_away(said);
    } else if (upgrade_->state() == handshake::outcome::refused) {
        upgrade_refused_ = true;
        (void)refuse(close_cause::protocol_error, fmt::format("handshake refused: {}", upgrade_->reason()));
    } else {
        maker_ = find_subprotocol(upgrade_->subprotocol())->make;
        rest_ = upgrade_->take_pipelined();
    }
    answer_ = upgrade_->response();
    return maker_ == nullptr ? state::refused : state::known;
}

// MQTT begins with a CONNECT packet, 0x10; STOMP with a command or an empty line.
opening::state opening::sniff(std::span<std::uint8_t> bytes) {
    const auto first = bytes.front();
    if (first == 0x10) {
        maker_ = mqtt::make_engine;
    } else if (first == 'C' || first == 'S' || first == '\n' || first == '\r') {
        maker_ = stomp::make_engine;
    } else {
        return refuse(close_cause::protocol_error, "neither an MQTT CONNECT nor a STOMP frame");
    }
    rest_ = as_text(bytes);
    return state::known;
}

opening::state opening::turn_away(doorkeeper::verdict said) {
    return refuse(said == doorkeeper::verdict::banned ? close_cause::banned : close_cause::overload, "");
}

opening::state opening::refuse(close_cause cause, std::string detail, std::string answer) {
    why_ = {.cause = cause, .detail = std::move(detail)};
    answer_ = std::move(answer);
    return state_ = state::refused;
}

} // namespace broker
