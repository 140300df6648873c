// opening: a connection before its protocol is known: the PROXY header of a trusted proxy, the TLS handshake, then the upgrade request or
// the first bytes. Where the client comes from is found out here, and whether it is served.
// Threading: the connection's shard.
#pragma once

#include "core/close_reason.hpp"
#include "core/limits.hpp"
#include "net/doorkeeper.hpp"
#include "net/handshake.hpp"
#include "net/listener_info.hpp"
#include "net/socket_stream.hpp"
#include "net/tls_endpoint.hpp"
#include "protocols/subprotocol.hpp"

#include <functional>
#include <optional>
#include <string>

namespace broker {

class opening {
public:
    // All outlive it. `ask_for`: where a request may carry credentials; null: nobody asks.
    opening(socket_stream& stream, const listener_info& from, const limits& bounds, const security::credential_sources* ask_for,
            const security::ip_endpoint& peer, doorkeeper& door, doorkeeper::guest& guest);

    enum class state : std::uint8_t {
        waits,   // for the socket to become readable: go_on()
        speaks,  // the protocol's bytes are due: feed()
        known,   // maker(), take_rest()
        refused, // why(), answer()
        lost     // the socket failed
    };
    [[nodiscard]] state now() const { return state_; }

    state go_on(boost::system::error_code& ec);
    state feed(std::span<std::uint8_t> bytes);

    [[nodiscard]] engine_maker maker() const { return maker_; }
    [[nodiscard]] std::string take_rest() { return std::move(rest_); } // the client's bytes that are the engine's
    [[nodiscard]] std::string take_answer() { return std::move(answer_); } // to be sent; of one who is refused, it may be empty
    [[nodiscard]] std::optional<websocket::deflate_agreement> deflate() const { return upgrade_ ? upgrade_->deflate() : std::nullopt; }
    [[nodiscard]] security::credentials take_credentials() { return upgrade_ ? upgrade_->take_credentials() : security::credentials{}; }
    [[nodiscard]] const close_reason& why() const { return why_; }
    [[nodiscard]] bool upgrade_refused() const { return upgrade_refused_; }

    // Of the client, as far as it is known.
    [[nodiscard]] const security::ip_endpoint& client() const { return client_; }
    [[nodiscard]] const std::string& identity() const { return identity_; } // of its certificate

private:
    state read_proxy_header(boost::system::error_code& ec);
    void begin_tls();
    state shake_hands(boost::system::error_code& ec);
    state begin();
    state upgrade(std::span<std::uint8_t> bytes);
    state sniff(std::span<std::uint8_t> bytes);
    state refuse(close_cause cause, std::string detail, std::string answer = {});
    state turn_away(doorkeeper::verdict said); // not welcome
    // The address is the client's own.
    [[nodiscard]] doorkeeper::verdict ask_the_door();

    socket_stream& stream_;
    const listener_info& info_;
    const limits& bounds_;
    const security::credential_sources* ask_for_;
    doorkeeper& door_;
    doorkeeper::guest& guest_;
    security::ip_endpoint client_;
    std::string identity_;
    const bool through_proxy_;
    bool header_due_;
    bool asked_ = false;
    bool upgrade_refused_ = false;
    state state_ = state::waits;
    std::optional<tls_endpoint::under_way> shaking_hands_{};
    std::string front_; // of a PROXY header that is not complete
    std::optional<handshake> upgrade_;
    engine_maker maker_ = nullptr;
    std::string rest_;
    std::string answer_;
    close_reason why_;
};

} // namespace broker
