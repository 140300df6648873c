// Shared subscriptions (MQTT 5 §4.8.2, docs/decisions/0003-shared-subscriptions.md).
#include "protocols/mqtt/client.hpp"

#include <algorithm>

using namespace broker;
using namespace broker::test;

namespace {

constexpr auto kept = "11 00000064"; // session expiry 100 s

struct member : client {
    member(test_node& node, std::string_view hello, std::size_t shard = 0) : client{node, hello, shard} {
        exchange("82: 0001 [] '$share/g/t' 02");
    }
};

} // namespace

TEST_CASE("MQTT-4.8.2-1, MQTT-4.8.2-2, MQTT-4.8.2-3: shared subscriptions take turns and respect each member's QoS") {
    test_node node;
    client one{node, v311("one")};
    client two{node, v5("two")};
    CHECK(one.exchange("82: 0001 '$share/g/t' 00") == bytes("90: 0001 00"));
    CHECK(two.exchange("82: 0001 [0b 05] '$share/g/t' 01") == bytes("90: 0001 [] 01"));
    client pub{node, v311("p")};
    pub.exchange("32: 't' 0001 31; 32: 't' 0002 32");
    CHECK_LIKE(one.said(), "30 04 00 01 74 ..");
    CHECK_LIKE(two.said(), "32 .. 00 01 74 00 01 02 0b 05 ..");
    for (const auto* filter : {"$share", "$share/g", "$share//t", "$share/g/", "$share/g+/t", "$share/#/t", "$share/g/a#"}) {
        CAPTURE(filter);
        CHECK_LIKE(two.exchange("82: 0002 [] '" + std::string{filter} + "' 00"),
                   filter == std::string_view{"$share"} ? "90 .. 0002 * 00" : "90 .. 0002 * 8f");
    }
}

TEST_CASE("§4.8.2: nothing retained is sent for a shared subscription, and it takes nothing from plain ones and other groups") {
    test_node node;
    client pub{node, v311("p")};
    pub.exchange("31: 't' 30");
    client shares{node, v5("shares")};
    CHECK(shares.exchange("82: 0001 [] '$share/g/t' 00 '$share/h/+' 00") == bytes("90: 0001 [] 00 00"));
    CHECK(shares.exchange("82: 0002 [] '$share/g/t' 00") == bytes("90: 0002 [] 00")); // nor when it is made again
    client plain{node, v5("plain")};
    CHECK(plain.exchange("82: 0001 [] '#' 00") == bytes("90: 0001 [] 00; 31: 't' [] 30"));
    client both{node, v5("both")};
    CHECK(both.exchange("82: 0001 [] '$share/h/+' 00 't' 00") == bytes("90: 0001 [] 00 00; 31: 't' [] 30"));
    for (int i = 0; i != 4; ++i) pub.exchange("30: 't' 31");
    const auto got = [](client& c) { return std::ranges::count(c.said(), ' ') + 1; };
    const auto one = static_cast<std::ptrdiff_t>(wire("30: 't' [] 31").size());
    CHECK(got(plain) == 4 * one);
    CHECK(got(shares) + got(both) == 3 * 4 * one); // each group's, and one for the plain subscription
}

TEST_CASE("§4.8.2: a member that is away gets what is published while nobody is there, and nothing else") {
    test_node node;
    {
        const member away{node, v5("away", kept, "00")};
    }
    client pub{node, v311("p")};
    pub.exchange("32: 't' 0001 31"); // nobody is there: it keeps this one
    {
        member online{node, v5("online")};
        pub.exchange("32: 't' 0002 32; 32: 't' 0003 33");
        CHECK(online.said() == bytes("32: 't' 0001 [] 32; 32: 't' 0002 [] 33"));
        online.exchange("40: 0001; 40: 0002");
    }
    pub.exchange("32: 't' 0004 34");
    client back{node, v5("away", kept, "00")};
    CHECK(back.after_connack() == bytes("32: 't' 0001 [] 31; 32: 't' 0002 [] 34"));
}

TEST_CASE("MQTT-4.8.2-4, MQTT-4.8.2-5: a QoS 2 message that was sent to a member is completed with it, or with nobody") {
    for (const bool returns : {true, false}) {
        test_node node;
        member one{node, v5("one", kept, "00")};
        client{node, v311("p")}.exchange("34: 't' 0001 68; 62: 0001");
        CHECK(one.said() == bytes("34: 't' 0001 [] 68"));
        member other{node, "10: 'MQTT' 05 02 0000 [] 'other'"};
        one.disconnect();
        if (returns) {
            client again{node, v5("one", kept, "00")};
            CHECK(again.after_connack() == bytes("3c: 't' 0001 [] 68"));
        } else {
            node.advance(seconds{101}); // the session is over
        }
        CHECK(other.said().empty());
    }
}

TEST_CASE("§4.8.2: a QoS 1 message its member did not acknowledge goes to another when the session ends, after a restart too") {
    for (const bool restart : {false, true}) {
        test_node node;
        {
            member one{node, v5("one", kept, "00")};
            client{node, v311("p")}.exchange("32: 't' 0001 68");
            CHECK(one.said() == bytes("32: 't' 0001 [] 68"));
        }
        CHECK(node.disk().rows(storage::column::outbound_qos2) == 1);
        if (restart) node.crash_and_recover();
        member other{node, "10: 'MQTT' 05 02 0000 [] 'other'"};
        node.advance(seconds{101});
        CHECK(other.said() == bytes("32: 't' 0001 [26 'x-redelivery' '1'] 68"));
        CHECK(node.disk().rows(storage::column::outbound_qos2) == 0);
        CHECK(node.disk().rows(storage::column::entries) == 0);
    }
}

TEST_CASE("MQTT-4.8.2-6: a member's error ends the message; no other member gets it") {
    test_node node;
    member one{node, v5("one")};
    client{node, v311("p")}.exchange("32: 't' 0001 68; 34: 't' 0002 68; 62: 0002");
    CHECK(one.said() == bytes("32: 't' 0001 [] 68; 34: 't' 0002 [] 68"));
    member other{node, v5("other")};
    CHECK(one.exchange("40: 0001 80; 50: 0002 97").empty());
    CHECK(other.said().empty());
}

TEST_CASE("mqtt.shared_error = redeliver: a member's error gives the message to another, and not for ever") {
    limits bounds;
    bounds.mqtt_shared_error = "redeliver";
    test_node node{1, bounds};
    member one{node, v5("one")};
    client{node, v311("p")}.exchange("32: 't' 0001 68; 34: 't' 0002 68; 62: 0002");
    CHECK(one.said() == bytes("32: 't' 0001 [] 68; 34: 't' 0002 [] 68"));
    CHECK(one.exchange("40: 0001 80").empty()); // nobody else is there: it is discarded
    member other{node, v5("other")};
    CHECK(one.exchange("50: 0002 97").empty());
    // New to this member, so without DUP, but it is told that somebody had it before.
    CHECK(other.said() == bytes("34: 't' 0001 [26 'x-redelivery' '1'] 68"));
    client* holder = &other;
    client* next = &one;
    unsigned deliveries = 2;
    std::string id = "0001";
    for (; deliveries < 100; ++deliveries) {
        CHECK(holder->exchange("50: " + id + " 80").empty());
        const auto got = next->said();
        if (got.empty()) break;
        id = to_hex(hex(got).substr(5, 2)); // behind fixed header and topic
        std::swap(holder, next);
    }
    CHECK(deliveries == node.bounds().max_deliveries);
}

TEST_CASE("MQTT-4.8.2: a member whose window is full is passed over, across shards") {
    test_node node{2};
    member busy{node, v5("busy", "21 0001")}; // receive maximum 1
    member idle{node, v5("idle"), 1};
    client pub{node, v311("p"), 1};
    for (int i = 1; i != 8; ++i) pub.exchange("32: 't' 0001 3" + std::to_string(i));
    CHECK(busy.said().size() == bytes("32: 't' 0001 [] 31").size());
    const auto got = idle.said();
    CHECK(std::ranges::count(got, ' ') + 1 == 6 * 9); // six packets of nine bytes
}

TEST_CASE("what a session got through a group it has left goes to the others when the session ends after a restart") {
    test_node node;
    {
        client m{node, v5("m", "11 00000064")};
        m.exchange("82: 0001 [] '$share/g/t' 01");
        client pub{node, v311("p")};
        pub.exchange("32: 't' 0001 61");
        m.exchange("a2: 0002 [] '$share/g/t'"); // and no PUBACK
    }
    node.crash_and_recover();
    client n{node, v5("n")};
    n.exchange("82: 0001 [] '$share/g/t' 01");
    client again{node, v5("m")}; // a clean start
    CHECK(n.said() == bytes("32: 't' 0001 [26 'x-redelivery' '1'] 61"));
}
