// Statements of the specifications that need more than one packet and its answer, and no other file proves.
// docs/conformance/mqtt.md lists all of them.
#include "protocols/mqtt/engine.hpp"
#include "support/hex.hpp"
#include "support/test_node.hpp"
#include "support/wire.hpp"

#include <doctest/doctest.h>

using namespace broker;
using namespace broker::test;

namespace {

struct client : test_client {
    explicit client(test_node& node, std::size_t shard = 0) : test_client{node, shard, mqtt::make_engine} {}
    std::string exchange(std::string_view text) {
        receive(wire(text));
        return to_hex(sent());
    }
};

} // namespace

TEST_CASE("MQTT-3.14.4-3: only DISCONNECT with 0x00 drops the will") {
    for (const auto* goodbye : {"e0 00", "e0 01 00", "e0 01 04", "e0 01 80", "e0 01 97"}) {
        test_node node;
        client watcher{node};
        watcher.exchange("10: 'MQTT' 04 02 003c 'w'; 82: 0001 'will' 00");
        client leaving{node};
        leaving.exchange("10: 'MQTT' 05 06 003c [] 'c' [] 'will' 'gone'");
        CHECK(leaving.exchange(goodbye).empty());
        CHECK(leaving.closed());
        leaving.disconnect();
        const bool dropped = goodbye == std::string_view{"e0 00"} || goodbye == std::string_view{"e0 01 00"};
        CHECK(watcher.sent() == (dropped ? "" : wire("30: 'will' \"gone\"")));
    }
}
