// What a connection knows of the listener it came by.
#pragma once

#include "core/compression.hpp"
#include "security/forwarded.hpp"
#include "security/origin.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace broker {

class tls_endpoint;

enum class listener_kind : std::uint8_t { websocket, mqtt, stomp, tcp };
[[nodiscard]] std::string_view scheme(listener_kind kind, bool over_tls); // of its URL: "ws", "mqtts"

struct listener_info {
    std::string name;
    listener_kind kind = listener_kind::websocket;
    bool dotted = false; // STOMP destinations separate levels by '.'
    std::optional<security::allowed_origins> origins{}; // of WebSocket; nothing: pages of everybody
    std::shared_ptr<tls_endpoint> tls{}; // null: plain
    security::proxy_trust proxies{};
    compression_settings compression{}; // of WebSocket
    std::size_t connections_max = 0; // 0: as many as in all
    std::unique_ptr<std::atomic<std::size_t>> open = std::make_unique<std::atomic<std::size_t>>(0); // connections
};

} // namespace broker
