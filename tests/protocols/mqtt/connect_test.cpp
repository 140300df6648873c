// CONNECT and CONNACK (MQTT 5 §3.1, §3.2).
#include "protocols/mqtt/client.hpp"
#include "support/doorman.hpp"

using namespace broker;
using namespace broker::test;

TEST_CASE("MQTT-3.2.0-1, MQTT-3.1.4-5, MQTT-3.2.2-1: CONNECT is answered by CONNACK, for each version") {
    test_node node;
    client a{node};
    CHECK(a.exchange(v311("a")) == bytes("20: 00 00"));
    client old{node};
    CHECK(old.exchange(v31("x")) == bytes("20: 00 00"));
    client five{node};
    CHECK(five.exchange(v5("c")) == bytes("20: 00 00 [21 0400 27 00400000 22 0040]"));
}

TEST_CASE("MQTT-3.2.0-1, MQTT-3.2.0-2: CONNACK goes before what the session is owed and what is asked at once, and only once") {
    test_node node;
    client{node, v311("s", "00")}.exchange("82: 0001 't' 01");
    client{node, v311("p")}.exchange("32: 't' 0001 68");
    client again{node};
    CHECK(again.exchange(v311("s", "00") + "; 82: 0002 'u' 00; c0 00") == bytes("20: 01 00; d0 00; 32: 't' 0001 68; 90: 0002 00"));
}

TEST_CASE("MQTT-3.1.0-1, MQTT-3.1.0-2, MQTT-3.2.0-2: the first packet is CONNECT, and there is one") {
    test_node node;
    client a{node};
    CHECK(a.exchange("c0 00").empty());
    CHECK(a.closed_because() == "protocol_error");
    client b{node, v311("b")};
    CHECK(b.exchange(v311("b")).empty());
    CHECK(b.closed_because() == "protocol_error");
    client c{node, v5("c")};
    CHECK_LIKE(c.exchange(v5("c")), "e0 .. 82 *");
    CHECK(c.closed());
}

TEST_CASE("MQTT-3.1.2-1, MQTT-3.1.2-2, MQTT3-3.1.2-1, MQTT3-3.1.2-2: protocol name and level") {
    test_node node;
    client newer{node};
    CHECK_LIKE(newer.exchange("10: 'MQTT' 09 02 003c [] 'a'"), "20 .. 00 84 *");
    CHECK(newer.closed());
    client two{node};
    CHECK(two.exchange("10: 'MQTT' 02 02 003c 'a'") == bytes("20: 00 01"));
    CHECK(two.closed());
    client confused{node}; // not a word of version 5 to a client of 3.1
    CHECK(confused.exchange("10: 'MQIsdp' 05 02 003c 'a'") == bytes("20: 00 01"));
    client bridge{node}; // falls back when it is told 0x01
    CHECK(bridge.exchange("10: 'MQTT' 84 02 003c 'a'") == bytes("20: 00 01"));
    client other{node};
    CHECK(other.exchange("10: 'HTTP' 04 02 003c 'a'").empty());
    CHECK(other.closed());
}

TEST_CASE("packets may arrive cut anywhere [MQTT-6.0.0-2]") {
    const auto all = wire(v311("a") + "; 82: 0001 't' 01; c0 00");
    for (std::size_t cut = 0; cut <= all.size(); ++cut) {
        test_node node;
        client a{node};
        a.receive(all.substr(0, cut));
        a.receive(all.substr(cut));
        CHECK(a.said() == bytes("20: 00 00; 90: 0001 01; d0 00"));
    }
}

TEST_CASE("MQTT-3.1.2-3, MQTT-3.1.4-1, MQTT-3.1.4-6: what does not conform is refused, and nothing behind it is processed") {
    test_node node;
    client a{node};
    CHECK_LIKE(a.exchange("10: 'MQTT' 05 03 003c [] 'a'; 82: 0001 [] 't' 00; c0 00"), "20 .. 00 81 *");
    CHECK(a.closed());
    client b{node}; // [MQTT3-3.1.4-1]: no CONNACK
    CHECK(b.exchange("10: 'MQTT' 04 03 003c 'a'; c0 00").empty());
    CHECK(b.closed());
    CHECK(node.shared().trie.subscriptions() == 0);
}

TEST_CASE("MQTT-3.1.3-5, MQTT-3.1.3-8: client identifiers may be long and of any characters, up to the limit") {
    test_node node;
    for (const auto* id : {"0123456789abcdefghijklm", "0123456789abcdefghijklmnopqrstuvwxyz0123456789", "a b/+#$", "\xc3\xa4"}) {
        for (const auto& hello : {v5(id), v311(id), v31(id)}) client{node, hello}.exchange("e0 00");
    }
    client a{node};
    CHECK_LIKE(a.exchange("10: 'MQTT' 05 02 003c [] 0401 61*1025"), "20 .. 00 85 *");
    CHECK(a.closed());
    client b{node};
    CHECK(b.exchange("10: 'MQTT' 04 02 003c 0401 61*1025") == bytes("20: 00 02"));
}

TEST_CASE("MQTT-3.1.3-6, MQTT-3.1.3-7, MQTT-3.2.2-16: an empty client identifier is replaced by a new one, and the client told") {
    test_node node;
    client taken{node, v5("auto-1", "11 00000064")};
    client a{node};
    CHECK(a.exchange(v5("")) == bytes("20: 00 00 [21 0400 27 00400000 12 'auto-2' 22 0040]"));
    CHECK(taken.exchange("c0 00") == "d0 00"); // nobody took its session
    client b{node};
    CHECK(b.exchange(v5("", "", "00")) == bytes("20: 00 00 [21 0400 27 00400000 12 'auto-3' 22 0040]"));
}

TEST_CASE("MQTT3-3.1.3-6, MQTT3-3.1.3-7, MQTT3-3.1.3-8, MQTT3-3.1.3-9: 3.1.1 needs a clean session for it, 3.1 has none") {
    test_node node;
    client a{node};
    CHECK(a.exchange(v311("")) == bytes("20: 00 00"));
    CHECK(a.get().info().client_id == "auto-1");
    client b{node};
    CHECK(b.exchange(v311("", "00")) == bytes("20: 00 02"));
    CHECK(b.closed());
    client c{node};
    CHECK(c.exchange(v31("")) == bytes("20: 00 02"));
}

TEST_CASE("MQTT-3.2.2-2, MQTT-3.2.2-3, MQTT-3.1.2-4, MQTT-3.1.2-5, MQTT-3.1.2-6, MQTT-3.1.4-4: session present and clean start") {
    test_node node;
    const auto kept = v5("c", "11 00000064", "00");
    {
        client c{node};
        CHECK_LIKE(c.exchange(kept), "20 .. 00 00 *"); // new
        c.exchange("82: 0001 [] 't' 01");
    }
    {
        client c{node};
        CHECK_LIKE(c.exchange(kept), "20 .. 01 00 *");
    }
    client pub{node, v311("p")};
    pub.exchange("32: 't' 0001 68");
    {
        client c{node, v5("c", "11 00000064", "02")}; // clean start
        CHECK(c.after_connack().empty());
        pub.exchange("30: 't' 68");
        CHECK(c.said().empty()); // with nothing of the old one
    }
    client again{node};
    CHECK_LIKE(again.exchange(kept), "20 .. 01 00 *");
    CHECK(again.exchange("a2: 0001 [] 't'") == bytes("b0: 0001 [] 11")); // the subscription is gone for good
}

TEST_CASE("MQTT3-3.1.2-4, MQTT3-3.1.2-5, MQTT3-3.1.2-6, MQTT3-3.2.2-1, MQTT3-3.2.2-2, MQTT3-3.2.2-3: clean session of 3.1.1") {
    test_node node;
    client{node, v311("a", "00")}.exchange("82: 0001 't' 01");
    {
        client a{node};
        CHECK(a.exchange(v311("a", "00")) == bytes("20: 01 00"));
    }
    {
        client a{node};
        CHECK(a.exchange(v311("a", "02")) == bytes("20: 00 00"));
        a.exchange("82: 0001 't' 01");
    }
    client a{node}; // a clean session lives as long as its connection
    CHECK(a.exchange(v311("a", "00")) == bytes("20: 00 00"));
    a.disconnect();
    client old{node}; // 3.1 has no session present flag
    CHECK(old.exchange(v31("a", "00")) == bytes("20: 00 00"));
}

TEST_CASE("MQTT-3.1.2-22, MQTT-3.2.2-22: one and a half keep alives of silence close the connection") {
    test_node node;
    client a{node, v311("a")}; // 60 s
    client b{node, v5("b")};
    node.advance(seconds{89});
    CHECK_FALSE(a.closed());
    b.exchange("c0 00");
    node.advance(milliseconds{1400});
    CHECK(a.closed_because() == "keepalive");
    CHECK(a.said().empty());
    CHECK_FALSE(b.closed());
    node.advance(seconds{90});
    CHECK(b.closed_because() == "keepalive");
    CHECK_LIKE(b.said(), "e0 .. 8d *");
    client never_silent{node, "10: 'MQTT' 04 02 0000 'n'"}; // 0: no keep alive
    node.advance(seconds{100'000});
    CHECK_FALSE(never_silent.closed());
}

TEST_CASE("keep alive and the time for CONNECT do not run while we do not read, and begin anew when we do") {
    limits bounds;
    bounds.connect_timeout = seconds{10};
    test_node node{1, bounds};
    client a{node, v311("a")}; // 60 s
    client late{node};
    for (auto* const c : {&a, &late}) c->get().on_reading(false, node.now());
    node.advance(seconds{1000});
    CHECK_FALSE(a.closed());
    CHECK_FALSE(late.closed());
    for (auto* const c : {&a, &late}) c->get().on_reading(true, node.now());
    node.advance(seconds{9});
    CHECK_FALSE(late.closed());
    node.advance(seconds{2});
    CHECK(late.closed_because() == "keepalive");
    node.advance(seconds{78});
    CHECK_FALSE(a.closed());
    node.advance(seconds{2});
    CHECK(a.closed_because() == "keepalive");
}

TEST_CASE("MQTT-3.2.2-21, MQTT-3.1.2-21: Server Keep Alive is told and used") {
    limits bounds;
    bounds.mqtt_max_keep_alive = seconds{20};
    test_node node{1, bounds};
    client a{node};
    CHECK(a.exchange(v5("a")) == bytes("20: 00 00 [21 0400 27 00400000 22 0040 13 0014]"));
    node.advance(seconds{29});
    CHECK_FALSE(a.closed());
    node.advance(milliseconds{1200});
    CHECK(a.closed_because() == "keepalive");
    client b{node};
    CHECK_LIKE(b.exchange("10: 'MQTT' 05 02 0000 [] 'b'"), "20 * 13 00 14");
    client c{node};
    CHECK(c.exchange("10: 'MQTT' 05 02 000a [] 'c'") == bytes("20: 00 00 [21 0400 27 00400000 22 0040]"));
}

TEST_CASE("no CONNECT in time") {
    test_node node;
    client a{node};
    a.exchange("10");
    node.advance(node.bounds().connect_timeout);
    CHECK(a.closed_because() == "keepalive");
    CHECK(a.said().empty());
}

TEST_CASE("MQTT-3.2.2-9: CONNACK tells the limits, and leaves out what is not limited") {
    limits bounds;
    bounds.mqtt_receive_maximum = 0xFFFF;
    bounds.mqtt_topic_alias_maximum = 0;
    bounds.max_message_bytes = 1000;
    bounds.retained_messages_max = 0;
    bounds.max_session_expiry = seconds{5};
    test_node node{1, bounds};
    client a{node};
    CHECK(a.exchange(v5("a", "11 00000006")) == bytes("20: 00 00 [11 00000005 25 00 27 000003e8]"));
    client b{node};
    CHECK(b.exchange(v5("b", "11 00000004")) == bytes("20: 00 00 [25 00 27 000003e8]"));
}

TEST_CASE("MQTT-3.2.2-13, MQTT-3.2.2-14: without retained messages a retained will is refused, and a retained PUBLISH") {
    limits bounds;
    bounds.retained_messages_max = 0;
    test_node node{1, bounds};
    client a{node};
    CHECK_LIKE(a.exchange("10: 'MQTT' 05 26 003c [] 'a' [] 'w' 'm'"), "20 .. 00 9a *");
    CHECK(a.closed());
    client b{node, v5("b")};
    CHECK_LIKE(b.exchange("31: 't' [] 68"), "e0 .. 9a *");
    CHECK(b.closed());
}

TEST_CASE("MQTT-3.1.2-28: Response Information is returned when it is asked for") {
    test_node node;
    client a{node};
    CHECK(a.exchange(v5("a", "19 01")) == bytes("20: 00 00 [21 0400 27 00400000 22 0040 1a 'response/a']"));
    client b{node};
    CHECK(b.exchange(v5("b", "19 00")) == bytes("20: 00 00 [21 0400 27 00400000 22 0040]"));
    client c{node}; // it would not be a topic
    CHECK(c.exchange(v5("c#", "19 01")) == bytes("20: 00 00 [21 0400 27 00400000 22 0040]"));
    limits bounds;
    bounds.mqtt_response_information.clear();
    test_node without{1, bounds};
    client d{without};
    CHECK(d.exchange(v5("d", "19 01")) == bytes("20: 00 00 [21 0400 27 00400000 22 0040]"));
}

TEST_CASE("MQTT-3.2.2-6, MQTT-3.2.2-7, MQTT-3.2.2-8: a refusal says session present 0 and closes") {
    limits bounds;
    bounds.max_sessions = 1;
    test_node node{1, bounds};
    client kept{node, v5("a", "11 00000064", "00")};
    client b{node};
    CHECK_LIKE(b.exchange(v5("b")), "20 .. 00 97 *");
    CHECK(b.closed());
    client c{node};
    CHECK(c.exchange(v311("c")) == bytes("20: 00 03"));
    CHECK(c.closed());
}

TEST_CASE("packets over the limit are refused before they are buffered [MQTT-3.2.2-15]") {
    limits small;
    small.max_message_bytes = 1000;
    small.connect_bytes_max = 100;
    test_node node{1, small};
    client early{node};
    CHECK(early.exchange("10 ff 7f").empty()); // no telling what version it speaks
    CHECK(early.closed_because() == "too_big");
    client five{node};
    CHECK_LIKE(five.exchange("10 ff 7f 'MQTT' 05"), "20 .. 00 95 *");
    client late{node, v5("c")};
    CHECK_LIKE(late.exchange("30 ff 7f"), "e0 .. 95 *");
    CHECK(late.closed());
}

TEST_CASE("MQTT-3.1.4-2, §4.11: whoever decides who comes in may refuse, and send elsewhere") {
    doorman at_the_gate{""};
    test_node node;
    node.admit = &at_the_gate;
    client welcome{node, "10: 'MQTT' 05 82 003c [] 'a' 'u'"};
    CHECK(at_the_gate.asked == "a u");
    at_the_gate.refusal = close_reason{.cause = close_cause::use_another_server, .server_reference = "b2:1883"};
    client elsewhere{node};
    CHECK(elsewhere.exchange(v5("b")) == bytes("20: 00 9c [1c 'b2:1883']"));
    CHECK(elsewhere.closed_because() == "use_another_server");
    client old{node};
    CHECK(old.exchange(v311("b")) == bytes("20: 00 03"));
    at_the_gate.refusal = close_reason{.cause = close_cause::server_moved, .detail = "for good", .server_reference = "b3"};
    client moved{node};
    CHECK(moved.exchange(v5("b")) == bytes("20: 00 9d [1c 'b3' 1f 'for good']"));
    at_the_gate.refusal = close_reason{.cause = close_cause::not_authenticated};
    client unknown{node};
    CHECK(unknown.exchange(v5("b")) == bytes("20: 00 86 []"));
    client unknown_old{node};
    CHECK(unknown_old.exchange(v311("b")) == bytes("20: 00 04"));
    at_the_gate.refusal = close_reason{.cause = close_cause::forbidden};
    client forbidden{node};
    CHECK(forbidden.exchange(v311("b")) == bytes("20: 00 05"));
    CHECK(node.shard().sessions().size() == 1);
}
