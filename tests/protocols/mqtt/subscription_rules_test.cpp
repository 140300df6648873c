// SUBSCRIBE, UNSUBSCRIBE, shared subscriptions: statements of §3.3.4, §3.8, §3.10, §4.8.
#include "protocols/mqtt/rules_bench.hpp"

using namespace broker;
using namespace broker::test;
using client = rules_client;

TEST_CASE("MQTT-3.3.4-2, MQTT-3.3.4-3, MQTT-3.3.4-4: overlapping subscriptions: one copy, the highest QoS, every identifier") {
    test_node node;
    client sub{node};
    sub.connect(five);
    (void)sub.exchange("82: 0001 [0b 07] 'a/+' 00; 82: 0002 [0b 08] 'a/#' 02; 82: 0003 [] 'a/b' 01");
    client old{node};
    old.connect(three);
    (void)old.exchange("82: 0001 'a/+' 00 'a/#' 01 'a/b' 00");
    client pub{node};
    pub.connect(publisher);
    (void)pub.exchange("34: 'a/b' 0001 68");
    const auto got = sub.got();
    REQUIRE(got.size() == 1);
    CHECK((got == hexed({"34: 'a/b' 0001 [0b 08 0b 07] 68"}) || got == hexed({"34: 'a/b' 0001 [0b 07 0b 08] 68"})));
    CHECK(old.got() == hexed({"32: 'a/b' 0001 68"}));
}

TEST_CASE("MQTT-3.8.3-3: no local") {
    test_node node;
    client both{node};
    both.connect(five);
    (void)both.exchange("82: 0001 [] 'n' 04 'l' 00");
    CHECK(both.exchange("30: 'n' [] 68; 30: 'l' [] 68") == hexed({"30: 'l' [] 68"}));
    client other{node};
    other.connect(three);
    (void)other.exchange("30: 'n' 68");
    CHECK(both.got() == hexed({"30: 'n' [] 68"}));
}

TEST_CASE("MQTT-3.8.4-3, MQTT-3.8.4-4: the same filter again replaces the subscription; retained messages come again, nothing is lost") {
    test_node node;
    client pub{node};
    pub.connect(publisher);
    (void)pub.exchange("31: 't' \"kept\"");
    client sub{node};
    sub.connect(five);
    (void)sub.exchange("82: 0001 [0b 01] 't' 02");
    (void)pub.exchange("34: 't' 0001 \"before\"");
    CHECK(sub.got() == hexed({"34: 't' 0001 [0b 01] \"before\""}));
    CHECK(sub.exchange("82: 0002 [0b 02] 't' 00") == hexed({"90: 0002 00 00", "31: 't' [0b 02] \"kept\""}));
    CHECK(sub.exchange("50: 0001") == hexed({"62: 0001"}));
    (void)pub.exchange("34: 't' 0002 \"after\"");
    CHECK(sub.got() == hexed({"30: 't' [0b 02] \"after\""})); // one copy, the new level, the new identifier
}

TEST_CASE("MQTT-3.10.4-1, MQTT-3.10.4-2, MQTT-3.10.4-3: UNSUBSCRIBE takes exactly that filter; what has begun is completed") {
    test_node node;
    client sub{node};
    sub.connect(three);
    (void)sub.exchange("82: 0001 'a/+' 02 'a/b' 00");
    client pub{node};
    pub.connect(publisher);
    CHECK(sub.exchange("a2: 0002 'a/#' '+/+' 'a/B'") == hexed({"b0: 0002"})); // none of its filters
    (void)pub.exchange("34: 'a/c' 0001 68");
    CHECK(sub.got() == hexed({"34: 'a/c' 0001 68"}));
    CHECK(sub.exchange("a2: 0003 'a/+'") == hexed({"b0: 0003"}));
    (void)pub.exchange("34: 'a/c' 0002 68; 34: 'a/b' 0003 68");
    CHECK(sub.got() == hexed({"30: 'a/b' 68"}));
    CHECK(sub.exchange("50: 0001") == hexed({"62: 0001"}));
    CHECK(sub.exchange("70: 0001").empty());
}

TEST_CASE("MQTT-4.8.2-3: each member of a shared subscription has the QoS it was granted") {
    test_node node;
    client low{node};
    low.connect(three);
    (void)low.exchange("82: 0001 '$share/g/t' 00");
    client high{node};
    high.connect("10: 'MQTT' 04 02 0000 'high'");
    (void)high.exchange("82: 0001 '$share/g/t' 01");
    client pub{node};
    pub.connect(publisher);
    (void)pub.exchange("34: 't' 0001 68; 34: 't' 0002 68; 34: 't' 0003 68; 34: 't' 0004 68");
    for (const auto& p : low.got()) CHECK(p == hexed({"30: 't' 68"}).front());
    const auto got = high.got();
    CHECK_FALSE(got.empty());
    for (const auto& p : got) CHECK(looks_like(hex(p), "32 *"));
}

TEST_CASE("MQTT-4.8.2-4, MQTT-4.8.2-5: a QoS 2 message that was sent to a member is completed with it, or with nobody") {
    for (const bool returns : {true, false}) {
        test_node node;
        client other{node};
        client member{node};
        const std::string connect = "10: 'MQTT' 05 00 0000 [11 00000064] 'member'";
        member.connect(connect);
        (void)member.exchange("82: 0001 [] '$share/g/t' 02");
        client pub{node};
        pub.connect(publisher);
        (void)pub.exchange("34: 't' 0001 68; 62: 0001");
        CHECK(member.got() == hexed({"34: 't' 0001 [] 68"}));
        other.connect("10: 'MQTT' 05 02 0000 [] 'other'");
        (void)other.exchange("82: 0001 [] '$share/g/t' 02");
        member.disconnect();
        if (returns) {
            client again{node};
            CHECK(again.connect(connect) == hexed({"3c: 't' 0001 [] 68"}));
        } else {
            node.advance(seconds{101}); // the session is over
        }
        CHECK(other.got().empty());
    }
}

TEST_CASE("MQTT-4.8.2-6: a member's error ends the message; no other member gets it") {
    test_node node;
    client member{node};
    member.connect("10: 'MQTT' 05 02 0000 [] 'member'");
    (void)member.exchange("82: 0001 [] '$share/g/t' 02");
    client pub{node};
    pub.connect(publisher);
    (void)pub.exchange("32: 't' 0001 68; 34: 't' 0002 68; 62: 0002");
    CHECK(member.got() == hexed({"32: 't' 0001 [] 68", "34: 't' 0002 [] 68"}));
    client other{node};
    other.connect("10: 'MQTT' 05 02 0000 [] 'other'");
    (void)other.exchange("82: 0001 [] '$share/g/t' 02");
    CHECK(member.exchange("40: 0001 80; 50: 0002 97").empty());
    CHECK(other.got().empty());
}

TEST_CASE("mqtt.shared_error = redeliver: a member's error gives the message to another, and not for ever") {
    limits bounds;
    bounds.mqtt_shared_error = "redeliver";
    test_node node{1, bounds};
    client member{node};
    member.connect("10: 'MQTT' 05 02 0000 [] 'member'");
    (void)member.exchange("82: 0001 [] '$share/g/t' 02");
    client pub{node};
    pub.connect(publisher);
    (void)pub.exchange("32: 't' 0001 68; 34: 't' 0002 68; 62: 0002");
    CHECK(member.got() == hexed({"32: 't' 0001 [] 68", "34: 't' 0002 [] 68"}));
    CHECK(member.exchange("40: 0001 80").empty()); // nobody else is there: it is discarded
    client other{node};
    other.connect("10: 'MQTT' 05 02 0000 [] 'other'");
    (void)other.exchange("82: 0001 [] '$share/g/t' 02");
    CHECK(member.exchange("50: 0002 97").empty());
    // New to this member, so without DUP, but it is told that somebody had it before.
    CHECK(other.got() == hexed({"34: 't' 0001 [26 'x-redelivery' '1'] 68"}));
    client* holder = &other;
    client* next = &member;
    unsigned deliveries = 2;
    std::string id = "0001";
    for (; deliveries < 100; ++deliveries) {
        CHECK(holder->exchange("50: " + id + " 80").empty());
        const auto got = next->got();
        if (got.empty()) break;
        REQUIRE(got.size() == 1);
        id = to_hex(hex(got.front()).substr(5, 2)); // behind fixed header and topic
        std::swap(holder, next);
    }
    CHECK(deliveries == node.bounds().max_deliveries + 1);
}

TEST_CASE("MQTT-4.8.2: a member whose socket or window is full is passed over, across shards") {
    test_node node{2};
    client busy{node, 0};
    busy.connect("10: 'MQTT' 05 02 0000 [21 0001] 'busy'"); // receive maximum 1
    (void)busy.exchange("82: 0001 [] '$share/g/t' 01");
    client idle{node, 1};
    idle.connect("10: 'MQTT' 05 02 0000 [] 'idle'");
    (void)idle.exchange("82: 0001 [] '$share/g/t' 01");
    client pub{node, 1};
    pub.connect(publisher);
    for (int i = 1; i != 8; ++i) {
        (void)pub.exchange("32: 't' 000" + std::to_string(i) + " 68");
        (void)pub.got();
    }
    CHECK(busy.got().size() == 1);
    CHECK(idle.got().size() == 6);
}

// --- reasons in words ---

namespace {

// Answers of every kind that may carry a reason string or user properties.
packets provoked(client& c) {
    return c.exchange("82: 0001 [] 'a/#/b' 00; a2: 0002 [] 'none' 'a/#/b'; 32: '$SYS/x' 0003 [] 68; 34: '$SYS/x' 0004 [] 68;"
                      "32: 'nobody' 0005 [] 68; 62: 0009; 50: 0009; 34: 'nobody' 0006 [] 68; 62: 0006");
}

} // namespace

TEST_CASE("MQTT-3.1.2-29: who asks for no problem information gets codes without words") {
    test_node node;
    client c{node};
    c.connect("10: 'MQTT' 05 02 0000 [17 00] 'c'");
    const std::vector<std::string> expected{"90 04 00 01 00 8f", "b0 05 00 02 00 11 8f", "40 03 00 03 87", "50 03 00 04 87",
                                            "40 03 00 05 10", "70 03 00 09 92", "62 03 00 09 92", "50 03 00 06 10", "70 02 00 06"};
    CHECK(provoked(c) == expected);
}

// [MQTT-3.2.2-19, MQTT-3.2.2-20, MQTT-3.4.2-2, MQTT-3.4.2-3, MQTT-3.5.2-2, MQTT-3.5.2-3, MQTT-3.6.2-2, MQTT-3.6.2-3, MQTT-3.7.2-2,
// MQTT-3.7.2-3, MQTT-3.9.2-1, MQTT-3.9.2-2, MQTT-3.11.2-1, MQTT-3.11.2-2, MQTT-3.14.2-3, MQTT-3.14.2-4]
TEST_CASE("no reason string and no user property makes an answer larger than the client takes") {
    for (std::size_t most = 32; most != 80; ++most) {
        test_node node;
        client c{node};
        const auto size = to_hex(std::string{'\0', '\0', '\0', static_cast<char>(most)});
        c.connect("10: 'MQTT' 05 02 0000 [27 " + size + "] 'c'");
        CHECK(c.connack.size() <= most);
        auto all = provoked(c);
        CHECK(all.size() == 9);
        const auto goodbye = c.exchange("00 00");
        all.insert(all.end(), goodbye.begin(), goodbye.end());
        for (const auto& p : all) CHECK(hex(p).size() <= most);
        client refused{node};
        refused.receive(wire("10: 'MQTT' 05 06 0000 [27 " + size + "] 'c' [] 'a/#' 'm'"));
        CHECK(refused.sent().size() <= most);
    }
}
