// mqtt: the packets of MQTT 3.1.1 and 5 a load generator sends and reads. It shares no code with the broker, so that no mistake is made
// on both sides.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace broker::cli::bench::mqtt {

enum class type : std::uint8_t {
    connect = 1, connack = 2, publish = 3, puback = 4, pubrec = 5, pubrel = 6, pubcomp = 7, subscribe = 8, suback = 9, pingreq = 12,
    pingresp = 13, disconnect = 14
};

// Views into what was received.
struct packet {
    type what{};
    std::uint8_t flags = 0;
    std::uint16_t id = 0;
    std::uint8_t reason = 0; // CONNACK, SUBACK, acknowledgements, DISCONNECT
    std::string_view payload{};
    std::uint16_t receive_maximum = 65'535; // of CONNACK
    std::uint16_t keep_alive_s = 60;        // of CONNACK
    std::string_view reason_string{};

    [[nodiscard]] unsigned qos() const { return (flags >> 1) & 3U; }
};

struct login {
    std::string client_id{};
    std::string user{};
    std::string password{};
};

inline constexpr std::uint16_t keep_alive_s = 60;

[[nodiscard]] std::string connect(bool v5, const login& as);
[[nodiscard]] std::string subscribe(bool v5, std::string_view filter, unsigned qos);
// All of a PUBLISH but its packet identifier (left out at QoS 0) and what follows that.
[[nodiscard]] std::string publish_head(bool v5, std::string_view topic, unsigned qos, std::size_t payload_size);
// PUBACK, PUBREC, PUBREL, PUBCOMP: four bytes.
void append_answer(std::string& to, type what, std::uint16_t id);

// Takes a whole packet off the front; nothing: it is not whole yet. Unexpected: not MQTT.
[[nodiscard]] std::expected<std::optional<packet>, std::string> take(std::string_view& bytes, bool v5);

// A refusal in words, with its code: of CONNACK, SUBACK, PUBACK and DISCONNECT.
[[nodiscard]] std::string words_for(const packet& p, bool v5);
[[nodiscard]] bool is_not_authorised(const packet& p, bool v5);

} // namespace broker::cli::bench::mqtt
