// MQTT as a client writes and reads it, in the few forms the simulation uses.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace broker::sim::mqtt_wire {

[[nodiscard]] std::string u16(std::size_t v);
[[nodiscard]] std::string u32(std::size_t v);
[[nodiscard]] std::string text(std::string_view s);
[[nodiscard]] std::string packet(int first, const std::string& body);
// With its length in front; version 3 has none.
[[nodiscard]] std::string properties(bool v5, const std::string& block);

struct packet_in {
    int type = 0;
    int flags = 0;
    std::string body{};
};
// Takes the whole packets off the front of `bytes`.
[[nodiscard]] std::vector<packet_in> take_packets(std::string& bytes);

[[nodiscard]] std::size_t u16_at(std::string_view body, std::size_t at);

struct publish_in {
    bool dup = false;
    bool retain = false;
    unsigned level = 0;
    std::string topic{};
    std::size_t id = 0;
    std::optional<std::size_t> expiry_s{};
    std::optional<unsigned> priority{}; // version 3 is not told
    std::string payload{};
};
// The user property "priority".
[[nodiscard]] std::string priority_property(unsigned priority);
[[nodiscard]] publish_in parse_publish(const packet_in& p, bool v5);

// The reason of an acknowledgement; 0 where it is left out.
[[nodiscard]] unsigned reason_of(const packet_in& p, bool v5);
// SUBACK's codes.
[[nodiscard]] std::string codes_of(const packet_in& p, bool v5);

} // namespace broker::sim::mqtt_wire
