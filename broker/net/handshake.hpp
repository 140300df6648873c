// handshake: the HTTP side of a WebSocket connection (RFC 6455 §4), over bytes, without I/O. Parsed by Boost.Beast.
#pragma once

#include "core/bytes.hpp"
#include "core/compression.hpp"
#include "core/limits.hpp"
#include "protocols/websocket/deflate_offer.hpp"
#include "security/credentials.hpp"
#include "security/forwarded.hpp"
#include "security/origin.hpp"

#include <string>
#include <string_view>

namespace broker {

struct handshake_policy { // what it points to outlives the handshake
    const security::proxy_trust* proxies = nullptr;            // null: headers say nothing about where it comes from
    std::optional<security::ip_address> peer{};                // of the socket; needed with proxies
    const security::allowed_origins* origins = nullptr;        // null: pages of everybody
    const security::credential_sources* credentials = nullptr; // where the request may carry them; null: nobody asks
    compression_settings compression{};
    bool over_tls = false;
};

class handshake {
public:
    enum class outcome : std::uint8_t { need_more, accepted, refused };

    explicit handshake(const limits& bounds, const handshake_policy& with = {}) : bounds_{bounds}, policy_{with} {}

    // Bytes of the request, in order. Ignored once the outcome is known.
    void feed(byte_view bytes);

    [[nodiscard]] outcome state() const { return state_; }
    [[nodiscard]] const std::string& response() const { return response_; }       // once not need_more
    [[nodiscard]] const std::string& subprotocol() const { return subprotocol_; } // the token chosen and echoed
    [[nodiscard]] std::string_view reason() const { return reason_; }             // refused: a literal for the log
    [[nodiscard]] const std::optional<websocket::deflate_agreement>& deflate() const { return deflate_; } // once accepted; nothing: no compression
    // What the client sent behind the request, to be read as frames.
    [[nodiscard]] std::string take_pipelined() { return std::move(pipelined_); }
    [[nodiscard]] security::credentials take_credentials() { return std::move(credentials_); }
    // Once not need_more, if proxies are believed: where the client is.
    [[nodiscard]] const std::optional<security::ip_address>& client() const { return client_; }

    // An accepted one is refused after all.
    void turn_away(unsigned status, std::string_view reason, std::string_view extra_headers = "") { refuse(status, reason, extra_headers); }

private:
    void decide(std::size_t request_size);
    void refuse(unsigned status, std::string_view reason, std::string_view extra_headers = "");

    const limits& bounds_;
    handshake_policy policy_;
    security::credentials credentials_;
    std::optional<security::ip_address> client_{};
    std::string buffer_;
    std::string response_;
    std::string subprotocol_;
    std::optional<websocket::deflate_agreement> deflate_{};
    std::string pipelined_;
    std::string_view reason_;
    outcome state_ = outcome::need_more;
};

} // namespace broker
