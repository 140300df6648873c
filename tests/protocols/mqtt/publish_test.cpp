// PUBLISH in both directions, QoS 0 and 1, properties, message expiry (MQTT 5 §3.3, §3.4, §4.3.1, §4.3.2).
#include "protocols/mqtt/client.hpp"

using namespace broker;
using namespace broker::test;

TEST_CASE("MQTT-3.8.4-8, MQTT-3.3.4-1, MQTT-2.2.1-5, MQTT-4.3.1-1, MQTT-2.2.1-2: every QoS at the lower of both levels") {
    test_node node;
    client pub{node, v5("p")};
    for (unsigned granted = 0; granted != 3; ++granted) {
        client sub{node, v311("s")};
        const auto level = "0" + std::to_string(granted);
        CHECK(sub.exchange("82: 0001 't' " + level) == bytes("90: 0001 " + level));
        CHECK(pub.exchange("30: 't' [] 30").empty());
        CHECK(sub.said() == bytes("30: 't' 30"));
        CHECK(pub.exchange("32: 't' 0005 [] 31") == bytes("40: 0005"));
        CHECK(sub.said() == (granted == 0 ? bytes("30: 't' 31") : bytes("32: 't' 0001 31")));
        CHECK(pub.exchange("34: 't' 0006 [] 32") == bytes("50: 0006"));
        CHECK(pub.exchange("62: 0006") == bytes("70: 0006"));
        CHECK(sub.said() == (granted == 0   ? bytes("30: 't' 32")
                             : granted == 1 ? bytes("32: 't' 0002 32")
                                            : bytes("34: 't' 0002 32")));
    }
}

TEST_CASE("MQTT-4.3.2-4, MQTT3-4.3.2-2: PUBACK waits for the commit when a durable session matched") {
    test_node node;
    client b{node, v311("b", "00")};
    b.exchange("82: 0001 't' 01");
    node.commit_automatically(false);
    client a{node, v311("a")};
    CHECK(a.exchange("32: 't' 000a 68").empty());
    node.commit();
    CHECK(a.said() == bytes("40: 000a"));
}

TEST_CASE("MQTT-4.3.2-1, MQTT-4.3.2-2, MQTT-4.3.2-3, MQTT-2.2.1-4, MQTT-3.3.1-3: packet identifiers count up from 1, DUP is ours") {
    test_node node;
    client sub{node, v311("s", "00")};
    sub.exchange("82: 0001 't' 01");
    client pub{node, v311("p")};
    pub.exchange("3a: 't' 0007 31"); // the publisher's DUP and identifier are its own
    CHECK(sub.said() == bytes("32: 't' 0001 31"));
    pub.exchange("32: 't' 0008 32");
    CHECK(sub.said() == bytes("32: 't' 0002 32"));
    sub.exchange("40: 0001");
    pub.exchange("32: 't' 0009 33");
    CHECK(sub.said() == bytes("32: 't' 0003 33"));
    sub.disconnect();
    client again{node, v311("s", "00")}; // not acknowledged: again, in order, with the same identifiers [MQTT-3.3.1-1]
    CHECK(again.after_connack() == bytes("3a: 't' 0002 32; 3a: 't' 0003 33"));
    pub.exchange("32: 't' 000a 34");
    CHECK(again.said() == bytes("32: 't' 0004 34"));
    client fresh{node, v311("f")};
    fresh.exchange("82: 0001 't' 00; 82: 0001 'u' 01");
    pub.exchange("3a: 'u' 000b 35; 3a: 't' 000c 36");
    CHECK(fresh.said() == bytes("32: 'u' 0001 35; 30: 't' 36"));
}

TEST_CASE("MQTT-2.2.1-4: packet identifiers begin anew behind 65,535, without 0 and those in use") {
    test_node node;
    client sub{node, v5("s")};
    sub.exchange("82: 0001 [] 't' 01");
    client pub{node, v311("p")};
    pub.exchange("32: 't' 0001 68; 32: 't' 0001 68");
    CHECK(sub.said() == bytes("32: 't' 0001 [] 68; 32: 't' 0002 [] 68"));
    sub.exchange("40: 0001"); // 2 stays in use
    constexpr unsigned together = 71; // divides 65,533
    std::string burst;
    for (unsigned i = 0; i != together; ++i) burst += wire("32: 't' 0001 68");
    for (unsigned last = 2; last < 65'535; last += together) {
        pub.receive(burst);
        (void)pub.sent();
        (void)sub.sent();
        std::string answers;
        for (unsigned id = last + 1; id != last + together + 1; ++id) {
            answers += wire("40 02") + std::string{static_cast<char>(id >> 8), static_cast<char>(id & 0xFF)};
        }
        sub.receive(answers);
    }
    pub.exchange("32: 't' 0001 69; 32: 't' 0001 70");
    CHECK(sub.said() == bytes("32: 't' 0001 [] 69; 32: 't' 0003 [] 70"));
}

TEST_CASE("MQTT-4.3.2-5: after PUBACK the identifier is new again, whatever DUP says") {
    test_node node;
    client sub{node, v311("s")};
    sub.exchange("82: 0001 't' 00");
    client pub{node, v311("p")};
    CHECK(pub.exchange("32: 't' 0001 31; 3a: 't' 0001 31") == bytes("40: 0001; 40: 0001"));
    CHECK(sub.said() == bytes("30: 't' 31; 30: 't' 31"));
}

TEST_CASE("§3.4.2.1: No matching subscribers is told to version 5 alone") {
    test_node node;
    client five{node, v5("p")};
    CHECK(five.exchange("32: 'x' 0007 [] 31") == bytes("40: 0007 10"));
    CHECK(five.exchange("34: 'x' 0008 [] 31; 62: 0008") == bytes("50: 0008 10; 70: 0008"));
    client three{node, v311("q")};
    CHECK(three.exchange("32: 'x' 0007 31") == bytes("40: 0007"));
}

TEST_CASE("MQTT-3.3.2-4, MQTT-3.3.2-15, MQTT-3.3.2-16, MQTT-3.3.2-17, MQTT-3.3.2-18, MQTT-3.3.2-20: properties go on unaltered") {
    test_node node;
    client sub{node, v5("s", "11 00000064", "00")};
    sub.exchange("82: 0001 [] 't' 01");
    client old{node, v311("o")};
    old.exchange("82: 0001 't' 00");
    client pub{node, v5("p")};
    constexpr auto properties = "26 'z' '1' 01 01 03 'text/plain' 26 'a' '2' 08 'answers' 09 0002 00ff 26 'z' '1'";
    pub.exchange("32: 't' 0001 [" + std::string{properties} + "] 68");
    CHECK(sub.said() == bytes("32: 't' 0001 [" + std::string{properties} + "] 68"));
    CHECK(old.said() == bytes("30: 't' 68")); // nothing of version 5 for version 3
    sub.disconnect();
    node.crash_and_recover(); // nor does the disk alter them
    client again{node, v5("s", "", "00")};
    CHECK_LIKE(again.after_connack(), "3a * " + bytes("[" + std::string{properties} + "] 68"));
}

TEST_CASE("§3.3.2.3.2, MQTT-3.4.2-1: a payload that is not the UTF-8 it says is refused, not the connection") {
    test_node node;
    client pub{node, v5("p")};
    CHECK_LIKE(pub.exchange("32: 't' 0001 [01 01] ff"), "40 .. 0001 99 *");
    CHECK_LIKE(pub.exchange("34: 't' 0001 [01 01] ff"), "50 .. 0001 99 *");
    CHECK(pub.exchange("30: 't' [01 01] ff").empty());
    CHECK(pub.exchange("32: 't' 0001 [01 00] ff") == bytes("40: 0001 10")); // unspecified bytes
    CHECK(node.shard().desk().count().messages_dropped[static_cast<std::size_t>(drop_reason::acl)] == 3);
}

TEST_CASE("MQTT3-3.3.5-2: a 3.1.1 client's forbidden messages are acknowledged and dropped; what we cannot take closes it") {
    limits bounds;
    bounds.retained_messages_max = 0;
    test_node node{1, bounds};
    client a{node, v311("a")};
    CHECK(a.exchange("30: '$SYS/x' 68; 32: '$SYS/x' 0001 68") == bytes("40: 0001"));
    CHECK(a.exchange("33: 't' 0001 68").empty());
    CHECK(a.closed_because() == "overload");
    client b{node, v5("b")};
    // Without a word more: nobody is told about what is forbidden.
    CHECK(b.exchange("32: '$SYS/x' 0001 [] 68; 34: '$SYS/x' 0001 [] 68") == bytes("40: 0001 87; 50: 0001 87"));
    CHECK_FALSE(b.closed());
}

TEST_CASE("MQTT-2.2.1-3, MQTT-3.9.3-2, MQTT-3.11.3-2: an identifier that a QoS 2 exchange has is in use") {
    test_node node;
    client a{node, v5("a")};
    a.exchange("34: 't' 0001 [] 68");
    CHECK_LIKE(a.exchange("32: 't' 0001 [] 68"), "40 .. 0001 91 *");
    CHECK_LIKE(a.exchange("82: 0001 [] 't' 00 'u' 01"), "90 .. 0001 * 91 91");
    CHECK_LIKE(a.exchange("a2: 0001 [] 't'"), "b0 .. 0001 * 91");
    CHECK(a.exchange("62: 0001") == bytes("70: 0001"));
    CHECK(a.exchange("82: 0001 [] 't' 00") == bytes("90: 0001 [] 00"));
}

TEST_CASE("MQTT-3.3.2-5, MQTT-3.3.2-6: message expiry is counted down, and ends what waits") {
    for (const bool restart : {false, true}) {
        test_node node;
        client{node, v5("s", "11 00000064")}.exchange("82: 0001 [] 't' 01");
        client{node, v5("late", "11 00000064")}.exchange("82: 0001 [] 't' 01");
        client{node, v5("p")}.exchange("32: 't' 0001 [02 0000000a] 31; 32: 't' 0002 [] 32");
        node.advance(seconds{4});
        if (restart) node.crash_and_recover();
        {
            client s{node, v5("s", "", "00")};
            CHECK(s.after_connack() == bytes("32: 't' 0001 [02 00000006] 31; 32: 't' 0002 [] 32"));
        }
        node.advance(seconds{7});
        client late{node, v5("late", "", "00")};
        CHECK(late.after_connack() == bytes("32: 't' 0001 [] 32"));
    }
}

TEST_CASE("message expiry: 0 is over at once, version 3 is told nothing, retained messages count down as well") {
    test_node node;
    client sub{node, v5("s")};
    sub.exchange("82: 0001 [] 't' 01");
    client old{node, v311("o")};
    old.exchange("82: 0001 't' 00");
    client pub{node, v5("p")};
    pub.exchange("30: 't' [02 00000000] 30");
    CHECK(sub.said().empty());
    pub.exchange("31: 't' [02 0000000a] 31");
    CHECK(sub.said() == bytes("30: 't' [02 0000000a] 31"));
    CHECK(old.said() == bytes("30: 't' 31"));
    node.advance(seconds{9});
    client late{node, v5("l")};
    CHECK(late.exchange("82: 0001 [] 't' 00") == bytes("90: 0001 [] 00; 31: 't' [02 00000001] 31"));
    node.advance(seconds{2});
    CHECK(late.exchange("82: 0001 [] 't' 00") == bytes("90: 0001 [] 00"));
}

TEST_CASE("MQTT-4.3.3-7: what was sent does not expire any more; it is sent again, also after a crash") {
    test_node node;
    {
        client s{node, v5("s", "11 00000064", "00")};
        s.exchange("82: 0001 [] 't' 02");
        client{node, v5("p")}.exchange("34: 't' 0001 [02 0000000a] 31; 32: 't' 0002 [02 0000000a] 32");
        CHECK(s.said() == bytes("32: 't' 0002 [02 0000000a] 32; 34: 't' 0001 [02 0000000a] 31"));
    }
    node.advance(seconds{11});
    {
        client s{node, v5("s", "11 00000064", "00")};
        CHECK(s.after_connack() == bytes("3c: 't' 0001 [02 00000000] 31; 3a: 't' 0002 [02 00000000] 32"));
    }
    node.crash_and_recover();
    client s{node, v5("s", "11 00000064", "00")};
    CHECK(s.after_connack() == bytes("3c: 't' 0001 [02 00000000] 31; 3a: 't' 0002 [02 00000000] 32"));
    CHECK(s.exchange("50: 0001; 70: 0001; 40: 0002") == bytes("62: 0001"));
    CHECK(node.disk().rows(storage::column::outbound_qos2) == 0);
}

TEST_CASE("MQTT-4.6.0-5, MQTT-4.6.0-6: one publisher's messages arrive in its order, on every topic, per QoS") {
    test_node node{2};
    client sub{node, v311("s"), 1};
    sub.exchange("82: 0001 '#' 01");
    client pub{node, v311("p"), 0};
    std::string want;
    for (int i = 0; i != 50; ++i) {
        const auto payload = to_hex(std::string(1, static_cast<char>(i)));
        const std::string topic = i % 2 == 0 ? "32: 't' " : "32: 'u' ";
        pub.exchange(topic + "0001 " + payload);
        std::string id = to_hex(std::string{'\0', static_cast<char>(i + 1)});
        std::erase(id, ' ');
        want += topic + id + " " + payload + "; ";
    }
    CHECK(sub.said() == bytes(want));
}

TEST_CASE("MQTT-4.6.0-2, MQTT-4.6.0-3: acknowledgements leave in the order of what they answer") {
    test_node node;
    client{node, v311("s", "00")}.exchange("82: 0001 't' 02");
    node.commit_automatically(false);
    client pub{node, v311("p")};
    // The second is for nobody and needs no commit; it does not overtake.
    CHECK(pub.exchange("32: 't' 0001 31; 32: 'nobody' 0002 32; 34: 't' 0003 33; 34: 'nobody' 0004 34").empty());
    node.commit();
    CHECK(pub.said() == bytes("40: 0001; 40: 0002; 50: 0003; 50: 0004"));
}

TEST_CASE("MQTT-3.3.1-5, MQTT-3.3.1-6, MQTT-3.3.1-7, MQTT-3.3.1-8: retained messages are set, replaced and removed") {
    test_node node;
    client a{node, v311("a")};
    const auto look = [&] { return a.exchange("82: 0001 't' 01"); };
    a.exchange("31: 't' 31");
    CHECK(look() == bytes("90: 0001 01; 31: 't' 31"));
    a.exchange("33: 't' 0001 32");
    a.exchange("40: 0001");
    CHECK(look() == bytes("90: 0001 01; 33: 't' 0002 32")); // the QoS is kept with it
    a.exchange("40: 0002; 30: 't' 33");
    CHECK(look() == bytes("90: 0001 01; 33: 't' 0003 32"));
    CHECK(a.exchange("40: 0003; 31: 't' 34") == bytes("30: 't' 34"));
    CHECK(look() == bytes("90: 0001 01; 31: 't' 34")); // QoS 0 replaces like any other [MQTT3-3.3.1-7]
    CHECK(a.exchange("31: 't'") == bytes("30: 't'")); // processed normally as well
    CHECK(look() == bytes("90: 0001 01"));
    CHECK(node.disk().rows(storage::column::retained) == 0);
}

TEST_CASE("MQTT-3.3.4-1: removing a retained message that is not there is acknowledged, by an idle server too") {
    test_node node;
    client p{node, v5("p")};
    CHECK(p.exchange("33: 't' 0001 []") == bytes("40: 0001 10"));
    CHECK(p.exchange("35: 't' 0002 []; 62: 0002") == bytes("50: 0002 10; 70: 0002"));
}

TEST_CASE("MQTT-3.3.4-1: and when another shard has removed it, not before that is on disk") {
    test_node node{2};
    client a{node, v5("a")};
    client b{node, v5("b"), 1};
    a.exchange("33: 't' 0001 [] 68");
    node.commit_automatically(false);
    CHECK(a.exchange("33: 't' 0002 []").empty());
    CHECK(b.exchange("33: 't' 0001 []").empty());
    node.commit();
    CHECK(b.said() == bytes("40: 0001 10"));
    CHECK(node.disk().rows(storage::column::retained) == 0);
}

TEST_CASE("MQTT3-3.1.2-7: retained messages outlive the session of who published them") {
    test_node node;
    client{node, v311("p")}.exchange("33: 't' 0001 68");
    client other{node, v311("o")};
    CHECK(other.exchange("82: 0001 't' 00") == bytes("90: 0001 00; 31: 't' 68"));
}

TEST_CASE("MQTT-3.3.1-12, MQTT-3.3.1-13: RETAIN of what is forwarded follows Retain As Published") {
    test_node node;
    client plain{node, v5("a")};
    plain.exchange("82: 0001 [] 't' 00");
    client kept{node, v5("b")};
    kept.exchange("82: 0001 [] 't' 08");
    client pub{node, v5("p")};
    pub.exchange("31: 't' [] 31; 30: 't' [] 32");
    CHECK(plain.said() == bytes("30: 't' [] 31; 30: 't' [] 32"));
    CHECK(kept.said() == bytes("31: 't' [] 31; 30: 't' [] 32"));
}
