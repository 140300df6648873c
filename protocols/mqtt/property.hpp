// Properties (MQTT 5 §2.2.2): which identifiers a packet may carry, their types, and a decoder for all of them.
#pragma once

#include "core/byte_reader.hpp"
#include "core/result.hpp"
#include "protocols/mqtt/reason_code.hpp"

#include <array>
#include <optional>
#include <string_view>

namespace broker::mqtt {

enum class property_id : std::uint8_t {
    payload_format_indicator = 0x01,
    message_expiry_interval = 0x02,
    content_type = 0x03,
    response_topic = 0x08,
    correlation_data = 0x09,
    subscription_identifier = 0x0B,
    session_expiry_interval = 0x11,
    assigned_client_identifier = 0x12,
    server_keep_alive = 0x13,
    authentication_method = 0x15,
    authentication_data = 0x16,
    request_problem_information = 0x17,
    will_delay_interval = 0x18,
    request_response_information = 0x19,
    response_information = 0x1A,
    server_reference = 0x1C,
    reason_string = 0x1F,
    receive_maximum = 0x21,
    topic_alias_maximum = 0x22,
    topic_alias = 0x23,
    maximum_qos = 0x24,
    retain_available = 0x25,
    user_property = 0x26,
    maximum_packet_size = 0x27,
    wildcard_subscription_available = 0x28,
    subscription_identifier_available = 0x29,
    shared_subscription_available = 0x2A,
};

// Where a property block stands.
enum class property_place : std::uint8_t { connect, will, publish, ack, subscribe, unsubscribe, disconnect, auth };

struct properties {
    // By identifier; nothing: absent. What a broker has no use for is checked and not kept here.
    std::optional<std::uint32_t> session_expiry_interval{};
    std::optional<std::uint32_t> message_expiry_interval{};
    std::optional<std::uint32_t> will_delay_interval{};
    std::optional<std::uint32_t> maximum_packet_size{};
    std::optional<std::uint32_t> subscription_identifier{};
    std::optional<std::uint16_t> receive_maximum{};
    std::optional<std::uint16_t> topic_alias_maximum{};
    std::optional<std::uint16_t> topic_alias{};
    std::optional<std::uint8_t> payload_format_indicator{};
    bool request_problem_information = true;   // §3.1.2.11.7: 1 when absent
    bool request_response_information = false; // §3.1.2.11.6: 0 when absent
    std::optional<std::string_view> response_topic{};
    std::optional<std::string_view> authentication_method{};
    std::optional<byte_view> authentication_data{};
    byte_view raw{};            // the whole block
    bool only_passed_on = true; // the block holds nothing but what is kept with a message (core/properties.hpp)
};

struct property_error {
    reason_code reason = reason_code::malformed_packet;
    std::string_view what{};
};

// A variable byte integer (MQTT 5 §1.5.5); fails the reader when it is longer than four bytes, or than it need be.
[[nodiscard]] std::uint32_t read_variable_integer(byte_reader& in);
// A UTF-8 string (§1.5.4): valid UTF-8 without U+0000, else the reader fails.
[[nodiscard]] std::string_view read_utf8(byte_reader& in);

// The block's length and the block.
[[nodiscard]] result<properties, property_error> read_properties(byte_reader& in, property_place at);

// Copies of a block only what is kept with a message, in order.
void copy_passed_on(byte_view block, std::string& to);

} // namespace broker::mqtt
