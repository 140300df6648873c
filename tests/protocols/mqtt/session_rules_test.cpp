// CONNECT, CONNACK, sessions, wills, DISCONNECT: statements of §3.1, §3.2, §3.14, §4.1.
#include "protocols/mqtt/rules_bench.hpp"

using namespace broker;
using namespace broker::test;
using client = rules_client;

namespace {

constexpr std::string_view kept_3 = "10: 'MQTT' 04 00 0000 'kept'";
constexpr std::string_view clean_3 = "10: 'MQTT' 04 02 0000 'kept'";
constexpr std::string_view kept_5 = "10: 'MQTT' 05 00 0000 [11 00000064] 'kept'"; // 100 s
constexpr std::string_view clean_5 = "10: 'MQTT' 05 02 0000 [11 00000064] 'kept'";

void publish(test_node& node, std::string_view text) {
    client pub{node};
    pub.connect(publisher);
    (void)pub.exchange(text);
}

} // namespace

TEST_CASE("MQTT-3.1.2-4, MQTT-3.2.2-2: clean start discards the session; MQTT-3.1.2-6: without one a new one is made") {
    for (const auto& [kept, clean] : {std::pair{kept_3, clean_3}, std::pair{kept_5, clean_5}}) {
        test_node node;
        {
            client first{node};
            first.connect(kept);
            CHECK_FALSE(first.session_present());
            (void)first.exchange(kept == kept_3 ? "82: 0001 't' 01" : "82: 0001 [] 't' 01");
        }
        publish(node, "32: 't' 0001 68");
        {
            client again{node};
            CHECK(again.connect(clean).empty());
            CHECK_FALSE(again.session_present());
        }
        client later{node};
        CHECK(later.connect(kept).empty()); // the subscription is gone too
        publish(node, "32: 't' 0001 68");
        CHECK(later.got().empty());
    }
}

TEST_CASE("MQTT-3.1.2-5, MQTT-3.2.2-3, MQTT-4.5.0-1: the session of the client identifier is resumed, with what it is owed") {
    for (const auto kept : {kept_3, kept_5}) {
        test_node node;
        {
            client first{node};
            first.connect(kept);
            (void)first.exchange(kept == kept_3 ? "82: 0001 't' 01" : "82: 0001 [] 't' 01");
        }
        publish(node, "32: 't' 0001 \"one\"; 34: 't' 0002 \"two\"; 62: 0002; 30: 't' \"zero\"");
        {
            client other{node}; // its own identifier, its own session [MQTT-3.1.3-2]
            CHECK(other.connect("10: 'MQTT' 04 00 0000 'other'").empty());
            CHECK_FALSE(other.session_present());
        }
        client again{node};
        const auto owed = again.connect(kept);
        CHECK(again.session_present());
        CHECK(again.connack[2] == '\x01'); // bits 7 to 1 are zero [MQTT-3.2.2-1]
        CHECK(owed == (kept == kept_3 ? hexed({"32: 't' 0001 \"one\"", "32: 't' 0002 \"two\""})
                                      : hexed({"32: 't' 0001 [] \"one\"", "32: 't' 0002 [] \"two\""})));
    }
}

TEST_CASE("MQTT3-3.2.0-1: version 3.1 has no session present flag; the byte stays zero") {
    test_node node;
    for (int i = 0; i != 2; ++i) {
        client old{node};
        old.connect("10: 'MQIsdp' 03 00 0000 'kept'");
        CHECK(to_hex(old.connack) == "20 02 00 00");
    }
}

TEST_CASE("MQTT-3.2.0-1, MQTT-3.2.0-2, MQTT-3.1.4-5: CONNACK comes first, and once") {
    test_node node;
    {
        client first{node};
        first.connect(kept_3);
        (void)first.exchange("82: 0001 't' 01");
    }
    publish(node, "32: 't' 0001 68");
    client again{node};
    again.receive(wire(std::string{kept_3} + "; 82: 0002 'u' 00; c0 00"));
    const auto all = again.got();
    REQUIRE(all.size() == 4);
    CHECK(all[0] == "20 02 01 00");
    CHECK(std::ranges::count_if(all, [](const auto& p) { return p.starts_with("20 "); }) == 1);
}

TEST_CASE("MQTT-3.1.2-23, MQTT-4.1.0-1, MQTT-4.1.0-2: a session lasts while connected, then for its expiry") {
    test_node node;
    {
        client first{node};
        first.connect("10: 'MQTT' 05 00 0000 [11 00000005] 'kept'");
        node.advance(seconds{100});
        CHECK_FALSE(first.closed());
    }
    node.advance(seconds{4});
    {
        client in_time{node};
        in_time.connect("10: 'MQTT' 05 00 0000 [11 00000005] 'kept'");
        CHECK(in_time.session_present());
    }
    node.advance(seconds{6});
    client late{node};
    late.connect("10: 'MQTT' 05 00 0000 [11 00000005] 'kept'");
    CHECK_FALSE(late.session_present());
}

TEST_CASE("MQTT3-3.1.2-4, MQTT3-4.1.0-1: a session with clean session 0 outlasts its connection, however long it takes") {
    test_node node;
    {
        client first{node};
        first.connect(kept_3);
        (void)first.exchange("e0 00");
    }
    node.advance(seconds{1'000'000});
    client again{node};
    again.connect(kept_3);
    CHECK(again.session_present());
}

TEST_CASE("MQTT3-3.1.2-6: a session with clean session 1 ends with its connection") {
    test_node node;
    {
        client first{node};
        first.connect(clean_3);
        (void)first.exchange("82: 0001 't' 01");
    }
    publish(node, "32: 't' 0001 68");
    client again{node};
    CHECK(again.connect(kept_3).empty());
    CHECK_FALSE(again.session_present());
}

TEST_CASE("MQTT3-3.1.2-7: retained messages outlive the session of who published them") {
    test_node node;
    {
        client first{node};
        first.connect(clean_3);
        (void)first.exchange("33: 't' 0001 68");
    }
    client other{node};
    other.connect(publisher);
    CHECK(other.exchange("82: 0001 't' 00") == hexed({"90: 0001 00", "31: 't' 68"}));
}

TEST_CASE("MQTT-3.1.3-6, MQTT-3.1.3-7, MQTT-3.2.2-16: each empty client identifier gets one of its own, and is told") {
    test_node node;
    client one{node};
    client two{node};
    one.connect("10: 'MQTT' 05 02 0000 [] ''");
    two.connect("10: 'MQTT' 05 02 0000 [] ''");
    const auto first = connack_properties(one.connack);
    const auto second = connack_properties(two.connack);
    REQUIRE(first.contains(0x12));
    REQUIRE(second.contains(0x12));
    CHECK(first.at(0x12) != second.at(0x12));
    CHECK_FALSE(one.closed()); // not taken over by the second
    client named{node};
    named.connect("10: 'MQTT' 05 02 0000 [] 'mine'");
    CHECK_FALSE(connack_properties(named.connack).contains(0x12));
}

TEST_CASE("MQTT-3.2.2-22: without a server keep alive the client's holds; MQTT-3.1.2-22: with the server's that one does") {
    test_node node;
    client own{node};
    own.connect("10: 'MQTT' 05 02 000a [] 'own'");
    CHECK_FALSE(connack_properties(own.connack).contains(0x13));
    node.advance(seconds{14});
    CHECK_FALSE(own.closed());
    node.advance(seconds{2});
    CHECK(own.closed_because() == "keepalive");

    limits strict;
    strict.mqtt_max_keep_alive = seconds{4};
    test_node other{1, strict};
    client told{other};
    told.connect("10: 'MQTT' 05 02 000a [] 'told'");
    CHECK(connack_properties(told.connack).at(0x13) == wire("0004"));
    other.advance(seconds{7});
    CHECK(told.closed_because() == "keepalive");
}

TEST_CASE("MQTT-3.1.2-28, MQTT-4.12.0-6: CONNACK has no response information nobody asked for, and no authentication method") {
    test_node node;
    for (const auto* wish : {"", "19 00"}) {
        client c{node};
        c.connect(std::string{"10: 'MQTT' 05 02 0000 ["} + wish + "] 'c'");
        CHECK_FALSE(connack_properties(c.connack).contains(0x1a));
        CHECK_FALSE(connack_properties(c.connack).contains(0x15));
        CHECK_FALSE(connack_properties(c.connack).contains(0x16));
    }
}

// --- wills ---

TEST_CASE("MQTT-3.1.2-7, MQTT-3.1.2-8, MQTT-3.1.2-10: a will is published when its connection is lost, once") {
    for (const auto* connect : {"10: 'MQTT' 04 04 0000 'mortal' 'will' 'gone'", "10: 'MQTT' 05 04 0000 [] 'mortal' [] 'will' 'gone'"}) {
        test_node node;
        client watcher{node};
        watcher.connect(publisher);
        (void)watcher.exchange("82: 0001 'will' 00");
        {
            client mortal{node};
            mortal.connect(connect);
            node.advance(seconds{10});
            CHECK(watcher.got().empty());
        }
        CHECK(watcher.got() == hexed({"30: 'will' \"gone\""}));
        {
            client without{node}; // the same session, and no will any more [MQTT3-3.1.2-12]
            without.connect("10: 'MQTT' 04 00 0000 'mortal'");
        }
        node.advance(seconds{1000});
        CHECK(watcher.got().empty());
    }
}

TEST_CASE("MQTT-3.1.2-8: a protocol error and a keep alive that runs out publish the will too") {
    for (const bool error : {true, false}) {
        test_node node;
        client watcher{node};
        watcher.connect(publisher);
        (void)watcher.exchange("82: 0001 'will' 00");
        client mortal{node};
        mortal.connect("10: 'MQTT' 04 06 000a 'mortal' 'will' 'gone'");
        if (error) {
            (void)mortal.exchange("00 00");
        } else {
            node.advance(seconds{16});
        }
        CHECK(mortal.closed());
        mortal.disconnect();
        CHECK(watcher.got() == hexed({"30: 'will' \"gone\""}));
    }
}

TEST_CASE("MQTT-3.1.2-14, MQTT-3.1.2-15: the will is retained when it says so") {
    for (const bool retain : {false, true}) {
        test_node node;
        {
            client mortal{node};
            mortal.connect(retain ? "10: 'MQTT' 04 2e 0000 'mortal' 'will' 'gone'" : "10: 'MQTT' 04 0e 0000 'mortal' 'will' 'gone'");
        }
        client later{node};
        later.connect(publisher);
        CHECK(later.exchange("82: 0001 'will' 01") == (retain ? hexed({"90: 0001 01", "33: 'will' 0001 \"gone\""}) : hexed({"90: 0001 01"})));
    }
}

TEST_CASE("MQTT-3.1.3-9, MQTT-3.1.2-8: a delayed will waits, is forgotten when the client is back, comes when the session ends") {
    test_node node;
    client watcher{node};
    watcher.connect(publisher);
    (void)watcher.exchange("82: 0001 'will' 00");
    const auto* const with_delay = "10: 'MQTT' 05 04 0000 [11 00000064] 'mortal' [18 0000000a] 'will' 'gone'"; // 10 s
    {
        client mortal{node};
        mortal.connect(with_delay);
    }
    node.advance(seconds{9});
    CHECK(watcher.got().empty());
    {
        client back{node};
        back.connect(with_delay);
    }
    node.advance(seconds{9});
    CHECK(watcher.got().empty());
    node.advance(seconds{2});
    CHECK(watcher.got() == hexed({"30: 'will' \"gone\""}));
    {
        client brief{node};
        brief.connect("10: 'MQTT' 05 06 0000 [11 00000002] 'brief' [18 00000064] 'will' 'gone'"); // 2 s session, 100 s delay
    }
    node.advance(seconds{3});
    CHECK(watcher.got() == hexed({"30: 'will' \"gone\""}));
}

TEST_CASE("MQTT-3.1.3-10, MQTT-3.3.2-18: user properties of a will and of a message come in their order") {
    test_node node;
    client watcher{node};
    watcher.connect("10: 'MQTT' 05 02 0000 [] 'watcher'");
    (void)watcher.exchange("82: 0001 [] 'will' 00");
    {
        client mortal{node};
        mortal.connect("10: 'MQTT' 05 06 0000 [] 'mortal' [26 'b' '1' 26 'a' '2' 26 'b' '1' 03 't'] 'will' 'gone'");
    }
    CHECK(watcher.got() == hexed({"30: 'will' [26 'b' '1' 26 'a' '2' 26 'b' '1' 03 't'] \"gone\""}));
}

// --- the end ---

TEST_CASE("MQTT3-3.1.4-2: a client that connects again ends its earlier connection without a word") {
    test_node node;
    client first{node};
    first.connect(kept_3);
    client second{node};
    second.connect(kept_3);
    CHECK(second.session_present());
    CHECK(first.sent().empty());
    CHECK(first.closed_because() == "taken_over");
}

TEST_CASE("MQTT-3.14.4-3: only DISCONNECT with 0x00 drops the will") {
    for (const auto* goodbye : {"e0 00", "e0 01 00", "e0 01 04", "e0 01 80", "e0 01 97"}) {
        test_node node;
        client watcher{node};
        watcher.connect(publisher);
        (void)watcher.exchange("82: 0001 'will' 00");
        client leaving{node};
        leaving.connect("10: 'MQTT' 05 06 0000 [] 'c' [] 'will' 'gone'");
        CHECK(leaving.exchange(goodbye).empty());
        CHECK(leaving.closed());
        leaving.disconnect();
        const bool dropped = goodbye == std::string_view{"e0 00"} || goodbye == std::string_view{"e0 01 00"};
        CHECK(watcher.got() == (dropped ? packets{} : hexed({"30: 'will' \"gone\""})));
        client old{node};
        old.connect("10: 'MQTT' 04 06 0000 'c' 'will' 'gone'");
        (void)old.exchange("e0 00");
        old.disconnect();
        CHECK(watcher.got().empty());
    }
}

TEST_CASE("MQTT-3.14.2-2, MQTT-3.14.4-1, MQTT-3.14.4-2: the server's DISCONNECT has no session expiry and is its last word") {
    test_node node;
    client first{node};
    first.connect(kept_5);
    client second{node};
    second.connect(kept_5);
    const auto goodbye = first.sent();
    REQUIRE(looks_like(goodbye, "e0 .. 8e *"));
    if (goodbye.size() > 3) CHECK_FALSE(properties_at(goodbye, 3).contains(0x11));
    CHECK(first.closed());
    first.receive(wire("c0 00"));
    CHECK(first.sent().empty());
    publish(node, "32: 't' 0001 68");
    CHECK(first.sent().empty());
}

TEST_CASE("§3.14.2.2.2: DISCONNECT changes the session expiry") {
    test_node node;
    {
        client shorter{node};
        shorter.connect(kept_5);
        (void)shorter.exchange("e0: 00 [11 00000002]");
    }
    node.advance(seconds{3});
    client again{node};
    again.connect(kept_5);
    CHECK_FALSE(again.session_present());
}
