// QoS 2 in both directions: exactly once across reconnect, takeover and crashes (MQTT 5 §4.3.3, §4.4).
#include "protocols/mqtt/client.hpp"

using namespace broker;
using namespace broker::test;

namespace {

struct with_subscriber {
    test_node node;
    client sub{node, v311("sub")};
    with_subscriber() { sub.exchange("82: 0001 't' 00"); }
};

} // namespace

TEST_CASE("MQTT-4.3.3-8, MQTT-4.3.3-10, MQTT-4.3.3-11, MQTT-4.3.3-12: received once between PUBLISH and PUBREL") {
    with_subscriber w;
    client pub{w.node, v311("p")};
    CHECK(pub.exchange("34: 't' 0005 31") == bytes("50: 0005"));
    CHECK(w.sub.said() == bytes("30: 't' 31"));
    CHECK(pub.exchange("3c: 't' 0005 31") == bytes("50: 0005"));
    CHECK(pub.exchange("34: 't' 0005 31") == bytes("50: 0005")); // DUP forgotten: still the same message
    CHECK(pub.exchange("34: 't' 0006 32") == bytes("50: 0006"));
    CHECK(w.sub.said() == bytes("30: 't' 32"));
    CHECK(pub.exchange("62: 0005") == bytes("70: 0005"));
    CHECK(pub.exchange("3c: 't' 0005 33") == bytes("50: 0005")); // new again, whatever DUP says
    CHECK(w.sub.said() == bytes("30: 't' 33"));
}

TEST_CASE("MQTT-4.3.3-11, MQTT-3.6.2-1, MQTT-3.7.2-1: PUBREL is answered in any case; version 5 is told when nothing was known") {
    test_node node;
    client three{node, v311("a")};
    CHECK(three.exchange("62: 0009") == bytes("70: 0009"));
    CHECK(three.exchange("50: 0009") == bytes("62: 0009"));
    client five{node, v5("b", "17 00")};
    CHECK(five.exchange("62: 0009") == bytes("70: 0009 92"));
    CHECK(five.exchange("50: 0009") == bytes("62: 0009 92"));
    CHECK(five.exchange("62: 0009 92") == bytes("70: 0009 92"));
}

TEST_CASE("MQTT-4.3.3-9: after a PUBREC with an error the identifier is new") {
    with_subscriber w;
    client pub{w.node, v5("p")};
    CHECK_LIKE(pub.exchange("34: '$SYS/x' 0005 [] 31"), "50 .. 0005 87 *");
    CHECK(pub.exchange("34: 't' 0005 [] 32") == bytes("50: 0005"));
    CHECK(w.sub.said() == bytes("30: 't' 32"));
}

TEST_CASE("inbound: once across reconnect, takeover on another shard, and a crash at any point") {
    for (const auto* how : {"reconnect", "takeover", "move", "crash"}) {
        CAPTURE(how);
        test_node node{2};
        auto pub = std::make_unique<client>(node, v311("p", "00"), 0);
        {
            client sub{node, v311("sub", "00"), 1};
            sub.exchange("82: 0001 't' 01");
        }
        CHECK(pub->exchange("34: 't' 0005 31") == bytes("50: 0005"));
        const auto come_back = [&] {
            const std::string_view way = how;
            if (way == "reconnect" || way == "move") pub.reset();
            if (way == "crash") node.crash_and_recover();
            pub = std::make_unique<client>(node, v311("p", "00"), way == "move" ? 1 : 0);
        };
        come_back();
        CHECK(pub->exchange("3c: 't' 0005 31") == bytes("50: 0005"));
        come_back();
        CHECK(pub->exchange("62: 0005") == bytes("70: 0005"));
        come_back();
        CHECK(pub->exchange("62: 0005") == bytes("70: 0005")); // the PUBCOMP was lost
        CHECK(pub->exchange("34: 't' 0005 32") == bytes("50: 0005"));
        client sub{node, v311("sub", "00"), 1};
        CHECK_LIKE(sub.after_connack(), "32 .. 00 01 74 00 01 31 32 .. 00 01 74 00 02 32");
    }
}

TEST_CASE("inbound: PUBREC waits until message and identifier are on disk; a crash before that has neither") {
    test_node node;
    client{node, v311("sub", "00")}.exchange("82: 0001 't' 01");
    client pub{node, v311("p", "00")};
    node.commit_automatically(false);
    CHECK(pub.exchange("34: 't' 0005 31").empty());
    CHECK(pub.exchange("62: 0005").empty()); // early: a client that does not wait
    node.crash_and_recover();
    node.commit_automatically(true);
    node.settle();
    client again{node, v311("p", "00")};
    CHECK(again.exchange("3c: 't' 0005 31") == bytes("50: 0005"));
    client sub{node, v311("sub", "00")};
    CHECK(sub.after_connack() == bytes("32: 't' 0001 31"));
}

TEST_CASE("MQTT-4.3.3-1, MQTT-4.3.3-2, MQTT-4.3.3-3, MQTT-4.3.3-4, MQTT-4.3.3-5, MQTT-4.3.3-6: the sender's side") {
    for (const bool restart : {false, true}) {
        test_node node;
        const auto come_back = [&](std::unique_ptr<client>& s) {
            s.reset();
            if (restart) node.crash_and_recover();
            s = std::make_unique<client>(node, v311("s", "00"));
            return s->after_connack();
        };
        auto sub = std::make_unique<client>(node, v311("s", "00"));
        sub->exchange("82: 0001 't' 02");
        client{node, v311("p")}.exchange("34: 't' 0001 31; 34: 't' 0002 32");
        CHECK(sub->said() == bytes("34: 't' 0001 31; 34: 't' 0002 32"));
        CHECK(come_back(sub) == bytes("3c: 't' 0001 31; 3c: 't' 0002 32")); // the original order [MQTT-4.6.0-1]
        CHECK(sub->exchange("50: 0001") == bytes("62: 0001"));
        CHECK_LIKE(come_back(sub), restart ? "*" : "62 02 00 01 3c .. 00 01 74 00 02 32");
        CHECK(sub->exchange("50: 0001") == bytes("62: 0001")); // PUBREC again: PUBREL again, never PUBLISH
        CHECK(sub->exchange("70: 0001").empty());
        CHECK(sub->exchange("50: 0002; 70: 0002") == bytes("62: 0002"));
        CHECK(come_back(sub).empty());
        CHECK(node.disk().rows(storage::column::outbound_qos2) == 0);
        CHECK(node.disk().rows(storage::column::entries) == 0);
    }
}

TEST_CASE("MQTT-4.4.0-1, MQTT-4.6.0-1, MQTT-3.3.1-1: only on reconnecting is anything sent again, in its order, PUBREL too") {
    test_node node;
    client sub{node, v5("s", "11 00000064", "00")};
    sub.exchange("82: 0001 [] 't' 02");
    client pub{node, v311("p")};
    for (const auto* text : {"32: 't' 0001 31", "34: 't' 0002 32", "32: 't' 0003 33", "34: 't' 0004 34"}) pub.exchange(text);
    CHECK(sub.said() == bytes("32: 't' 0001 [] 31; 34: 't' 0002 [] 32; 32: 't' 0003 [] 33; 34: 't' 0004 [] 34"));
    node.advance(seconds{50});
    sub.exchange("c0 00");
    node.advance(seconds{50});
    CHECK(sub.said().empty());
    CHECK(sub.exchange("40: 0001; 50: 0004") == bytes("62: 0004"));
    sub.disconnect();
    client again{node, v5("s", "11 00000064", "00")};
    CHECK(again.after_connack() == bytes("3c: 't' 0002 [] 32; 3a: 't' 0003 [] 33; 62: 0004"));
}

TEST_CASE("MQTT-4.4.0-2, MQTT-4.3.3-4: a PUBACK or PUBREC with an error ends the exchange") {
    test_node node;
    client sub{node, v5("s", "11 00000064", "00")};
    sub.exchange("82: 0001 [] 't' 02");
    client pub{node, v311("p")};
    pub.exchange("34: 't' 0001 31");
    CHECK(sub.said() == bytes("34: 't' 0001 [] 31"));
    CHECK(sub.exchange("50: 0001 97").empty()); // no PUBREL
    pub.exchange("32: 't' 0001 32");
    CHECK(sub.said() == bytes("32: 't' 0002 [] 32"));
    CHECK(sub.exchange("40: 0002 80").empty());
    sub.disconnect();
    client again{node, v5("s", "11 00000064", "00")};
    CHECK(again.after_connack().empty());
    CHECK(node.disk().rows(storage::column::entries) == 0);
    CHECK(node.disk().rows(storage::column::outbound_qos2) == 0);
}

TEST_CASE("packet identifiers go on counting behind those in use after a crash") {
    test_node node;
    {
        client sub{node, v311("s", "00")};
        sub.exchange("82: 0001 't' 02");
        client{node, v311("p")}.exchange("34: 't' 0001 31; 34: 't' 0002 32; 34: 't' 0003 33");
        CHECK(sub.said() == bytes("34: 't' 0001 31; 34: 't' 0002 32; 34: 't' 0003 33"));
        CHECK(sub.exchange("50: 0001; 70: 0001; 50: 0002; 70: 0002") == bytes("62: 0001; 62: 0002"));
    }
    node.crash_and_recover();
    client{node, v311("p")}.exchange("34: 't' 0001 34");
    client sub{node, v311("s", "00")};
    CHECK(sub.after_connack() == bytes("3c: 't' 0003 33; 34: 't' 0004 34"));
}

TEST_CASE("a crash loses nothing that was acknowledged, and QoS 2 state survives") {
    test_node node;
    {
        client b{node, v311("b", "00")};
        b.exchange("82: 0001 't' 02; 34: 'x' 0009 68"); // QoS 2 to "x", not released yet
    }
    CHECK(client{node, v311("a")}.exchange("34: 't' 0005 68") == bytes("50: 0005"));
    node.crash_and_recover();
    client b{node, v311("b", "00")};
    CHECK(b.after_connack() == bytes("34: 't' 0001 68"));
    CHECK(b.exchange("3c: 'x' 0009 68") == bytes("50: 0009")); // known: not routed again
    CHECK(b.exchange("50: 0001") == bytes("62: 0001"));
    CHECK(b.exchange("70: 0001").empty());
}

TEST_CASE("MQTT-2.2.1-4: what was sent before a restart is finished, however full its session gets") {
    limits few;
    few.session_queue_messages_max = 2;
    test_node node{1, few};
    client first{node, v311("s", "00")};
    first.exchange("82: 0001 't' 02");
    client{node, v311("p")}.exchange("34: 't' 0001 31");
    CHECK(first.said() == bytes("34: 't' 0001 31")); // and the client remembers the identifier
    node.crash_and_recover();
    client{node, v311("p")}.exchange("34: 't' 0001 32; 34: 't' 0002 33; 34: 't' 0003 34; 34: 't' 0004 35");
    client sub{node, v311("s", "00")};
    CHECK(sub.after_connack().starts_with(bytes("3c: 't' 0001 31")));
    CHECK(node.shard().desk().count().messages_dropped[static_cast<std::size_t>(drop_reason::queue_full)] != 0);
}

TEST_CASE("MQTT-4.3.3-13: the exchange goes on when the message has expired") {
    test_node node;
    client pub{node, v5("p")};
    CHECK(pub.exchange("34: 't' 0001 [02 00000001] 31") == bytes("50: 0001 10"));
    node.advance(seconds{2});
    CHECK(pub.exchange("62: 0001") == bytes("70: 0001"));
}

TEST_CASE("MQTT-4.6.0-4: PUBREL leaves in the order of the PUBRECs") {
    test_node node;
    client sub{node, v311("s", "00")};
    sub.exchange("82: 0001 't' 02");
    client{node, v311("p")}.exchange("34: 't' 0001 31; 34: 't' 0002 32");
    sub.said();
    CHECK(sub.exchange("50: 0002; 50: 0001") == bytes("62: 0002; 62: 0001"));
}
