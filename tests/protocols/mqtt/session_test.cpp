// Sessions as MQTT clients see them: expiry, takeover, what survives (MQTT 5 §3.1.2.11.2, §4.1, §4.4).
#include "protocols/mqtt/client.hpp"

using namespace broker;
using namespace broker::test;

namespace {

constexpr auto kept = "11 00000064"; // session expiry 100 s

bool present(test_node& node, std::string_view id) {
    client c{node};
    c.receive(wire(v5(id, kept, "00")));
    const bool yes = c.sent()[2] == 1;
    c.exchange("e0: 00 [11 00000000]"); // leaves nothing behind
    return yes;
}

} // namespace

TEST_CASE("MQTT-3.1.2-23, MQTT-4.1.0-1, MQTT-4.1.0-2: a session lives for its expiry after the connection, and not longer") {
    for (const bool restart : {false, true}) {
        test_node node;
        {
            client c{node, "10: 'MQTT' 05 02 0000 [11 00000064] 'c'"};
            c.exchange("82: 0001 [] 't' 01");
            node.advance(seconds{1000}); // connected
        }
        node.advance(seconds{50});
        if (restart) node.crash_and_recover();
        node.advance(seconds{49});
        CHECK(node.shared().trie.subscriptions() == 1);
        node.advance(seconds{2});
        CHECK(node.shared().trie.subscriptions() == 0);
        CHECK(node.disk().rows(storage::column::sessions) == 0);
        CHECK_FALSE(present(node, "c"));
    }
}

TEST_CASE("session expiry: absent or 0 ends with the connection, 0xFFFFFFFF and clean session 0 never") {
    test_node node;
    client{node, v5("a")}.exchange("82: 0001 [] 't' 01");
    client{node, v5("b", "11 00000000")}.exchange("82: 0001 [] 't' 01");
    CHECK(node.shared().trie.subscriptions() == 0);
    client{node, v5("c", "11 ffffffff")}.exchange("82: 0001 [] 't' 01");
    client{node, v311("d", "00")}.exchange("e0 00"); // clean session 0 [MQTT3-3.1.2-4, MQTT3-4.1.0-1]
    node.advance(seconds{0xFFFF'FFFFLL});
    node.crash_and_recover();
    CHECK(present(node, "c"));
    CHECK(present(node, "d"));
}

TEST_CASE("§3.14.2.2.2: DISCONNECT may change the expiry, on disk as well") {
    for (const bool restart : {false, true}) {
        test_node node;
        client{node, v5("longer", kept)}.exchange("e0: 00 [11 000000c8]");
        client{node, v5("shorter", kept)}.exchange("e0: 00 [11 0000000a]");
        client{node, v5("forever", kept)}.exchange("e0: 00 [11 ffffffff]");
        client{node, v5("ended", kept)}.exchange("e0: 00 [11 00000000]");
        if (restart) node.crash_and_recover();
        CHECK(node.disk().rows(storage::column::sessions) == 3);
        node.advance(seconds{11});
        CHECK(node.disk().rows(storage::column::sessions) == 2);
        node.advance(seconds{150});
        CHECK(present(node, "longer"));
        CHECK_FALSE(present(node, "shorter"));
        CHECK(present(node, "forever"));
        CHECK_FALSE(present(node, "ended"));
    }
}

TEST_CASE("§3.14.2.2.2: an expiry of 0 cannot be raised; the connection fails and its will is published") {
    test_node node;
    client watcher{node, v311("w")};
    watcher.exchange("82: 0001 'will' 00");
    client c{node, "10: 'MQTT' 05 06 003c [] 'c' [] 'will' 'm'"};
    CHECK_LIKE(c.exchange("e0: 00 [11 00000001]"), "e0 .. 82 *");
    CHECK(c.closed());
    c.disconnect();
    CHECK(watcher.said() == bytes("30: 'will' \"m\""));
    CHECK(node.disk().rows(storage::column::sessions) == 0);
}

TEST_CASE("limits.max_session_expiry bounds CONNECT and DISCONNECT of every version") {
    limits bounds;
    bounds.max_session_expiry = seconds{10};
    test_node node{1, bounds};
    client{node, v5("a", kept)};
    client{node, v5("b", "11 00000005")}.exchange("e0: 00 [11 ffffffff]");
    client{node, v311("c", "00")};
    CHECK(node.shard().sessions().size() == 3);
    node.advance(seconds{9});
    CHECK(node.shard().sessions().size() == 3);
    node.advance(seconds{2});
    CHECK(node.shard().sessions().size() == 0);
}

TEST_CASE("MQTT-3.1.2-5: what waits is delivered to a client that comes back without an expiry, and ends with it") {
    test_node node;
    client{node, v5("c", kept)}.exchange("82: 0001 [] 't' 01");
    client pub{node, v311("p")};
    pub.exchange("32: 't' 0001 31; 32: 't' 0002 32");
    node.settle();
    {
        client c{node, v5("c", "", "00")};
        CHECK(c.after_connack() == bytes("32: 't' 0001 [] 31; 32: 't' 0002 [] 32"));
        CHECK(c.exchange("40: 0001").empty());
        CHECK(node.disk().rows(storage::column::entries) == 1);
    }
    CHECK(node.disk().rows(storage::column::entries) == 0);
    CHECK(node.disk().rows(storage::column::sessions) == 0);
    CHECK_FALSE(present(node, "c"));
}

TEST_CASE("a session without an expiry does not outlive a crash of the server") {
    test_node node;
    client{node, v5("c", kept)}.exchange("82: 0001 [] 't' 01");
    client c{node, v5("c", "", "00")};
    node.crash_and_recover();
    node.advance(milliseconds{1});
    CHECK_FALSE(present(node, "c"));
}

TEST_CASE("MQTT-3.1.4-3: a second connection takes the session over, on this shard and from another") {
    for (const std::size_t shard : {0U, 1U}) {
        test_node node{2};
        client first{node, v5("c", kept, "00"), 0};
        first.exchange("82: 0001 [] 't' 01");
        client second{node, shard};
        CHECK_LIKE(second.exchange(v5("c", kept, "00")), "20 .. 01 00 *");
        CHECK_LIKE(first.said(), "e0 .. 8e *");
        CHECK(first.closed_because() == "taken_over");
        client pub{node, v311("p"), 0};
        pub.exchange("30: 't' 31");
        CHECK(second.said() == bytes("30: 't' [] 31"));
        CHECK(first.exchange("c0 00").empty()); // DISCONNECT was the last word
    }
}

TEST_CASE("MQTT3-3.1.4-2: a 3.1.1 client that is taken over is closed without a word") {
    test_node node;
    client first{node, v311("c", "00")};
    client second{node, v311("c", "00")};
    CHECK(first.said().empty());
    CHECK(first.closed_because() == "taken_over");
}

TEST_CASE("a claim that is replaced before it was answered is refused in CONNACK, never in DISCONNECT [MQTT-3.14.0-1]") {
    test_node node{2};
    client owner{node, v5("c", kept, "00"), 0};
    node.commit_automatically(false);
    client first{node, 1};
    first.get().on_bytes(as_bytes(wire(v5("c", kept, "00"))), node.now()); // the session is on its way
    CHECK(first.get().paused());
    client second{node, 1};
    second.get().on_bytes(as_bytes(wire(v5("c", kept, "00"))), node.now());
    CHECK_LIKE(first.said(), "20 .. 00 80 *");
    CHECK(first.closed());
    node.commit_automatically(true);
    node.settle();
    CHECK_LIKE(second.said(), "20 .. 01 00 *");
}

TEST_CASE("MQTT-4.5.0-1, MQTT-4.4.0-1: a persistent session gets what it missed; unacknowledged packets come again with DUP") {
    test_node node;
    client{node, v311("b", "00")}.exchange("82: 0001 't' 01");
    client a{node, v311("a")};
    a.exchange("30: 't' 67; 32: 't' 000a 68"); // QoS 0 is not kept
    CHECK(client{node, v311("c", "00")}.after_connack().empty()); // another identifier, another session [MQTT-3.1.3-2]
    {
        client b{node, v311("b", "00")};
        CHECK(b.after_connack() == bytes("32: 't' 0001 68"));
    }
    client b{node, v311("b", "00")};
    CHECK(b.after_connack() == bytes("3a: 't' 0001 68"));
    CHECK(b.exchange("40: 0001").empty());
    CHECK(node.disk().rows(storage::column::entries) == 0);
}

TEST_CASE("MQTT-4.4.0-1, MQTT-3.3.1-1, MQTT-4.3.2-2: after a restart DUP says what may have been sent by the server before") {
    test_node node;
    const auto publish = [&](std::string_view text) { client{node, v311("p")}.exchange(text); };
    {
        client sub{node, v311("s", "00")};
        sub.exchange("82: 0001 't' 02");
        publish("32: 't' 0001 31; 32: 't' 0002 32");
        CHECK(sub.said() == bytes("32: 't' 0001 31; 32: 't' 0002 32"));
        sub.exchange("40: 0001");
    }
    publish("32: 't' 0001 33; 34: 't' 0002 34"); // while it is away: certainly not sent
    for (int i = 0; i != 2; ++i) node.crash_and_recover(); // it was away when the server died
    {
        client sub{node, v311("s", "00")};
        CHECK(sub.after_connack() == bytes("3a: 't' 0002 32; 32: 't' 0003 33; 34: 't' 0004 34")); // its own identifier
        sub.exchange("40: 0002; 50: 0004; 70: 0004");
        CHECK(node.disk().rows(storage::column::outbound_qos2) == 0);
        publish("32: 't' 0001 35");
        CHECK(sub.said() == bytes("32: 't' 0005 35"));
        // It was connected when the server died: of all that was there by then nobody knows.
        for (int crashes = 0; crashes != 2; ++crashes) node.crash_and_recover();
    }
    publish("32: 't' 0001 36");
    client sub{node, v311("s", "00")};
    CHECK(sub.after_connack() == bytes("3a: 't' 0001 33; 3a: 't' 0002 35; 32: 't' 0003 36"));
    sub.exchange("40: 0001; 40: 0002; 40: 0003");
    CHECK(node.disk().rows(storage::column::entries) == 0);
}

TEST_CASE("server drain: CONNACK before it was sent, DISCONNECT after") {
    test_node node{2};
    client connected{node, v5("a")};
    connected.get().close({.cause = close_cause::server_drain, .detail = "restart"}, node.now());
    CHECK(connected.said() == bytes("e0: 8b [1f 'restart']"));
    client old{node, v311("b")};
    old.get().close({.cause = close_cause::server_drain}, node.now());
    CHECK(old.said().empty());
    client kept_away{node, v5("c", kept, "00"), 0};
    client claiming{node, 1};
    claiming.get().on_bytes(as_bytes(wire(v5("c", kept, "00"))), node.now());
    claiming.get().close({.cause = close_cause::server_drain}, node.now());
    CHECK(claiming.said() == bytes("20: 00 88 []"));
    node.settle(); // the session still arrives, and stays
    CHECK(claiming.said().empty());
    claiming.disconnect();
    CHECK(present(node, "c"));
}

TEST_CASE("MQTT-3.1.2-23: CONNACK of a session that is kept waits for its record, nothing is ahead of it, and what follows CONNECT waits") {
    test_node node;
    client pub{node, v311("p")};
    client{node, v5("c", kept, "00")}.exchange("82: 0001 [] 't' 01");
    pub.exchange("32: 't' 0001 61");
    node.commit_automatically(false);
    client c{node};
    c.receive(wire(v5("c", kept, "00")));
    CHECK(c.get().paused());
    c.receive(wire("c0:"));
    pub.receive(wire("30: 't' 62")); // QoS 0: the client is not there yet
    CHECK(c.said().empty());
    node.commit();
    node.commit_automatically(true);
    node.settle();
    CHECK_FALSE(c.get().paused());
    const auto said = c.said();
    CHECK_LIKE(said, "20 .. 01 00 *");
    CHECK(said.ends_with(bytes("32: 't' 0001 [] 61; d0:")));
    CHECK(c.exchange("c0:") == bytes("d0:"));
}

TEST_CASE("MQTT-3.1.2-7: CONNACK waits for the will's record: a server that dies a moment later publishes it after its restart") {
    test_node node;
    node.commit_automatically(false);
    client c{node};
    const auto hello = "10: 'MQTT' 05 0e 003c [] 'c' [] 'gone' 0001 77";
    c.receive(wire(hello));
    CHECK(c.said().empty());
    node.crash_and_recover(); // nobody was told anything
    client again{node};
    again.receive(wire(hello));
    node.commit();
    CHECK_LIKE(again.said(), "20 .. 00 00 *");
    node.commit_automatically(true);
    client{node, v5("w", kept, "00")}.exchange("82: 0001 [] 'gone' 01");
    node.crash_and_recover();
    node.advance(seconds{1});
    client w{node, v5("w", kept, "00")};
    CHECK_LIKE(w.after_connack(), "32 .. 0004 67 6f 6e 65 *");
}

TEST_CASE("CONNACK of a session that ends with its connection, and has no will, waits for nothing") {
    test_node node;
    node.commit_automatically(false);
    client c{node};
    c.receive(wire(v5("c")));
    CHECK_LIKE(c.said(), "20 .. 00 00 *");
}

TEST_CASE("CONNECT is refused when the session cannot be stored in time; the session stays") {
    test_node node;
    client{node, v5("c", kept, "00")}.exchange("82: 0001 [] 't' 01");
    node.commit_automatically(false);
    client c{node};
    c.receive(wire(v5("c", kept, "00")));
    c.get().on_reading(false, node.now());
    node.advance(node.bounds().connect_timeout + seconds{1});
    CHECK_LIKE(c.said(), "20 .. 00 97 *");
    CHECK(c.closed());
    c.disconnect();
    node.commit_automatically(true);
    node.settle();
    CHECK(present(node, "c"));
}
