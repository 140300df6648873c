// Packet → wire, for what a server sends.
#pragma once

#include "core/outbox.hpp"
#include "protocols/mqtt/packet.hpp"
#include "routing/subscriber.hpp"

#include <string>

namespace broker::mqtt {

struct connack {
    bool session_present = false;
    std::uint8_t code = 0; // 3.x return code or reason code
    // Properties of version 5; zero or empty: left out.
    std::string_view assigned_client_id{};
    std::uint16_t receive_maximum = 0;
    std::uint16_t topic_alias_maximum = 0;
    std::uint32_t maximum_packet_size = 0;
    std::optional<std::uint16_t> server_keep_alive{};
    std::optional<std::uint32_t> session_expiry_interval{};
};

[[nodiscard]] std::string encode_connack(const connack& c, protocol_level level);
// PUBACK, PUBREC, PUBREL, PUBCOMP: the short form when the reason is success.
[[nodiscard]] std::string encode_ack(packet_type type, packet_id id, reason_code reason, protocol_level level);
// SUBACK, UNSUBACK. Version 3 has no codes in UNSUBACK.
[[nodiscard]] std::string encode_suback(packet_type type, packet_id id, const std::vector<std::uint8_t>& codes,
                                        protocol_level level);
[[nodiscard]] std::string encode_disconnect(reason_code reason);
[[nodiscard]] byte_view pingresp();

// One delivery as PUBLISH, straight into the outbox. Returns its size, or 0 when it is larger than `size_max` (then
// nothing was written) [MQTT-3.1.2-24].
std::size_t append_publish(outbox& out, const delivery& d, protocol_level level, std::size_t size_max, time_point now);

} // namespace broker::mqtt
