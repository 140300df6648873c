// Deliveries and acknowledgements in both directions: statements of §2.2.1, §3.3.1, §4.3 to §4.6, §4.9.
#include "protocols/mqtt/rules_bench.hpp"

using namespace broker;
using namespace broker::test;
using client = rules_client;

namespace {

struct pair {
    test_node node;
    client sub{node};
    client pub{node};
    explicit pair(std::string_view connect = "10: 'MQTT' 04 00 0000 'sub'", std::string_view subscribe = "82: 0001 't' 02") {
        sub.connect(connect);
        (void)sub.exchange(subscribe);
        pub.connect(publisher);
    }
    // The subscriber's connection breaks, and it comes back.
    packets reconnect(client& again, std::string_view connect = "10: 'MQTT' 04 00 0000 'sub'") {
        sub.disconnect();
        return again.connect(connect);
    }
};

} // namespace

TEST_CASE("MQTT-2.2.1-4, MQTT-4.3.2-1, MQTT-4.3.2-2, MQTT-4.3.3-1, MQTT-4.3.3-2: packet identifiers from 1, none in use again, DUP 0") {
    pair p;
    for (const auto* text : {"32: 't' 0009 \"a\"", "34: 't' 0009 \"b\"; 62: 0009", "32: 't' 0009 \"c\""}) (void)p.pub.exchange(text);
    CHECK(p.sub.got() == hexed({"32: 't' 0001 \"a\"", "34: 't' 0002 \"b\"", "32: 't' 0003 \"c\""}));
    (void)p.sub.exchange("40: 0001"); // free, and yet the next one is 4
    (void)p.pub.exchange("32: 't' 0009 \"d\"");
    CHECK(p.sub.got() == hexed({"32: 't' 0004 \"d\""}));
}

TEST_CASE("MQTT-2.2.1-2, MQTT-4.3.1-1: a QoS 0 delivery has no packet identifier; MQTT-3.3.1-3: DUP does not travel") {
    pair p{"10: 'MQTT' 04 02 0000 'sub'", "82: 0001 't' 00 'u' 01"};
    (void)p.pub.exchange("3a: 't' 0001 68; 3a: 'u' 0001 68");
    CHECK(p.sub.got() == hexed({"30: 't' 68", "32: 'u' 0001 68"}));
}

TEST_CASE("MQTT-3.8.4-8: a delivery has the lower of both levels") {
    for (unsigned published = 0; published != 3; ++published) {
        for (unsigned granted = 0; granted != 3; ++granted) {
            pair p{"10: 'MQTT' 04 02 0000 'sub'", "82: 0001 't' 0" + std::to_string(granted)};
            (void)p.pub.exchange(published == 0 ? "30: 't' 68" : published == 1 ? "32: 't' 0001 68" : "34: 't' 0001 68");
            const auto level = std::min(published, granted);
            CHECK(p.sub.got() == (level == 0 ? hexed({"30: 't' 68"}) : level == 1 ? hexed({"32: 't' 0001 68"}) : hexed({"34: 't' 0001 68"})));
        }
    }
}

TEST_CASE("MQTT-4.3.3-8, MQTT-4.3.3-10, MQTT-4.3.3-11, MQTT-4.3.3-12: QoS 2 from a client: once until PUBCOMP, then a new message") {
    pair p;
    CHECK(p.pub.exchange("34: 't' 0007 \"a\"") == hexed({"50: 0007"}));
    CHECK(p.pub.exchange("3c: 't' 0007 \"a\"") == hexed({"50: 0007"}));
    CHECK(p.pub.exchange("62: 0007") == hexed({"70: 0007"}));
    CHECK(p.pub.exchange("34: 't' 0007 \"b\"") == hexed({"50: 0007"}));
    CHECK(p.sub.got() == hexed({"34: 't' 0001 \"a\"", "34: 't' 0002 \"b\""}));
}

TEST_CASE("MQTT-4.3.2-5: after PUBACK the same packet identifier is a new message, whatever its DUP") {
    pair p;
    CHECK(p.pub.exchange("32: 't' 0007 \"a\"; 3a: 't' 0007 \"a\"") == hexed({"40: 0007", "40: 0007"}));
    CHECK(p.sub.got() == hexed({"32: 't' 0001 \"a\"", "32: 't' 0002 \"a\""}));
}

TEST_CASE("MQTT-4.3.3-4, MQTT-4.3.3-5, MQTT-4.3.3-6: PUBREC is answered by PUBREL, which alone is sent again until PUBCOMP") {
    pair p;
    (void)p.pub.exchange("34: 't' 0007 68; 62: 0007");
    CHECK(p.sub.got() == hexed({"34: 't' 0001 68"}));
    CHECK(p.sub.exchange("50: 0001") == hexed({"62: 0001"}));
    client again{p.node};
    CHECK(p.reconnect(again) == hexed({"62: 0001"}));
    CHECK(again.exchange("70: 0001").empty());
    again.disconnect();
    client third{p.node};
    CHECK(third.connect("10: 'MQTT' 04 00 0000 'sub'").empty());
}

TEST_CASE("MQTT-4.4.0-1, MQTT-4.6.0-1, MQTT-3.3.1-1: after a reconnect what is not acknowledged comes again, in order, with DUP") {
    pair p;
    (void)p.pub.exchange("32: 't' 0001 \"a\"; 34: 't' 0002 \"b\"; 62: 0002; 32: 't' 0003 \"c\"; 34: 't' 0004 \"d\"; 62: 0004");
    CHECK(p.sub.got().size() == 4);
    CHECK(p.sub.exchange("50: 0004") == hexed({"62: 0004"}));
    (void)p.sub.exchange("40: 0001");
    p.node.advance(seconds{3600}); // and at no other time
    CHECK(p.sub.got().empty());
    client again{p.node};
    CHECK(p.reconnect(again) == hexed({"3c: 't' 0002 \"b\"", "3a: 't' 0003 \"c\"", "62: 0004"}));
}

TEST_CASE("MQTT-4.4.0-2, MQTT-4.3.3-9: what was answered with an error is not sent again") {
    const auto* const connect = "10: 'MQTT' 05 00 0000 [11 00000064] 'sub'";
    pair p{connect, "82: 0001 [] 't' 02"};
    (void)p.pub.exchange("32: 't' 0001 \"a\"; 34: 't' 0002 \"b\"; 62: 0002");
    CHECK(p.sub.got() == hexed({"32: 't' 0001 [] \"a\"", "34: 't' 0002 [] \"b\""}));
    CHECK(p.sub.exchange("40: 0001 97; 50: 0002 80").empty());
    client again{p.node};
    CHECK(p.reconnect(again, connect).empty());
}

TEST_CASE("MQTT-4.3.3-7, MQTT-4.3.3-13: expiry does not stop a QoS 2 exchange that has begun") {
    const auto* const connect = "10: 'MQTT' 05 00 0000 [11 00000064] 'sub'";
    pair p{connect, "82: 0001 [] 't' 02"};
    client pub{p.node};
    pub.connect("10: 'MQTT' 05 00 0000 [11 00000064] 'five'");
    (void)pub.exchange("34: 't' 0001 [02 00000005] 68"); // 5 s
    CHECK(p.sub.got() == hexed({"34: 't' 0001 [02 00000005] 68"}));
    p.node.advance(seconds{10});
    CHECK(pub.exchange("62: 0001") == hexed({"70: 0001"}));
    client again{p.node};
    CHECK(p.reconnect(again, connect) == hexed({"3c: 't' 0001 [02 00000000] 68"}));
    CHECK(again.exchange("50: 0001") == hexed({"62: 0001"}));
}

TEST_CASE("MQTT-4.6.0-2, MQTT-4.6.0-3: acknowledgements leave in the order of the publications, also when one waits for the disk") {
    pair p; // the subscriber's session is durable
    p.node.commit_automatically(false);
    CHECK(p.pub.exchange("32: 't' 0001 68; 32: 'nobody' 0002 68; 34: 't' 0003 68; 34: 'nobody' 0004 68").empty());
    p.node.commit();
    CHECK(p.pub.got() == hexed({"40: 0001", "40: 0002", "50: 0003", "50: 0004"}));
}

TEST_CASE("MQTT-4.6.0-4: PUBREL leaves in the order of the PUBRECs") {
    pair p;
    (void)p.pub.exchange("34: 't' 0001 68; 34: 't' 0002 68; 34: 't' 0003 68");
    CHECK(p.sub.got().size() == 3);
    CHECK(p.sub.exchange("50: 0002; 50: 0001; 50: 0003") == hexed({"62: 0002", "62: 0001", "62: 0003"}));
}

TEST_CASE("MQTT-4.6.0-5, MQTT-4.6.0-6: one publisher's messages come in order, on every topic and level") {
    pair p{"10: 'MQTT' 04 02 0000 'sub'", "82: 0001 '#' 02"};
    packets expected;
    for (unsigned i = 1; i != 60; ++i) {
        const auto text = std::string{"\""} + static_cast<char>('0' + i % 75) + "\"";
        const auto id = to_hex(std::string{'\0', static_cast<char>(i)});
        (void)p.pub.exchange((i % 2 == 0 ? "32: 't' " : "32: 'u' ") + id + " " + text);
        expected.push_back(to_hex(wire((i % 2 == 0 ? "32: 't' " : "32: 'u' ") + id + " " + text)));
    }
    CHECK(p.sub.got() == expected);
}

TEST_CASE("MQTT-3.3.4-9, MQTT-4.9.0-1, MQTT-4.9.0-2: no more than the receive maximum; MQTT-3.3.4-10, MQTT-4.9.0-3: all else goes on") {
    pair p{"10: 'MQTT' 05 02 0000 [21 0002] 'sub'", "82: 0001 [] 't' 02 'zero' 00"};
    (void)p.pub.exchange("34: 't' 0001 \"a\"; 32: 't' 0002 \"b\"; 32: 't' 0003 \"c\"; 30: 'zero' \"z\"");
    CHECK(p.sub.got() == hexed({"34: 't' 0001 [] \"a\"", "32: 't' 0002 [] \"b\"", "30: 'zero' [] \"z\""}));
    CHECK(p.sub.exchange("c0 00") == hexed({"d0 00"}));
    CHECK(p.sub.exchange("50: 0001") == hexed({"62: 0001"})); // PUBREC alone makes no room
    CHECK(p.sub.exchange("82: 0002 [] 'v' 00") == hexed({"90: 0002 00 00"}));
    CHECK(p.sub.exchange("70: 0001") == hexed({"32: 't' 0003 [] \"c\""}));
}

TEST_CASE("MQTT-3.1.2-24, MQTT-3.1.2-25: what is too large for the client is as if it had been delivered") {
    pair p{"10: 'MQTT' 05 02 0000 [21 0001 27 00000028] 'sub'", "82: 0001 [] 't' 01 'u' 00"}; // at most 40 bytes, one at once
    CHECK(p.pub.exchange("32: 't' 0001 61*50; 30: 'u' 61*50") == hexed({"40: 0001"}));
    CHECK(p.sub.got().empty());
    (void)p.pub.exchange("32: 't' 0002 \"fits\"");
    CHECK(p.sub.got() == hexed({"32: 't' 0002 [] \"fits\""}));
}

TEST_CASE("MQTT-3.1.2-26, MQTT-3.1.2-27, MQTT-3.3.2-11: no topic aliases for a client that takes none") {
    for (const auto* wish : {"", "22 0000"}) {
        pair p{std::string{"10: 'MQTT' 05 02 0000 ["} + wish + "] 'sub'", "82: 0001 [] 't' 00"};
        for (int i = 0; i != 5; ++i) {
            (void)p.pub.exchange("30: 't' 68");
            CHECK(p.sub.got() == hexed({"30: 't' [] 68"}));
        }
    }
}
