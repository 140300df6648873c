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
    std::size_t remaining = 0;
    [[nodiscard]] std::size_t packet_size() const { return header_size + remaining; }
};

// Nothing while the header is incomplete.
[[nodiscard]] decoded<std::optional<fixed_header>> decode_fixed_header(byte_view bytes);

[[nodiscard]] decoded<connect> decode_connect(byte_reader in);
[[nodiscard]] decoded<publish> decode_publish(byte_reader in, std::uint8_t flags, protocol_level level);
[[nodiscard]] decoded<ack> decode_ack(byte_reader in, packet_type type, protocol_level level);
[[nodiscard]] decoded<subscribe> decode_subscribe(byte_reader in, protocol_level level);
[[nodiscard]] decoded<unsubscribe> decode_unsubscribe(byte_reader in, protocol_level level);
[[nodiscard]] decoded<disconnect> decode_disconnect(byte_reader in, protocol_level level);

} // namespace broker::mqtt
