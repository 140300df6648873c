// A client of the MQTT engine: bytes in, bytes out, written down as in support/wire.hpp.
#pragma once

#include "protocols/mqtt/engine.hpp"
#include "support/hex.hpp"
#include "support/test_node.hpp"
#include "support/wire.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

namespace broker::test {

// CONNECT packets. `flags`: 02 clean start; a keep alive of 60 s.
inline std::string v5(std::string_view id, std::string_view properties = "", std::string_view flags = "02") {
    return "10: 'MQTT' 05 " + std::string{flags} + " 003c [" + std::string{properties} + "] '" + std::string{id} + "'";
}
inline std::string v311(std::string_view id, std::string_view flags = "02") {
    return "10: 'MQTT' 04 " + std::string{flags} + " 003c '" + std::string{id} + "'";
}
inline std::string v31(std::string_view id, std::string_view flags = "02") {
    return "10: 'MQIsdp' 03 " + std::string{flags} + " 003c '" + std::string{id} + "'";
}

// What packets look like in hex, for comparisons that show both sides.
inline std::string bytes(std::string_view text) { return to_hex(wire(text)); }

struct client : test_client {
    explicit client(test_node& node, std::size_t shard = 0) : test_client{node, shard, mqtt::make_engine} {}
    // Connected with this CONNECT; the answer is read away.
    client(test_node& node, std::string_view connect, std::size_t shard = 0) : client{node, shard} {
        receive(wire(connect));
        const auto answer = sent();
        CHECK_MESSAGE((answer.size() >= 4 && answer[0] == 0x20 && answer[3] == 0), "CONNACK: ", to_hex(answer));
        rest_ = to_hex(answer.substr(2 + static_cast<std::size_t>(answer[1])));
    }
    std::string exchange(std::string_view text) {
        receive(wire(text));
        return to_hex(sent());
    }
    std::string said() { return to_hex(sent()); }
    // What came behind CONNACK.
    [[nodiscard]] const std::string& after_connack() const { return rest_; }

private:
    std::string rest_;
};

} // namespace broker::test

// Does the answer look like the pattern (support/wire.hpp)?
#define CHECK_LIKE(answer, pattern)                                                                          \
    do {                                                                                                     \
        const std::string got_ = (answer);                                                                   \
        CHECK_MESSAGE(::broker::test::looks_like(::broker::test::hex(got_), pattern), "got ", got_, " instead of ", pattern); \
    } while (false)
