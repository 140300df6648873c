// Topic aliases in both directions (MQTT 5 §3.3.2.3.4).
#include "protocols/mqtt/client.hpp"

#include "protocols/mqtt/topic_alias.hpp"

using namespace broker;
using namespace broker::test;

TEST_CASE("MQTT-3.3.2-12, MQTT-3.3.2-8, MQTT-3.3.2-9: aliases a client uses: set, used, set anew, refused beyond the maximum") {
    test_node node;
    client sub{node, v311("s")};
    sub.exchange("82: 0001 '#' 00");
    client pub{node, v5("p")};
    CHECK(pub.exchange("30: 'a' [23 0001] 31; 30: '' [23 0001] 32; 30: 'b' [23 0040] 33; 30: '' [23 0040] 34").empty());
    CHECK(sub.said() == bytes("30: 'a' 31; 30: 'a' 32; 30: 'b' 33; 30: 'b' 34"));
    pub.exchange("30: 'c' [23 0001] 35; 30: '' [23 0001] 36; 32: '' 0001 [23 0040] 37");
    CHECK(sub.said() == bytes("30: 'c' 35; 30: 'c' 36; 30: 'b' 37"));
    CHECK_LIKE(pub.exchange("30: 'a' [23 0041] 31"), "e0 .. 94 *");
    client zero{node, v5("z")};
    CHECK_LIKE(zero.exchange("30: 'a' [23 0000] 31"), "e0 .. 94 *");
    client unknown{node, v5("u")};
    CHECK_LIKE(unknown.exchange("30: '' [23 0002] 31"), "e0 .. 82 *");
    client none{node, v5("n")};
    CHECK_LIKE(none.exchange("30: '' [] 31"), "e0 .. 82 *");
    CHECK(sub.said().empty());
}

TEST_CASE("MQTT-3.3.2-7: aliases end with the connection") {
    test_node node;
    client{node, v5("p", "11 00000064", "00")}.exchange("30: 'a' [23 0001] 31");
    client again{node, v5("p", "11 00000064", "00")};
    CHECK_LIKE(again.exchange("30: '' [23 0001] 31"), "e0 .. 82 *");
}

TEST_CASE("an alias of a message that is refused holds all the same") {
    test_node node;
    client pub{node, v5("p")};
    CHECK_LIKE(pub.exchange("32: '$SYS/x' 0001 [23 0001] 31"), "40 .. 0001 87 *");
    CHECK_LIKE(pub.exchange("32: '' 0001 [23 0001] 31"), "40 .. 0001 87 *");
    CHECK_LIKE(pub.exchange("32: 1001 61*4097 0001 [23 0001] 31"), "e0 .. 90 *"); // too long to be kept
}

TEST_CASE("MQTT-3.1.2-27, MQTT-3.1.2-26, MQTT-3.3.2-11: we use aliases as far as the client allows") {
    test_node node;
    client none{node, v5("n")};
    none.exchange("82: 0001 [] '#' 00");
    client zero{node, v5("z", "22 0000")};
    zero.exchange("82: 0001 [] 'bb' 00");
    client two{node, v5("t", "22 0002")};
    two.exchange("82: 0001 [] '#' 01");
    client pub{node, v311("p")};
    pub.exchange("30: 'aa' 31; 32: 'aa' 0001 32; 30: 'bb' 33; 30: 'bb' 34; 30: 'aa' 35");
    CHECK(none.said() == bytes("30: 'aa' [] 31; 30: 'aa' [] 32; 30: 'bb' [] 33; 30: 'bb' [] 34; 30: 'aa' [] 35"));
    CHECK(two.said() == bytes("30: 'aa' [23 0001] 31; 32: '' 0001 [23 0001] 32; 30: 'bb' [23 0002] 33; 30: '' [23 0002] 34; "
                              "30: '' [23 0001] 35"));
    CHECK(zero.said() == bytes("30: 'bb' [] 33; 30: 'bb' [] 34"));
    pub.exchange("30: 'cc' 36; 30: 'aa' 37"); // no number is free, and both are in use
    CHECK(two.said() == bytes("30: 'cc' [] 36; 30: '' [23 0001] 37"));
    pub.exchange("30: 'cc' 38; 30: 'cc' 39; 30: 'cc' 3a; 30: 'bb' 3b");
    CHECK(two.said() == bytes("30: 'cc' [] 38; 30: 'cc' [] 39; 30: 'cc' [23 0002] 3a; 30: 'bb' [] 3b"));
}

TEST_CASE("aliases of ours: none for what is too large, and none carried to the next connection") {
    test_node node;
    auto sub = std::make_unique<client>(node, v5("s", "11 00000064 22 0005 27 00000014", "00")); // 20 bytes at most
    sub->exchange("82: 0001 [] '#' 01");
    client pub{node, v311("p")};
    pub.exchange("32: 'topic' 0001 61*20");
    CHECK(sub->said().empty());
    pub.exchange("32: 'topic' 0001 31; 32: 'topic' 0001 32");
    CHECK(sub->said() == bytes("32: 'topic' 0002 [23 0001] 31; 32: '' 0003 [23 0001] 32"));
    sub.reset();
    sub = std::make_unique<client>(node, v5("s", "11 00000064 22 0005", "00"));
    CHECK(sub->after_connack() == bytes("3a: 'topic' 0002 [23 0001] 31; 3a: '' 0003 [23 0001] 32"));
    sub.reset();
    client without{node, v5("s", "11 00000064", "00")};
    CHECK(without.after_connack() == bytes("3a: 'topic' 0002 [] 31; 3a: 'topic' 0003 [] 32"));
}

TEST_CASE("mqtt.outbound_topic_aliases bounds what we use; 0 turns it off") {
    limits bounds;
    bounds.mqtt_outbound_topic_alias_maximum = 1;
    test_node node{1, bounds};
    client sub{node, v5("s", "22 ffff")};
    sub.exchange("82: 0001 [] '#' 00");
    client{node, v311("p")}.exchange("30: 'aa' 31; 30: 'bb' 32; 30: 'aa' 33");
    CHECK(sub.said() == bytes("30: 'aa' [23 0001] 31; 30: 'bb' [] 32; 30: '' [23 0001] 33"));
    bounds.mqtt_outbound_topic_alias_maximum = 0;
    test_node off{1, bounds};
    client quiet{off, v5("s", "22 ffff")};
    CHECK(quiet.exchange("82: 0001 [] 'aa' 00; 30: 'aa' [] 31") == bytes("90: 0001 [] 00; 30: 'aa' [] 31"));
}

TEST_CASE("sent_topic_aliases: a topic in steady use keeps its number while others come once") {
    mqtt::sent_topic_aliases aliases{4};
    const auto send = [&](const std::string& topic) {
        const auto c = aliases.choose(topic);
        if (c.alias != 0 && !c.known) aliases.set(c.alias, topic);
        return c;
    };
    send("steady");
    std::size_t known = 0;
    for (int i = 0; i != 1000; ++i) {
        send("once/" + std::to_string(i));
        known += send("steady").known ? 1 : 0;
    }
    CHECK(known == 1000);
}
