// The server's own topics ("$SYS/...", MQTT 5 §4.7.2), and the numbers engines count for them.
#include "protocols/mqtt/client.hpp"

#include "storage/keys.hpp"

using namespace broker;
using namespace broker::test;

namespace {

void announce(test_node& node, std::string_view topic, std::string_view text, std::size_t shard = 0) {
    node.shard(shard).route().announce(
        make_message({.topic = topic, .payload = as_bytes(text), .retain = true, .received_at = node.now()}), node.now());
    node.settle();
}

std::size_t rows(test_node& node) {
    std::size_t n = 0;
    for (const auto in : {storage::column::retained, storage::column::entries, storage::column::messages}) {
        CHECK(node.disk().scan(in, "", "", [&](std::string_view, std::string_view) { return ++n, true; }));
    }
    return n;
}

} // namespace

TEST_CASE("§4.7.2: a new subscriber gets the latest value at once with RETAIN, the next ones without [MQTT-3.3.1-8, -9]") {
    test_node node{2};
    announce(node, "$S/a", "1");
    announce(node, "$S/a", "2");
    client a{node, v311("a"), 1};
    CHECK(a.exchange("82: 0001 '$S/#' 02") == bytes("90: 0001 02; 31: '$S/a' \"2\""));
    announce(node, "$S/a", "3");
    CHECK(a.said() == bytes("30: '$S/a' \"3\""));
    client five{node, v5("c")};
    five.exchange("82: 0001 [] '$S/#' 08"); // retain as published
    announce(node, "$S/a", "4");
    CHECK(five.said() == bytes("31: '$S/a' [] \"4\""));
    CHECK(rows(node) == 0);
    CHECK(node.shard().shared().kept.count() == 0);
}

TEST_CASE("MQTT-4.7.2-1: leading wildcards do not match the server's topics") {
    test_node node;
    announce(node, "$S/a", "1");
    client a{node, v311("a")};
    CHECK(a.exchange("82: 0001 '#' 00 '+/a' 00 '+/#' 00") == bytes("90: 0001 00 00 00"));
    announce(node, "$S/a", "2");
    CHECK(a.said().empty());
}

TEST_CASE("§4.7.2: clients cannot write the server's topics") {
    test_node node;
    announce(node, "$S/a", "1");
    client five{node, v5("c")};
    CHECK(five.exchange("33: '$S/a' 0001 [] \"x\"") == bytes("40: 0001 87")); // not authorized
    CHECK(five.exchange("31: '$S/a' [] \"x\"").empty());
    client three{node, v311("a")}; // cannot be told: acknowledged and discarded [MQTT3-3.3.5-2]
    CHECK(three.exchange("31: '$S/a' \"x\"; 33: '$S/a' 0001 \"x\"; 35: '$S/a' 0002 \"x\"; 62: 0002") ==
          bytes("40: 0001; 50: 0002; 70: 0002"));
    CHECK(node.shard().desk().count().messages_dropped[static_cast<std::size_t>(drop_reason::acl)] == 5);
    CHECK(five.exchange("82: 0001 [] '$S/#' 00") == bytes("90: 0001 [] 00; 31: '$S/a' [] \"1\""));
}

TEST_CASE("a client that is away misses the server's topics: they are neither stored nor counted as without subscriber") {
    test_node node;
    {
        client b{node, v311("b", "00")};
        b.exchange("82: 0001 '$S/#' 02");
    }
    announce(node, "$S/a", "1");
    announce(node, "$T/a", "nobody");
    CHECK(rows(node) == 0);
    CHECK(node.shard().desk().count().messages_dropped[static_cast<std::size_t>(drop_reason::no_subscriber)] == 0);
    client again{node};
    CHECK(again.exchange(v311("b", "00")) == bytes("20: 01 00"));
}

TEST_CASE("the server's topics go on while the store fails") {
    test_node node;
    client a{node, v311("a")};
    a.exchange("82: 0001 '$S/#' 00");
    node.shard().desk().completed(node.shard().desk().durable_upto(), true);
    announce(node, "$S/a", "1");
    CHECK(a.said() == bytes("30: '$S/a' \"1\""));
}

TEST_CASE("packets, connects and clients are counted") {
    constexpr auto mine = static_cast<std::size_t>(protocol_kind::mqtt);
    test_node node;
    const auto& count = node.shard().desk().count();
    {
        client lost{node};
        lost.exchange("c0 00"); // not a CONNECT
        CHECK(count.clients[mine] == 0);
        CHECK(count.connects_received[mine] == 0);
    }
    client a{node, v311("a")};
    a.exchange("c0 00; c0 00");
    CHECK(count.packets_received[mine] == 4);
    CHECK(count.connects_received[mine] == 1);
    CHECK(count.clients[mine] == 1);
    CHECK(count.sessions_online == 1);
    CHECK(a.out().take_packets() == 3); // CONNACK, PINGRESP twice
    a.disconnect();
    CHECK(count.clients[mine] == 0);
    CHECK(count.sessions_online == 0);
}
