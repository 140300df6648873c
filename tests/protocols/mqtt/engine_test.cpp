// MQTT engine: bytes in, bytes out, on a fake clock and a store whose commits the test releases.
#include "protocols/mqtt/engine.hpp"
#include "support/hex.hpp"
#include "support/test_node.hpp"

#include <doctest/doctest.h>

using namespace broker;
using namespace broker::test;

namespace {

struct client : test_client {
    explicit client(test_node& node, std::size_t shard = 0) : test_client{node, shard, mqtt::make_engine} {}
    std::string exchange(const char* digits) {
        receive(hex(digits));
        return to_hex(sent());
    }
};

constexpr auto connect_a = "10 0d 00 04 4d 51 54 54 04 02 00 3c 00 01 61";          // 3.1.1, clean, "a"
constexpr auto connect_b_kept = "10 0d 00 04 4d 51 54 54 04 00 00 3c 00 01 62";     // 3.1.1, persistent, "b"
constexpr auto connect_5 = "10 0e 00 04 4d 51 54 54 05 02 00 3c 00 00 01 63";       // 5, clean, "c"

} // namespace

TEST_CASE("MQTT-3.2.0-1: CONNECT is answered by CONNACK, for each version") {
    test_node node;
    client a{node};
    CHECK(a.exchange(connect_a) == "20 02 00 00");
    client old{node};
    CHECK(old.exchange("10 0f 00 06 4d 51 49 73 64 70 03 02 00 3c 00 01 78") == "20 02 00 00");
    client five{node};
    CHECK(five.exchange(connect_5).starts_with("20 0e 00 00 0b 21 04 00 27 00 40 00 00 22 00 40"));
}

TEST_CASE("MQTT-3.1.0-1, -2: the first packet is CONNECT, and there is one") {
    test_node node;
    client a{node};
    CHECK(a.exchange("c0 00").empty());
    CHECK(a.closed_because() == "protocol_error");
    client b{node};
    b.exchange(connect_a);
    b.exchange(connect_a);
    CHECK(b.closed());
}

TEST_CASE("MQTT-3.1.2-2: unknown protocol level") {
    test_node node;
    client a{node};
    CHECK(a.exchange("10 0d 00 04 4d 51 54 54 09 02 00 3c 00 01 61").starts_with("20 03 00 84"));
    CHECK(a.closed());
}

TEST_CASE("packets may arrive cut anywhere") {
    const auto bytes = hex("10 0d 00 04 4d 51 54 54 04 02 00 3c 00 01 61 82 06 00 01 00 01 74 01 c0 00");
    for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
        test_node node;
        client a{node};
        a.receive(bytes.substr(0, cut));
        a.receive(bytes.substr(cut));
        CHECK(to_hex(a.sent()) == "20 02 00 00 90 03 00 01 01 d0 00");
    }
}

TEST_CASE("QoS 0, 1 and 2 reach a subscriber at the lower of both levels [MQTT-3.8.4-8]") {
    test_node node;
    client sub{node};
    sub.exchange(connect_a);
    CHECK(sub.exchange("82 06 00 01 00 01 74 01") == "90 03 00 01 01");
    client pub{node};
    pub.exchange(connect_5);
    CHECK(pub.exchange("30 05 00 01 74 00 30").empty());
    CHECK(to_hex(sub.sent()) == "30 04 00 01 74 30");
    CHECK(pub.exchange("32 07 00 01 74 00 05 00 31") == "40 02 00 05");
    CHECK(to_hex(sub.sent()) == "32 06 00 01 74 00 01 31");
    CHECK(pub.exchange("34 07 00 01 74 00 06 00 32") == "50 02 00 06");
    CHECK(to_hex(sub.sent()) == "32 06 00 01 74 00 02 32");
    CHECK(pub.exchange("62 02 00 06") == "70 02 00 06");
    CHECK(pub.exchange("32 07 00 01 78 00 07 00 31") == "40 03 00 07 10"); // nobody: 0x10
}

TEST_CASE("MQTT-4.3.2-4: PUBACK waits for the commit when a durable session matched") {
    test_node node;
    client b{node};
    b.exchange(connect_b_kept);
    b.exchange("82 06 00 01 00 01 74 01");
    node.commit_automatically(false);
    client a{node};
    a.exchange(connect_a);
    CHECK(a.exchange("32 06 00 01 74 00 0a 68").empty());
    node.commit();
    CHECK(to_hex(a.sent()) == "40 02 00 0a");
}

TEST_CASE("MQTT-4.3.3-10: a QoS 2 repeat is acknowledged and not delivered again") {
    test_node node;
    client a{node};
    a.exchange(connect_a);
    a.exchange("82 06 00 01 00 01 74 00");
    CHECK(a.exchange("34 06 00 01 74 00 05 68") == "30 04 00 01 74 68 50 02 00 05");
    CHECK(a.exchange("3c 06 00 01 74 00 05 68") == "50 02 00 05");
    CHECK(a.exchange("62 02 00 05") == "70 02 00 05");
}

TEST_CASE("MQTT-4.4.0-1: a persistent session gets what it missed; unacknowledged packets come again with DUP") {
    test_node node;
    {
        client b{node};
        CHECK(b.exchange(connect_b_kept) == "20 02 00 00");
        b.exchange("82 06 00 01 00 01 74 01");
    }
    client a{node};
    a.exchange(connect_a);
    a.exchange("32 06 00 01 74 00 0a 68");
    {
        client b{node};
        CHECK(b.exchange(connect_b_kept) == "20 02 01 00 32 06 00 01 74 00 01 68");
    }
    client b{node};
    CHECK(b.exchange(connect_b_kept) == "20 02 01 00 3a 06 00 01 74 00 01 68");
    CHECK(b.exchange("40 02 00 01").empty());
    CHECK(node.disk().rows(storage::column::entries) == 0);
}

TEST_CASE("retained messages [MQTT-3.3.1-5, -6, -9]") {
    test_node node;
    client a{node};
    a.exchange(connect_a);
    a.exchange("31 04 00 01 74 68");
    CHECK(a.exchange("82 06 00 01 00 01 74 00") == "90 03 00 01 00 31 04 00 01 74 68");
    a.exchange("31 03 00 01 74");
    CHECK(a.exchange("82 06 00 02 00 01 74 00") == "90 03 00 02 00");
}

TEST_CASE("the will is published when the connection is lost, and not after DISCONNECT [MQTT-3.1.2-8, -3.14.4-3]") {
    test_node node;
    client watcher{node};
    watcher.exchange(connect_a);
    watcher.exchange("82 06 00 01 00 01 77 00");
    const auto* const with_will = "10 13 00 04 4d 51 54 54 04 06 00 3c 00 01 62 00 01 77 00 01 6d";
    {
        client lost{node};
        lost.exchange(with_will);
    }
    CHECK(to_hex(watcher.sent()) == "30 04 00 01 77 6d");
    {
        client polite{node};
        polite.exchange(with_will);
        polite.exchange("e0 00");
    }
    CHECK(watcher.sent().empty());
}

TEST_CASE("MQTT-3.1.2-22: one and a half keep alives of silence close the connection") {
    test_node node;
    client a{node};
    a.exchange(connect_a); // 60 s
    node.advance(seconds{89});
    CHECK_FALSE(a.closed());
    node.advance(milliseconds{1400});
    CHECK(a.closed_because() == "keepalive");
}

TEST_CASE("MQTT-3.1.4-3: a second connection takes the session over, on this shard and from another") {
    for (const std::size_t shard : {0U, 1U}) {
        test_node node{2};
        client first{node, 0};
        first.exchange("10 0e 00 04 4d 51 54 54 05 00 00 3c 00 00 01 63");
        client second{node, shard};
        second.receive(hex("10 0e 00 04 4d 51 54 54 05 00 00 3c 00 00 01 63"));
        CHECK(to_hex(first.sent()).ends_with("e0 01 8e"));
        CHECK(first.closed_because() == "taken_over");
        CHECK(to_hex(second.sent()).starts_with("20"));
    }
}

TEST_CASE("a crash loses nothing that was acknowledged, and QoS 2 state survives") {
    test_node node;
    {
        client b{node};
        b.exchange(connect_b_kept);
        b.exchange("82 06 00 01 00 01 74 02");
        b.exchange("34 06 00 01 78 00 09 68"); // QoS 2 to "x", not released yet
    }
    {
        client a{node};
        a.exchange(connect_a);
        CHECK(a.exchange("34 06 00 01 74 00 05 68") == "50 02 00 05");
    }
    node.crash_and_recover();
    client b{node};
    CHECK(b.exchange(connect_b_kept) == "20 02 01 00 34 06 00 01 74 00 01 68");
    CHECK(b.exchange("3c 06 00 01 78 00 09 68") == "50 02 00 09"); // known: not routed again
    CHECK(b.exchange("50 02 00 01") == "62 02 00 01");
    CHECK(b.exchange("70 02 00 01").empty());
}

TEST_CASE("shared subscriptions take turns; wildcards and $ topics") {
    test_node node;
    client one{node};
    client two{node};
    one.exchange(connect_a);
    two.exchange(connect_5);
    one.exchange("82 0f 00 01 00 0a 24 73 68 61 72 65 2f 67 2f 74 00");
    two.exchange("82 10 00 01 00 00 0a 24 73 68 61 72 65 2f 67 2f 74 00");
    client pub{node};
    pub.exchange("10 0d 00 04 4d 51 54 54 04 02 00 3c 00 01 70");
    pub.exchange("30 04 00 01 74 31");
    pub.exchange("30 04 00 01 74 32");
    CHECK_FALSE(one.sent().empty());
    CHECK_FALSE(two.sent().empty());
}

TEST_CASE("packets over the limit are refused before they are buffered") {
    limits small;
    small.max_message_bytes = 1000;
    small.connect_bytes_max = 100;
    test_node node{1, small};
    client early{node};
    early.exchange("10 ff 7f");
    CHECK(early.closed_because() == "too_big");
    client late{node};
    late.exchange(connect_5);
    CHECK(late.exchange("30 ff 7f") == "e0 01 95");
}
