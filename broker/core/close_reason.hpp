// Why a connection ends: the causes of docs/close-codes.md, one vocabulary for WebSocket close codes, MQTT 5 reason
// codes and STOMP ERROR codes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace broker {

enum class close_cause : std::uint8_t {
    normal,           // the peer said goodbye, or the protocol's own end
    peer_gone,        // the socket ended without a goodbye
    server_drain,     // we are shutting down
    protocol_error,   // the peer broke a rule
    unsupported_data, // text where only binary is allowed
    bad_utf8,
    policy,
    too_big,
    internal,
    overload,
    not_authenticated,
    token_expired,
    forbidden,
    keepalive, // the peer was silent for longer than it promised
    taken_over,
    kicked,
    rate_limited,
    slow_consumer, // the peer did not take what it was sent
    use_another_server, // for now
    server_moved,       // for good
    banned,
};
inline constexpr std::size_t close_causes = 21;

struct close_reason {
    close_cause cause = close_cause::normal;
    std::string detail{}; // one line for log and client: which rule, which limit; may be empty
    std::string server_reference{}; // where to go instead, for clients that can be told (MQTT 5 §4.11); may be empty
};

// The reason token of the interface ("taken_over"), also the `reason` label of metrics.
[[nodiscard]] std::string_view token(close_cause cause);

} // namespace broker
