// SUBSCRIBE, UNSUBSCRIBE, topic filters (MQTT 5 §3.8 to §3.11, §4.7, §4.8).
#include "protocols/mqtt/client.hpp"

using namespace broker;
using namespace broker::test;

TEST_CASE("MQTT-3.8.4-1, MQTT-3.8.4-2, MQTT-3.2.2-10, MQTT-3.8.4-5, MQTT-3.8.4-6, MQTT-3.8.4-7, MQTT-3.9.3-1, MQTT-2.2.1-6: one code per filter") {
    test_node node;
    client a{node, v5("a")};
    CHECK_LIKE(a.exchange("82: 1234 [] 'a' 00 'b' 01 'c' 02 'd/#/e' 02"), "90 .. 1234 * 00 01 02 8f");
    client b{node, v311("b")};
    CHECK(b.exchange("82: 1234 'a' 00 'b' 01 'c' 02 'd/#/e' 02") == bytes("90: 1234 00 01 02 80"));
}

TEST_CASE("MQTT-3.8.4-3, MQTT-3.8.4-4, MQTT3-3.8.4-3: subscribing again replaces, and retained messages come again") {
    test_node node;
    client pub{node, v5("p")};
    pub.exchange("31: 't' [] 30");
    client a{node, v5("a")};
    CHECK(a.exchange("82: 0001 [0b 01] 't' 00") == bytes("90: 0001 [] 00; 31: 't' [0b 01] 30"));
    CHECK(a.exchange("82: 0002 [0b 02] 't' 02") == bytes("90: 0002 [] 02; 31: 't' [0b 02] 30"));
    pub.exchange("34: 't' 0001 [] 31; 62: 0001");
    CHECK(a.said() == bytes("34: 't' 0001 [0b 02] 31")); // once, as the new subscription says
    CHECK(a.exchange("82: 0003 [0b 03] 't' 00") == bytes("90: 0003 [] 00; 31: 't' [0b 03] 30"));
    CHECK(a.exchange("50: 0001; 70: 0001") == bytes("62: 0001")); // what was on its way is completed
    pub.exchange("34: 't' 0002 [] 32");
    CHECK(a.said() == bytes("30: 't' [0b 03] 32"));
}

TEST_CASE("MQTT-3.3.1-9, MQTT-3.3.1-10, MQTT-3.3.1-11: retain handling") {
    test_node node;
    client pub{node, v5("p")};
    pub.exchange("31: 't' [] 30");
    client a{node, v5("a")};
    const auto with = bytes("90: 0001 [] 00; 31: 't' [] 30");
    const auto without = bytes("90: 0001 [] 00");
    CHECK(a.exchange("82: 0001 [] 't' 20") == without); // 2: never
    CHECK(a.exchange("82: 0001 [] 't' 10") == without); // 1: it exists already
    CHECK(a.exchange("82: 0001 [] 't' 00") == with);    // 0: always
    a.exchange("a2: 0001 [] 't'");
    CHECK(a.exchange("82: 0001 [] 't' 10") == with); // 1: new
}

TEST_CASE("MQTT-3.8.3-3, MQTT-3.8.3-4: no local") {
    test_node node;
    client a{node, v5("a")};
    a.exchange("82: 0001 [] 't' 04 't/#' 00"); // two filters match; one of them without its own
    CHECK(a.exchange("30: 't' [] 31") == bytes("30: 't' [] 31"));
    a.exchange("a2: 0001 [] 't/#'");
    CHECK(a.exchange("30: 't' [] 31").empty());
    client other{node, v5("o")};
    other.exchange("30: 't' [] 32");
    CHECK(a.said() == bytes("30: 't' [] 32"));
    // On a shared subscription the whole packet is in error: nothing of it is done.
    CHECK_LIKE(other.exchange("82: 0001 [] 'x' 00 '$share/g/t' 04"), "e0 .. 82 *");
    CHECK(other.closed());
    other.disconnect();
    CHECK(node.shared().trie.subscriptions() == 1);
}

TEST_CASE("MQTT-3.3.4-2, MQTT-3.3.4-3, MQTT-3.3.4-4: overlapping subscriptions give one copy with all identifiers at the highest QoS") {
    test_node node;
    client five{node, v5("a")};
    five.exchange("82: 0001 [0b 01] 'a/b' 00; 82: 0002 [0b ffffff7f] 'a/+' 02; 82: 0003 [] 'a/#' 01");
    client three{node, v311("b")};
    three.exchange("82: 0001 'a/b' 00 'a/+' 01 '#' 02");
    client pub{node, v5("p")};
    pub.exchange("34: 'a/b' 0001 [] 31");
    const auto got = five.said();
    const bool either = got == bytes("34: 'a/b' 0001 [0b ffffff7f 0b 01] 31") || got == bytes("34: 'a/b' 0001 [0b 01 0b ffffff7f] 31");
    CHECK_MESSAGE(either, got);
    CHECK(three.said() == bytes("34: 'a/b' 0001 31")); // MQTT3-3.3.5-1
}

TEST_CASE("MQTT-3.3.4-5: in a group and with a plain subscription: a copy for each, with its own identifier") {
    test_node node;
    client both{node, v5("b")};
    both.exchange("82: 0001 [0b 07] 'a/b' 00; 82: 0002 [0b 08] '$share/g/a/+' 00; 82: 0003 [0b 09] 'a/#' 00");
    client{node, v5("p")}.exchange("30: 'a/b' [] 31");
    const auto got = both.said();
    const bool either = got == bytes("30: 'a/b' [0b 07 0b 09] 31; 30: 'a/b' [0b 08] 31") ||
                        got == bytes("30: 'a/b' [0b 09 0b 07] 31; 30: 'a/b' [0b 08] 31");
    CHECK_MESSAGE(either, got);
}

TEST_CASE("subscription identifiers are kept for what waits, on disk too") {
    test_node node;
    client{node, v5("s", "11 00000064")}.exchange("82: 0001 [0b 07] 't' 01; 82: 0002 [0b 08] '#' 01");
    client{node, v5("p")}.exchange("32: 't' 0001 [] 31");
    node.crash_and_recover();
    client s{node, v5("s", "", "00")};
    CHECK_LIKE(s.after_connack(), "32 .. 00 01 74 00 01 04 0b .. 0b .. 31");
    client{node, v5("p")}.exchange("30: 't' [] 32");
    CHECK_LIKE(s.said(), "30 .. 00 01 74 04 0b .. 0b .. 32");
}

TEST_CASE("MQTT-3.10.4-1, MQTT-3.10.4-2, MQTT-3.10.4-4, MQTT-3.10.4-5, MQTT-3.10.4-6, MQTT-3.11.3-1, MQTT-3.11.3-2: UNSUBSCRIBE") {
    test_node node;
    client a{node, v5("a")};
    a.exchange("82: 0001 [] 'a/b' 00 'a/+' 00");
    CHECK(a.exchange("a2: 4321 [] 'a/#' 'A/b' 'a/b'") == bytes("b0: 4321 [] 11 11 00")); // byte by byte
    client pub{node, v5("p")};
    pub.exchange("30: 'a/b' [] 31");
    CHECK(a.said() == bytes("30: 'a/b' [] 31")); // by 'a/+'
    CHECK(a.exchange("a2: 0001 [] 'a/+'") == bytes("b0: 0001 [] 00"));
    pub.exchange("30: 'a/b' [] 31");
    CHECK(a.said().empty());
    client three{node, v311("b")};
    CHECK(three.exchange("a2: 4321 'a' 'b'") == bytes("b0: 4321")); // no codes, and always an answer
}

TEST_CASE("MQTT-3.10.4-3: what was sent already is completed after UNSUBSCRIBE") {
    test_node node;
    client a{node, v5("a", "11 00000064", "00")};
    a.exchange("82: 0001 [] 't' 02");
    client pub{node, v5("p")};
    pub.exchange("34: 't' 0001 [] 31; 32: 't' 0002 [] 32");
    a.said();
    a.exchange("a2: 0001 [] 't'");
    pub.exchange("32: 't' 0002 [] 33");
    CHECK(a.said().empty());
    a.disconnect();
    client again{node, v5("a", "11 00000064", "00")};
    CHECK(again.after_connack() == bytes("3c: 't' 0001 [] 31; 3a: 't' 0002 [] 32"));
    CHECK(again.exchange("50: 0001; 70: 0001; 40: 0002") == bytes("62: 0001"));
}

TEST_CASE("MQTT-4.3.2-4, §3.8.4: SUBACK of a durable session waits for the disk; a crash after it keeps the subscription") {
    test_node node;
    client a{node, v311("a", "00")};
    node.commit_automatically(false);
    CHECK(a.exchange("82: 0001 't' 01").empty());
    node.commit();
    CHECK(a.said() == bytes("90: 0001 01"));
    CHECK(a.exchange("a2: 0002 't'").empty());
    node.commit();
    CHECK(a.said() == bytes("b0: 0002"));
    node.crash_and_recover();
    CHECK(node.shared().trie.subscriptions() == 0);
}

TEST_CASE("what is retained follows the SUBACK, also one that waits for the disk, unless it was unsubscribed by then") {
    test_node node;
    client pub{node, v5("p")};
    pub.exchange("31: 't' [] 30");
    client a{node, v311("a", "00")};
    node.commit_automatically(false);
    CHECK(a.exchange("82: 0001 't' 00").empty());
    node.commit();
    CHECK(a.said() == bytes("90: 0001 00; 31: 't' 30"));
    CHECK(a.exchange("82: 0002 't' 00; a2: 0003 't'").empty());
    node.commit();
    CHECK(a.said() == bytes("90: 0002 00; b0: 0003"));
}

TEST_CASE("retained messages leave room in the outbox: what is published meanwhile is not dropped") {
    limits bounds;
    bounds.outbox_bytes_max = 4096;
    test_node node{1, bounds};
    client pub{node, v5("p")};
    for (int i = 100; i != 200; ++i) pub.exchange("31: 'r/" + std::to_string(i) + "' [] '" + std::string(100, 'x') + "'");
    client a{node, v5("a")};
    a.receive(wire("82: 0001 [] 'r/#' 00"));
    CHECK(a.out().bytes() > 2048); // it does not read
    CHECK(a.out().bytes() < 3000);
    pub.exchange("30: 'r/live' [] 'live'");
    std::string all;
    for (auto piece = a.sent(); !piece.empty(); piece = a.sent()) all += piece;
    CHECK(all.find("r/live") != std::string::npos);
    CHECK(all.find("r/100") != std::string::npos);
    CHECK(all.find("r/199") != std::string::npos);
    CHECK(node.shard().desk().count().messages_dropped[static_cast<std::size_t>(drop_reason::queue_full)] == 0);
}

TEST_CASE("the limit on subscriptions: 0x97 in SUBACK, 0x80 for 3.1.1, and the others hold") {
    limits bounds;
    bounds.max_subscriptions_per_client = 2;
    test_node node{1, bounds};
    client a{node, v5("a")};
    CHECK_LIKE(a.exchange("82: 0001 [] 'a' 00 'b' 01 'c' 02"), "90 .. 0001 * 00 01 97");
    CHECK(a.exchange("82: 0001 [] 'a' 02") == bytes("90: 0001 [] 02")); // replacing is no new one
    CHECK(a.exchange("a2: 0001 [] 'a'") == bytes("b0: 0001 [] 00"));
    CHECK(a.exchange("82: 0001 [] 'c' 02") == bytes("90: 0001 [] 02"));
    client b{node, v311("b")};
    CHECK(b.exchange("82: 0001 'a' 00 'b' 01 'c' 02") == bytes("90: 0001 00 01 80"));
}

TEST_CASE("MQTT-4.7.1-1, MQTT-4.7.1-2, MQTT-4.7.3-1, MQTT-4.7.3-4, MQTT-4.7.2-1: wildcards, empty levels, case, $") {
    struct row {
        const char* filter;
        const char* topic;
        bool matches;
    };
    for (const auto& r : {row{"#", "a/b", true}, {"a/#", "a", true}, {"a/#", "a/b/c", true}, {"+", "a", true}, {"+", "/a", false},
                          {"+/+", "/a", true}, {"/+", "/a", true}, {"a/+", "a", false}, {"a/+", "a/", true}, {"a/+/c", "a//c", true},
                          {"a", "A", false}, {"a/", "a", false}, {"/a", "a", false}, {"a/b", "a/b", true}, {" a", "a", false},
                          {"\xc3\xa4", "a\xcc\x88", false}, {"/", "/", true}, {"//", "/", false},
                          {"#", "$queue/x", false}, {"+/x", "$queue/x", false}}) {
        CAPTURE(r.filter);
        CAPTURE(r.topic);
        test_node node;
        client sub{node, v311("s")};
        sub.exchange("82: 0001 '" + std::string{r.filter} + "' 00");
        client{node, v311("p")}.exchange("30: '" + std::string{r.topic} + "' 31");
        CHECK(sub.said() == (r.matches ? bytes("30: '" + std::string{r.topic} + "' 31") : ""));
    }
}

TEST_CASE("MQTT-4.7.3-3: topics of 65,535 bytes when the limit allows them; refused with their code when not") {
    limits wide;
    wide.max_topic_bytes = 65'535;
    wide.max_topic_levels = topic_levels_max;
    test_node node{1, wide};
    client sub{node, v5("s")};
    CHECK(sub.exchange("82: 0001 [] ffff 61*65535 01") == bytes("90: 0001 [] 01"));
    CHECK(sub.exchange("32: ffff 61*65535 0001 [] 31").starts_with("32 85 80 04 ff ff 61"));
    client levels{node, v5("l")};
    CHECK(levels.exchange("82: 0001 [] 03ff 2f*1023 00") == bytes("90: 0001 [] 00"));
    CHECK(levels.exchange("31: 03ff 2f*1023 [] 31").starts_with("30 83 08 03 ff 2f"));
    CHECK(levels.exchange("82: 0002 [] '#' 00").ends_with("2f 00 31"));
    CHECK_LIKE(levels.exchange("82: 0003 [] 0400 2f*1024 00"), "90 .. 0003 * 8f");

    test_node narrow;
    client a{narrow, v5("a")};
    CHECK_LIKE(a.exchange("32: ffff 61*65535 0001 [] 31"), "40 .. 0001 90 *");
    CHECK_LIKE(a.exchange("34: 0080 2f*128 0001 [] 31"), "50 .. 0001 90 *"); // 129 levels
    CHECK(a.exchange("32: 007f 2f*127 0002 [] 31") == bytes("40: 0002 10"));
    CHECK(a.exchange("30: ffff 61*65535 [] 31").empty());
    CHECK_LIKE(a.exchange("82: 0001 [] ffff 61*65535 01 0080 2f*128 00"), "90 .. 0001 * 8f 8f");
    CHECK_FALSE(a.closed());
    client b{narrow, v311("b")};
    CHECK(b.exchange("82: 0001 ffff 61*65535 01") == bytes("90: 0001 80"));
    CHECK(b.exchange("32: ffff 61*65535 0001 31").empty());
    CHECK(b.closed());
}
