// What the *_rules_test.cpp files share: a client that speaks in wire() and reads what it got packet by packet. They prove
// statements that take more than one packet and its answer; docs/conformance/mqtt.md lists all statements.
#pragma once

#include "protocols/mqtt/corpus.hpp"
#include "protocols/mqtt/engine.hpp"
#include "support/hex.hpp"
#include "support/test_node.hpp"
#include "support/wire.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>

namespace broker::test {

using packets = std::vector<std::string>; // as hex

// CONNECT of clients without a past and without a future.
inline constexpr std::string_view five = "10: 'MQTT' 05 02 0000 [] 'five'";
inline constexpr std::string_view three = "10: 'MQTT' 04 02 0000 'three'";
inline constexpr std::string_view publisher = "10: 'MQTT' 04 02 0000 'pub'";

struct rules_client : test_client {
    explicit rules_client(test_node& node, std::size_t shard = 0) : test_client{node, shard, mqtt::make_engine} {}

    // The packets that came, each as hex.
    packets got() {
        packets all;
        for (const auto& p : split_mqtt(sent())) all.push_back(to_hex(p));
        return all;
    }
    packets exchange(std::string_view text) {
        receive(wire(text));
        return got();
    }
    // CONNECT, answered with success; what comes behind CONNACK (a session that is resumed) is returned.
    packets connect(std::string_view text) {
        receive(wire(text));
        auto all = split_mqtt(sent());
        REQUIRE_FALSE(all.empty());
        REQUIRE(looks_like(all.front(), "20 .. .. 00 *"));
        connack = all.front();
        packets rest;
        for (std::size_t i = 1; i != all.size(); ++i) rest.push_back(to_hex(all[i]));
        return rest;
    }
    [[nodiscard]] bool session_present() const { return connack.at(2) == '\x01'; }

    std::string connack;
};

inline packets hexed(std::initializer_list<std::string_view> texts) {
    packets all;
    for (const auto text : texts) all.push_back(to_hex(wire(text)));
    return all;
}

// The property block that begins at `at` (behind its length, which is one byte): identifier → value, as it stands.
inline std::map<unsigned, std::string> properties_at(std::string_view bytes, std::size_t at) {
    std::map<unsigned, std::string> found;
    const auto byte = [&](std::size_t i) { return static_cast<unsigned>(static_cast<unsigned char>(bytes.at(i))); };
    REQUIRE(byte(at) < 0x80);
    const auto end = at + 1 + byte(at);
    for (auto i = at + 1; i < end;) {
        const auto id = byte(i++);
        std::size_t size = 0;
        switch (id) {
        case 0x01: case 0x17: case 0x19: case 0x24: case 0x25: case 0x28: case 0x29: case 0x2a: size = 1; break;
        case 0x13: case 0x21: case 0x22: case 0x23: size = 2; break;
        case 0x02: case 0x11: case 0x18: case 0x27: size = 4; break;
        case 0x0b: size = 1; break; // small ones
        case 0x26: {
            const auto name = byte(i) << 8 | byte(i + 1);
            size = 2 + name + 2 + (byte(i + 2 + name) << 8 | byte(i + 3 + name));
            break;
        }
        default: size = 2 + (byte(i) << 8 | byte(i + 1));
        }
        found[id] = std::string{bytes.substr(i, size)};
        i += size;
    }
    return found;
}
inline std::map<unsigned, std::string> connack_properties(const std::string& connack) { return properties_at(connack, 4); }

} // namespace broker::test

template <>
struct doctest::StringMaker<broker::test::packets> {
    static String convert(const broker::test::packets& all) {
        std::string text;
        for (const auto& p : all) text += (text.empty() ? "" : " | ") + p;
        return text.c_str();
    }
};
