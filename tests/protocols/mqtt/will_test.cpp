// Will messages (MQTT 5 §3.1.2.5, §3.1.3.2).
#include "protocols/mqtt/client.hpp"

using namespace broker;
using namespace broker::test;

namespace {

// CONNECT with a will "m" for topic "will". `flags`: 06 clean start and will, 04 will alone.
std::string with_will(std::string_view properties, std::string_view will_properties, std::string_view flags = "06") {
    return "10: 'MQTT' 05 " + std::string{flags} + " 003c [" + std::string{properties} + "] 'c' [" +
           std::string{will_properties} + "] 'will' 'm'";
}

struct watched {
    test_node node;
    client watcher{node, v5("w")};
    watched() { watcher.exchange("82: 0001 [] 'will' 02"); }
};

const auto will_0 = bytes("30: 'will' [] \"m\"");

} // namespace

TEST_CASE("MQTT-3.1.2-7, MQTT-3.1.2-8, MQTT-3.1.2-10, MQTT-3.14.4-3: published when the connection is lost, not after DISCONNECT") {
    watched w;
    client{w.node, with_will("", "")};
    CHECK(w.watcher.said() == will_0);
    for (const auto* goodbye : {"e0 00", "e0 01 00"}) {
        client{w.node, with_will("", "")}.exchange(goodbye);
        CHECK(w.watcher.said().empty());
    }
    for (const auto* goodbye : {"e0 01 04", "e0 01 80", "e0 01 97"}) { // with will message, or an error
        client{w.node, with_will("", "")}.exchange(goodbye);
        CHECK(w.watcher.said() == will_0);
    }
    client{w.node, with_will("", "")}.exchange("30 00"); // a protocol error is no goodbye either
    CHECK(w.watcher.said() == will_0);
    client{w.node, v5("c")};
    CHECK(w.watcher.said().empty()); // no will, nothing published [MQTT-3.1.2-12]
}

TEST_CASE("MQTT3-3.1.2-8, MQTT3-3.1.2-10, MQTT3-3.14.4-3: the same for 3.1.1 and 3.1") {
    watched w;
    for (const auto* hello : {"10: 'MQTT' 04 06 003c 'c' 'will' 'm'", "10: 'MQIsdp' 03 06 003c 'c' 'will' 'm'"}) {
        client{w.node, hello};
        CHECK(w.watcher.said() == will_0);
        client{w.node, hello}.exchange("e0 00");
        CHECK(w.watcher.said().empty());
    }
}

TEST_CASE("a keep alive that runs out and a takeover publish the will as well") {
    watched w;
    client silent{w.node, with_will("", "")};
    w.node.advance(seconds{85});
    w.watcher.exchange("c0 00");
    w.node.advance(seconds{6});
    CHECK(silent.closed());
    silent.disconnect();
    CHECK(w.watcher.said() == will_0);
    client first{w.node, with_will("", "")};
    client second{w.node, v5("c")};
    CHECK(w.watcher.said() == will_0);
}

TEST_CASE("MQTT-3.1.2-14, MQTT-3.1.2-15, MQTT-3.1.2-9, MQTT-3.1.2-12: will QoS and will retain as the flags say") {
    watched w;
    client{w.node, "10: 'MQTT' 05 0e 003c [] 'c' [] 'will' 'm'"};
    CHECK(w.watcher.said() == bytes("32: 'will' 0001 [] \"m\""));
    client none{w.node, v5("n")};
    CHECK(none.exchange("82: 0001 [] 'will' 02") == bytes("90: 0001 [] 02"));
    client{w.node, "10: 'MQTT' 05 36 003c [] 'c' [] 'will' 'm'"};
    CHECK(w.watcher.said() == bytes("34: 'will' 0002 [] \"m\""));
    client late{w.node, v5("l")};
    CHECK(late.exchange("82: 0001 [] 'will' 02") == bytes("90: 0001 [] 02; 35: 'will' 0001 [] \"m\""));
}

TEST_CASE("§3.1.3.2: will properties go out with the will") {
    watched w;
    client{w.node, with_will("", "01 01 03 'text' 08 'answers' 09 'id' 26 'k' '1' 26 'k' '2'")};
    CHECK(w.watcher.said() == bytes("30: 'will' [01 01 03 'text' 08 'answers' 09 'id' 26 'k' '1' 26 'k' '2'] \"m\""));
}

TEST_CASE("§3.1.3.2.4: the will's expiry counts from its publication") {
    watched w;
    client c{w.node, with_will("", "02 0000000a")};
    w.node.advance(seconds{50});
    c.disconnect();
    CHECK(w.watcher.said() == bytes("30: 'will' [02 0000000a] \"m\""));
}

TEST_CASE("MQTT-3.1.3-9, MQTT-3.1.2-8: the will waits for its delay, and a client that comes back in time cancels it") {
    watched w;
    const auto hello = with_will("11 00000064", "18 00000014", "04");
    client{w.node, hello};
    w.node.advance(seconds{19});
    CHECK(w.watcher.said().empty());
    w.node.advance(seconds{2});
    CHECK(w.watcher.said() == will_0);
    client{w.node, hello};
    w.node.advance(seconds{10});
    client back{w.node, v5("c", "11 00000064", "00")};
    w.node.advance(seconds{30});
    CHECK(w.watcher.said().empty());
}

TEST_CASE("§3.1.3.2.2: the delay ends with the session") {
    watched w;
    client{w.node, with_will("11 00000005", "18 00000014", "04")};
    w.node.advance(seconds{4});
    CHECK(w.watcher.said().empty());
    w.node.advance(seconds{2});
    CHECK(w.watcher.said() == will_0);
    client{w.node, with_will("", "18 00000014", "04")}; // the session ends with the connection
    CHECK(w.watcher.said() == will_0);
    client{w.node, with_will("11 00000064", "18 00000014", "04")};
    client fresh{w.node, v5("c")}; // clean start ends the session
    CHECK(w.watcher.said() == will_0);
}

TEST_CASE("§3.1.3.2.2: a takeover publishes a will without delay; one with a delay only when the session is discarded") {
    watched w;
    for (const auto* flags : {"00", "02"}) {
        client first{w.node, with_will("11 00000064", "18 00000014", "04")};
        client second{w.node, v5("c", "11 00000064", flags)};
        w.node.advance(seconds{30});
        CHECK(w.watcher.said() == (flags == std::string_view{"02"} ? will_0 : ""));
    }
    client first{w.node, with_will("11 00000064", "", "04")};
    client second{w.node, v5("c", "11 00000064", "00")};
    CHECK(w.watcher.said() == will_0);
}

TEST_CASE("a will survives a crash: lost connections, and delays that go on counting") {
    test_node node;
    const auto look = [&node] {
        client watcher{node, v311("w")};
        return watcher.exchange("82: 0001 'will' 00");
    };
    const auto hello = "10: 'MQTT' 05 24 003c [11 00000064] 'c' [18 00000014] 'will' 'm'"; // retained
    {
        client{node, hello};
        node.advance(seconds{15});
        node.crash_and_recover();
        node.advance(seconds{4});
        CHECK(look() == bytes("90: 0001 00"));
        node.advance(seconds{2});
        CHECK(look() == bytes("90: 0001 00; 31: 'will' \"m\""));
        client{node, v311("x")}.exchange("31: 'will'");
    }
    client c{node, hello};
    node.crash_and_recover(); // the connection is lost with the server
    node.advance(seconds{21});
    CHECK(look() == bytes("90: 0001 00; 31: 'will' \"m\""));
}

TEST_CASE("the will of an earlier connection is not published after a crash") {
    test_node node;
    client{node, "10: 'MQTT' 05 24 003c [11 00000064] 'c' [18 00000032] 'will' 'm'"};
    client without{node, v5("c", "11 00000064", "00")};
    CHECK(node.disk().rows(storage::column::wills) == 0);
    node.crash_and_recover();
    node.advance(seconds{60});
    client watcher{node, v311("w")};
    CHECK(watcher.exchange("82: 0001 'will' 00") == bytes("90: 0001 00"));
}

TEST_CASE("MQTT-3.8.3-3: a will is its client's own publication") {
    test_node node;
    {
        client c{node, "10: 'MQTT' 05 0c 003c [11 00000064] 'c' [] 'will' 'm'"};
        c.exchange("82: 0001 [] 'will' 05"); // no local
    }
    client c{node, v5("c", "11 00000064", "00")};
    CHECK(c.after_connack().empty());
}

TEST_CASE("§3.1.3.2.3: a will payload that is not the UTF-8 it says is refused") {
    test_node node;
    client c{node};
    CHECK_LIKE(c.exchange("10: 'MQTT' 05 06 003c [] 'c' [01 01] 'will' 0001 ff"), "20 .. 00 99 *");
    CHECK(c.closed());
}

TEST_CASE("a connection that was not accepted has no will") {
    test_node node{2};
    client watcher{node, v311("w")};
    watcher.exchange("82: 0001 'will' 00");
    client owner{node, v5("c", "11 00000064", "00"), 0};
    {
        client claiming{node, 1};
        claiming.get().on_bytes(as_bytes(wire(with_will("11 00000064", "", "04"))), node.now());
        claiming.get().close({.cause = close_cause::server_drain}, node.now());
        node.settle();
    }
    CHECK(watcher.said().empty());
}
