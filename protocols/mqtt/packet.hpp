// Inbound packets as values. Views borrow from the bytes they were decoded from.
#pragma once

#include "core/bytes.hpp"
#include "core/ids.hpp"
#include "core/message.hpp"
#include "protocols/mqtt/property.hpp"
#include "protocols/mqtt/reason_code.hpp"
#include "routing/subscription.hpp"

#include <optional>
#include <string_view>
#include <vector>

namespace broker::mqtt {

enum class packet_type : std::uint8_t {
    connect = 1, connack, publish, puback, pubrec, pubrel, pubcomp, subscribe, suback,
    unsubscribe, unsuback, pingreq, pingresp, disconnect, auth,
};

enum class protocol_level : std::uint8_t { v3_1 = 3, v3_1_1 = 4, v5 = 5 };

// The broken rule, as a literal, and the reason code it is answered with.
struct decode_error {
    reason_code reason = reason_code::malformed_packet;
    std::string_view what{};
};

struct will_part {
    std::string_view topic{};
    byte_view payload{};
    qos level{};
    bool retain = false;
    properties with{};
};

struct connect {
    protocol_level level = protocol_level::v3_1_1;
    bool clean = true;
    std::uint16_t keep_alive_s = 0;
    std::string_view client_id{};
    std::optional<will_part> will{};
    std::optional<std::string_view> user{};
    std::optional<byte_view> password{};
    properties with{};
};

struct publish {
    std::string_view topic{};
    packet_id id{};
    qos level{};
    bool retain = false;
    bool dup = false;
    properties with{};
    byte_view payload{};
};

struct ack { // PUBACK, PUBREC, PUBREL, PUBCOMP
    packet_id id{};
    reason_code reason = reason_code::success;
};

struct subscribe {
    packet_id id{};
    struct item {
        std::string_view filter{};
        subscription_options options{};
    };
    std::vector<item> items{};
    properties with{};
};

struct unsubscribe {
    packet_id id{};
    std::vector<std::string_view> filters{};
};

struct disconnect {
    reason_code reason = reason_code::success;
    properties with{};
};

struct auth {
    reason_code reason = reason_code::success;
    properties with{}; // with an authentication method
};

} // namespace broker::mqtt
