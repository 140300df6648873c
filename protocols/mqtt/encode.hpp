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
    // Properties of version 5; zero, empty or nothing: left out.
    std::string_view assigned_client_id{};
    std::uint16_t receive_maximum = 0;
    std::uint16_t topic_alias_maximum = 0;
    std::uint32_t maximum_packet_size = 0;
    bool retain_available = true;
    std::optional<std::uint16_t> server_keep_alive{};
    std::optional<std::uint32_t> session_expiry_interval{};
    std::optional<std::string_view> authentication_method{};
    std::optional<std::string_view> authentication_data{};
    std::string_view response_information{};
    std::string_view server_reference{};
    std::string_view reason_string{};
};

// Where a packet may say more than its code: what is too much for `size_max`, the client's Maximum Packet Size, is left
// out [MQTT-3.2.2-19, MQTT-3.4.2-2, MQTT-3.5.2-2, MQTT-3.6.2-2, MQTT-3.7.2-2, MQTT-3.9.2-1, MQTT-3.11.2-1, MQTT-3.14.2-3,
// MQTT-3.15.2-2]. We have no user properties to add to these packets [MQTT-3.2.2-20, MQTT-3.4.2-3, MQTT-3.5.2-3,
// MQTT-3.6.2-3, MQTT-3.7.2-3, MQTT-3.9.2-2, MQTT-3.11.2-2, MQTT-3.14.2-4, MQTT-3.15.2-3].
struct wording {
    std::string_view reason_string{};
    std::string_view server_reference{}; // DISCONNECT
    std::size_t size_max = ~std::size_t{0};
};

[[nodiscard]] std::string encode_connack(const connack& c, protocol_level level, std::size_t size_max);
// PUBACK, PUBREC, PUBREL, PUBCOMP: the short form when the reason is success.
[[nodiscard]] std::string encode_ack(packet_type type, packet_id id, reason_code reason, protocol_level level,
                                     const wording& more = {});
// SUBACK, UNSUBACK. Version 3 has no codes in UNSUBACK.
[[nodiscard]] std::string encode_suback(packet_type type, packet_id id, const std::vector<std::uint8_t>& codes,
                                        protocol_level level, const wording& more = {});
[[nodiscard]] std::string encode_disconnect(reason_code reason, const wording& more = {});
[[nodiscard]] std::string encode_auth(reason_code reason, std::string_view method, std::optional<std::string_view> data);
[[nodiscard]] byte_view pingresp();

// How a PUBLISH is written for one client.
struct publish_form {
    protocol_level level = protocol_level::v3_1_1;
    std::size_t size_max = ~std::size_t{0};
    std::uint16_t topic_alias = 0;  // 0: none
    bool topic_known = false;       // the client knows the alias: the topic is left out
};

// One delivery as PUBLISH, straight into the outbox. Returns its size, or 0 when it is larger than form.size_max (then
// nothing was written) [MQTT-3.1.2-24].
std::size_t append_publish(outbox& out, const delivery& d, const publish_form& form, time_point now);

} // namespace broker::mqtt
