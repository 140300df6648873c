// Receive Maximum and Maximum Packet Size in both directions, and what acknowledgements say (MQTT 5 §4.9, §3.1.2.11, §4.13).
#include "protocols/mqtt/client.hpp"

#include "protocols/mqtt/corpus.hpp"

using namespace broker;
using namespace broker::test;

TEST_CASE("MQTT-3.3.4-7, MQTT-4.9.0-1: our Receive Maximum is enforced, each exchange counted until it ends") {
    limits bounds;
    bounds.mqtt_receive_maximum = 2;
    test_node node{1, bounds};
    client{node, v311("s", "00")}.exchange("82: 0001 't' 01"); // so that PUBACK has to wait
    client a{node, v5("a")};
    CHECK(a.exchange("34: 't' 0001 [] 31; 34: 't' 0002 [] 32") == bytes("50: 0001; 50: 0002"));
    CHECK(a.exchange("3c: 't' 0001 [] 31") == bytes("50: 0001")); // a repeat is none of its own
    CHECK(a.exchange("62: 0001; 34: 't' 0003 [] 33") == bytes("70: 0001; 50: 0003"));
    CHECK_LIKE(a.exchange("32: 't' 0004 [] 34"), "e0 .. 93 *");
    CHECK(a.closed());

    client b{node, v5("b")};
    for (int i = 0; i != 5; ++i) CHECK(b.exchange("32: 't' 0001 [] 31") == bytes("40: 0001"));
    for (int i = 0; i != 5; ++i) CHECK_LIKE(b.exchange("34: '$SYS/x' 0001 [] 31"), "50 .. 0001 87 *"); // ended by the error
    node.commit_automatically(false);
    CHECK(b.exchange("32: 't' 0001 [] 31; 82: 0002 [] 'x' 00; 32: 't' 0003 [] 31").empty()); // SUBACK is no publication
    CHECK_FALSE(b.closed());
    node.commit();
    CHECK(b.said() == bytes("40: 0001; 90: 0002 [] 00; 40: 0003"));
    CHECK(b.exchange("32: 't' 0001 [] 31; 32: 't' 0002 [] 31").empty());
    CHECK_LIKE(b.exchange("32: 't' 0003 [] 31"), "e0 .. 93 *");
    client c{node, v311("c")}; // 3.1.1 was told no maximum
    node.commit_automatically(true);
    CHECK(c.exchange("34: 't' 0001 31; 34: 't' 0002 31; 34: 't' 0003 31") == bytes("50: 0001; 50: 0002; 50: 0003"));
}

TEST_CASE("§4.9: the quota begins anew with each connection, whatever an earlier one left open") {
    limits bounds;
    bounds.mqtt_receive_maximum = 2;
    test_node node{1, bounds};
    client{node, v5("a", "11 00000064", "00")}.exchange("34: 't' 0001 [] 31; 34: 't' 0002 [] 32");
    client a{node, v5("a", "11 00000064", "00")};
    CHECK_LIKE(a.exchange("34: 't' 0003 [] 33; 34: 't' 0004 [] 34"), "50 .. 0003 10 50 .. 0004 10");
    CHECK(a.exchange("62: 0001; 62: 0002; 62: 0003; 62: 0004") == bytes("70: 0001; 70: 0002; 70: 0003; 70: 0004"));
}

TEST_CASE("MQTT-3.3.4-9, MQTT-4.9.0-2, MQTT-3.3.4-10, MQTT-4.9.0-3: the client's Receive Maximum is kept, and holds up nothing else") {
    test_node node;
    client sub{node, v5("s", "21 0002 11 00000064", "00")};
    sub.exchange("82: 0001 [] 't' 02");
    client pub{node, v311("p")};
    pub.exchange("34: 't' 0001 31; 34: 't' 0002 32; 34: 't' 0003 33");
    CHECK(sub.said() == bytes("34: 't' 0001 [] 31; 34: 't' 0002 [] 32"));
    CHECK(sub.exchange("c0 00; 82: 0001 [] 'x' 00") == bytes("d0 00; 90: 0001 [] 00"));
    pub.exchange("30: 't' 39");
    CHECK(sub.said() == bytes("30: 't' [] 39")); // QoS 0 does not count
    CHECK(sub.exchange("50: 0001") == bytes("62: 0001")); // PUBREC does not end it
    CHECK(sub.exchange("70: 0001") == bytes("34: 't' 0003 [] 33"));
    pub.exchange("34: 't' 0004 34");
    CHECK(sub.exchange("50: 0002 80") == bytes("34: 't' 0004 [] 34")); // an error does
    sub.disconnect();
    client one{node, v5("s", "21 0001 11 00000064", "00")}; // also for what is sent again
    CHECK(one.after_connack() == bytes("3c: 't' 0003 [] 33"));
    CHECK(one.exchange("50: 0003") == bytes("62: 0003"));
    CHECK(one.exchange("70: 0003") == bytes("3c: 't' 0004 [] 34"));
}

TEST_CASE("MQTT-3.1.2-24, MQTT-3.1.2-25: what is over the client's Maximum Packet Size is dropped as if it had been delivered") {
    test_node node;
    client sub{node, v5("s", "27 00000014 21 0001 11 00000064", "00")}; // 20 bytes
    sub.exchange("82: 0001 [] 't' 02");
    client pub{node, v311("p")};
    for (const auto* level : {"30: 't' ", "32: 't' 0001 ", "34: 't' 0002 "}) pub.exchange(std::string{level} + "61*20");
    pub.exchange("62: 0002");
    CHECK(sub.said().empty());
    CHECK(node.disk().rows(storage::column::entries) == 0);
    CHECK(node.disk().rows(storage::column::outbound_qos2) == 0);
    CHECK(node.shard().desk().count().messages_dropped[static_cast<std::size_t>(drop_reason::too_big)] == 3);
    pub.exchange("32: 't' 0001 61*12"); // exactly 20, and the window is free
    CHECK_LIKE(sub.said(), "32 12 00 01 74 00 .. 00 61*");
    pub.exchange("30: 't' 61*14");
    CHECK_LIKE(sub.said(), "30 12 00 01 74 00 61*");
    pub.exchange("30: 't' 61*15");
    CHECK(sub.said().empty());
}

TEST_CASE("MQTT-3.1.2-24: nothing else exceeds it either; a client that could not even read CONNACK is told so") {
    test_node node;
    client small{node};
    CHECK(small.exchange(v5("s", "27 00000005")) == bytes("20: 00 95 []"));
    CHECK(small.closed_because() == "too_big");
    client tiny{node};
    CHECK(tiny.exchange(v5("s", "27 00000002")).empty());
    CHECK(tiny.closed());
    client fits{node};
    CHECK(fits.exchange(v5("s", "27 00000012")) == bytes("20: 00 00 [21 0400 27 00400000 22 0040]")); // 18 bytes
    CHECK(fits.exchange("82: 0001 [] 'a' 00 'b' 00 'c' 00 'd' 00 'e' 00 'f' 00 'g' 00 'h' 00 'i' 00 'j' 00 'k' 00 'l' 00 'm' 00 'n' 00 'o' 00")
              .empty()); // SUBACK of 20 bytes
    CHECK(fits.exchange("c0 00") == bytes("d0 00"));
}

TEST_CASE("MQTT-3.4.2-2, MQTT-3.5.2-2, MQTT-3.6.2-2, MQTT-3.7.2-2, MQTT-3.9.2-1, MQTT-3.14.2-3: reason strings as long as they fit") {
    test_node node;
    const auto said = [&](std::string_view properties, std::string_view text) {
        client c{node, v5("c", properties)};
        return c.exchange(text);
    };
    struct row {
        const char* send;
        const char* answer; // without a reason string
    };
    for (const auto& r : {row{"32: 't' 0001 [01 01] ff", "40: 0001 99"}, row{"34: 't' 0001 [01 01] ff", "50: 0001 99"},
                          row{"50: 0001", "62: 0001 92"}, row{"62: 0001", "70: 0001 92"}, row{"82: 0001 [] 'a#' 00", "90: 0001 [] 8f"},
                          row{"f0: 19 [15 'm']", "e0: 82"}}) {
        CAPTURE(r.send);
        CHECK(said("27 00000014", r.send) == bytes(r.answer)); // 20 bytes: no room
        CHECK(said("", r.send).size() > bytes(r.answer).size());
        CHECK(said("", r.send).find("1f 00") != std::string::npos);
    }
}

namespace {

// Something wrong for every kind of answer that may have a reason string or user properties.
constexpr auto provoking = "32: 't' 0001 [01 01] ff; 34: 't' 0001 [01 01] ff; 50: 0001; 62: 0001; 82: 0001 [] 'a#' 00; "
                           "a2: 0001 [] 'none' 'a#'; 32: 'nobody' 0001 [] 68";

} // namespace

// [MQTT-3.2.2-20, MQTT-3.4.2-3, MQTT-3.5.2-3, MQTT-3.6.2-3, MQTT-3.7.2-3, MQTT-3.9.2-2, MQTT-3.11.2-1, MQTT-3.11.2-2, MQTT-3.14.2-4]
TEST_CASE("no reason string and no user property makes an answer larger than the client takes") {
    for (std::size_t most = 32; most != 80; ++most) {
        test_node node;
        const auto own = "27 000000" + to_hex(std::string{static_cast<char>(most)});
        client c{node};
        c.receive(wire(v5("c", own) + "; " + provoking + "; 00 00"));
        const auto all = split_mqtt(c.sent());
        CHECK(all.size() == 9); // CONNACK, seven answers, DISCONNECT
        for (const auto& p : all) CHECK(p.size() <= most);
        client refused{node};
        refused.receive(wire("10: 'MQTT' 05 06 0000 [" + own + "] 'c' [] 'a/#' 'm'"));
        const auto connack = refused.sent();
        CHECK(connack.size() >= 5);
        CHECK(connack.size() <= most);
    }
}

TEST_CASE("MQTT-3.1.2-29: without Request Problem Information only CONNACK and DISCONNECT say more than their code") {
    test_node node;
    client c{node, v5("c", "17 00")};
    CHECK(c.exchange(provoking) ==
          bytes("40: 0001 99; 50: 0001 99; 62: 0001 92; 70: 0001 92; 90: 0001 [] 8f; b0: 0001 [] 11 8f; 40: 0001 10"));
    CHECK_LIKE(c.exchange("f0 00"), "e0 .. 82 .. 1f *");
    client d{node};
    CHECK_LIKE(d.exchange(v5("d", "17 00 15 'm'")), "20 .. 00 8c .. 1f *");
}

TEST_CASE("MQTT-3.2.2-19, §4.11: Server Reference in DISCONNECT, for as long as it fits") {
    test_node node;
    client a{node, v5("a")};
    a.get().close({.cause = close_cause::server_moved, .detail = "gone", .server_reference = "b2:1883"}, node.now());
    CHECK(a.said() == bytes("e0: 9d [1c 'b2:1883' 1f 'gone']"));
    client b{node, v5("b", "27 00000018")}; // 24 bytes
    b.get().close({.cause = close_cause::use_another_server, .detail = "a long explanation", .server_reference = "b2"}, node.now());
    CHECK(b.said() == bytes("e0: 9c [1c 'b2']"));
    client c{node, v311("c")};
    c.get().close({.cause = close_cause::server_moved, .server_reference = "b2"}, node.now());
    CHECK(c.said().empty());
    CHECK(c.closed_because() == "server_moved");
}

TEST_CASE("MQTT-4.13.1-1, MQTT-4.13.2-1, MQTT-3.14.4-1, MQTT-3.14.4-2, MQTT-3.14.2-1: causes and the codes they are told with") {
    struct row {
        close_cause cause;
        const char* code;
    };
    for (const auto& r : {row{close_cause::server_drain, "8b"}, row{close_cause::protocol_error, "82"}, row{close_cause::unsupported_data, "82"},
                          row{close_cause::bad_utf8, "81"}, row{close_cause::policy, "87"}, row{close_cause::too_big, "95"},
                          row{close_cause::internal, "80"}, row{close_cause::overload, "97"}, row{close_cause::slow_consumer, "97"},
                          row{close_cause::not_authenticated, "87"}, row{close_cause::forbidden, "87"}, row{close_cause::keepalive, "8d"},
                          row{close_cause::taken_over, "8e"}, row{close_cause::kicked, "98"}, row{close_cause::rate_limited, "96"},
                          row{close_cause::use_another_server, "9c"}, row{close_cause::server_moved, "9d"}}) {
        test_node node;
        client a{node, v5("a")};
        a.exchange("82: 0001 [] 't' 00");
        a.get().close({.cause = r.cause}, node.now());
        CHECK(a.said() == bytes("e0: " + std::string{r.code}));
        CHECK(a.closed());
        client{node, v311("p")}.exchange("30: 't' 31"); // nothing behind it
        CHECK(a.exchange("c0 00").empty());
        CHECK(a.said().empty());
    }
}

TEST_CASE("MQTT-3.12.4-1: PINGREQ is answered") {
    test_node node;
    for (const auto& hello : {v31("a"), v311("b"), v5("c")}) CHECK(client{node, hello}.exchange("c0 00") == bytes("d0 00"));
}

TEST_CASE("the store refuses: 0x97 while it does, and QoS 0 goes on") {
    limits bounds;
    bounds.retained_messages_max = 1;
    test_node node{1, bounds};
    client a{node, v5("a")};
    CHECK(a.exchange("33: 't' 0001 [] 31") == bytes("40: 0001 10"));
    CHECK_LIKE(a.exchange("33: 'u' 0001 [] 31"), "40 .. 0001 97 *");
    CHECK_LIKE(a.exchange("35: 'u' 0001 [] 31"), "50 .. 0001 97 *");
    CHECK(a.exchange("31: 'u' [] 31; c0 00") == bytes("d0 00"));
}
