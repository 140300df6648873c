// Wire → packet, for what clients send. Each function gets exactly the packet's remaining length.
#pragma once

#include "core/result.hpp"
#include "protocols/mqtt/packet.hpp"

namespace broker::mqtt {

template <class T>
using decoded = result<T, decode_error>;

struct fixed_header {
    packet_type type{};
    std::uint8_t flags = 0;
    std::size_t header_size = 0; // 2..5 bytes
    bool minimal = true;         // the remaining length is as short as it can be
    std::size_t remaining = 0;
    [[nodiscard]] std::size_t packet_size() const { return header_size + remaining; }
};

// Nothing while the header is incomplete. `level`: of the connection, as far as it is known.
[[nodiscard]] decoded<std::optional<fixed_header>> decode_fixed_header(byte_view bytes, protocol_level level);

// The version in which a CONNECT that cannot be decoded may be answered.
[[nodiscard]] protocol_level level_to_answer(byte_view connect_body);

[[nodiscard]] decoded<connect> decode_connect(byte_reader in);
[[nodiscard]] decoded<publish> decode_publish(byte_reader in, std::uint8_t flags, protocol_level level);
[[nodiscard]] decoded<ack> decode_ack(byte_reader in, packet_type type, protocol_level level);
[[nodiscard]] decoded<subscribe> decode_subscribe(byte_reader in, protocol_level level);
[[nodiscard]] decoded<unsubscribe> decode_unsubscribe(byte_reader in, protocol_level level);
[[nodiscard]] decoded<disconnect> decode_disconnect(byte_reader in, protocol_level level);
[[nodiscard]] decoded<auth> decode_auth(byte_reader in); // version 5

} // namespace broker::mqtt
