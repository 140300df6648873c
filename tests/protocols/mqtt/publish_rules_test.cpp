// What travels with a message, and retained messages: statements of §3.3.
#include "protocols/mqtt/rules_bench.hpp"

using namespace broker;
using namespace broker::test;
using client = rules_client;

TEST_CASE("MQTT-3.3.2-4, MQTT-3.3.2-15, MQTT-3.3.2-16, MQTT-3.3.2-17, MQTT-3.3.2-18, MQTT-3.3.2-20: properties travel as they are") {
    test_node node;
    client sub{node};
    sub.connect(five);
    (void)sub.exchange("82: 0001 [] 't' 01");
    client old{node};
    old.connect(three);
    (void)old.exchange("82: 0001 't' 01");
    client pub{node};
    pub.connect("10: 'MQTT' 05 02 0000 [] 'pub'");
    const std::string block = "26 'b' '1' 01 01 03 'text/plain' 26 'a' '2' 08 're/ply' 26 'b' '1' 09 0003 ff00c0";
    (void)pub.exchange("32: 't' 0001 [" + block + "] \"hi\"");
    CHECK(sub.got() == hexed({"32: 't' 0001 [" + block + "] \"hi\""}));
    CHECK(old.got() == hexed({"32: 't' 0001 \"hi\""})); // no property reaches version 3
    (void)pub.exchange("30: 't' [23 0001 26 'x' 'y'] \"hi\"");
    CHECK(sub.got() == hexed({"30: 't' [26 'x' 'y'] \"hi\""})); // the alias is the publisher's alone
}

TEST_CASE("MQTT-3.3.2-5, MQTT-3.3.2-6: message expiry is counted down, and ends a message nobody got") {
    test_node node;
    const auto* const kept = "10: 'MQTT' 05 00 0000 [11 ffffffff] 'kept'";
    {
        client sub{node};
        sub.connect(kept);
        (void)sub.exchange("82: 0001 [] 't' 01");
    }
    client pub{node};
    pub.connect(five);
    (void)pub.exchange("32: 't' 0001 [02 0000000a] \"short\"; 32: 't' 0002 [02 00000064] \"long\"");
    (void)pub.exchange("33: 'r' 0003 [02 0000000a] \"short\"; 33: 's' 0004 [02 00000064] \"long\"");
    node.advance(seconds{40});
    client sub{node};
    CHECK(sub.connect(kept) == hexed({"32: 't' 0001 [02 0000003c] \"long\""}));
    CHECK(pub.exchange("82: 0002 [] 'r' 00 's' 00") == hexed({"90: 0002 00 00 00", "31: 's' [02 0000003c] \"long\""}));
}

TEST_CASE("MQTT-3.3.2-7: topic aliases end with their connection") {
    test_node node;
    {
        client pub{node};
        pub.connect("10: 'MQTT' 05 00 0000 [11 00000064] 'pub'");
        (void)pub.exchange("30: 't' [23 0001] 68");
    }
    client again{node};
    again.connect("10: 'MQTT' 05 00 0000 [11 00000064] 'pub'");
    CHECK(again.session_present());
    again.receive(wire("30: '' [23 0001] 68"));
    CHECK(looks_like(again.sent(), "e0 .. 82 *"));
}

TEST_CASE("MQTT-3.3.2-12: a topic alias stands for the topic it was last given with") {
    test_node node;
    client sub{node};
    sub.connect(three);
    (void)sub.exchange("82: 0001 '#' 00");
    client pub{node};
    pub.connect(five);
    (void)pub.exchange("30: 'a' [23 0001] \"1\"; 30: '' [23 0001] \"2\"; 30: 'b' [23 0001] \"3\"; 30: '' [23 0001] \"4\"");
    CHECK(sub.got() == hexed({"30: 'a' \"1\"", "30: 'a' \"2\"", "30: 'b' \"3\"", "30: 'b' \"4\""}));
}

TEST_CASE("MQTT-3.3.2-3, MQTT-4.7.3-4: topics are compared and delivered byte for byte") {
    test_node node;
    client sub{node};
    sub.connect(three);
    (void)sub.exchange("82: 0001 0003 65cc81 00 'A' 00 'a/' 00 '/a' 00"); // e + combining acute
    client pub{node};
    pub.connect(publisher);
    (void)pub.exchange("30: 0002 c3a9 68; 30: 'a' 68; 30: 'a//' 68; 30: '//a' 68"); // é in one character
    CHECK(sub.got().empty());
    (void)pub.exchange("30: 0003 65cc81 68; 30: 'A' 68; 30: 'a/' 68; 30: '/a' 68");
    CHECK(sub.got() == hexed({"30: 0003 65cc81 68", "30: 'A' 68", "30: 'a/' 68", "30: '/a' 68"}));
}

// --- retained ---

TEST_CASE("MQTT-3.3.1-5, MQTT-3.3.1-6, MQTT-3.3.1-7, MQTT-3.3.1-8: retained messages are kept, replaced, removed, left alone") {
    test_node node;
    client live{node};
    live.connect("10: 'MQTT' 04 02 0000 'live'");
    (void)live.exchange("82: 0001 't' 00");
    client pub{node};
    pub.connect(three);
    const auto found = [&] {
        client fresh{node};
        fresh.connect("10: 'MQTT' 04 02 0000 'fresh'");
        auto all = fresh.exchange("82: 0001 't' 01");
        all.erase(all.begin());
        return all;
    };
    (void)pub.exchange("33: 't' 0001 \"a\"");
    CHECK(found() == hexed({"33: 't' 0001 \"a\""}));
    (void)pub.exchange("30: 't' \"live\"; 30: 't'");
    CHECK(found() == hexed({"33: 't' 0001 \"a\""}));
    (void)pub.exchange("31: 't' \"b\""); // QoS 0 replaces too [MQTT3-3.3.1-7]
    CHECK(found() == hexed({"31: 't' \"b\""}));
    (void)pub.exchange("31: 't'");
    CHECK(found().empty());
    // Established subscriptions see every one of them, without the flag [MQTT3-3.3.1-9].
    CHECK(live.got() == hexed({"30: 't' \"a\"", "30: 't' \"live\"", "30: 't'", "30: 't' \"b\"", "30: 't'"}));
}

TEST_CASE("MQTT-3.3.1-9, MQTT-3.3.1-10, MQTT-3.3.1-11: retain handling 0, 1 and 2") {
    test_node node;
    client pub{node};
    pub.connect(three);
    (void)pub.exchange("31: 't' 68");
    client sub{node};
    sub.connect(five);
    const auto retained = hexed({"31: 't' [] 68"}).front();
    const auto sends = [&](const char* options) {
        const auto all = sub.exchange(std::string{"82: 0001 [] 't' "} + options);
        return all.size() == 2 && all.back() == retained;
    };
    CHECK_FALSE(sends("20"));
    CHECK_FALSE(sends("10")); // it existed
    CHECK(sends("00"));
    CHECK(sends("00"));
    (void)sub.exchange("a2: 0002 [] 't'");
    CHECK(sends("10"));
    CHECK_FALSE(sends("10"));
}

TEST_CASE("MQTT-3.3.1-12, MQTT-3.3.1-13: retain as published") {
    test_node node;
    client sub{node};
    sub.connect(five);
    (void)sub.exchange("82: 0001 [] 'with' 08 'without' 00");
    client pub{node};
    pub.connect(three);
    (void)pub.exchange("31: 'with' 68; 30: 'with' 68; 31: 'without' 68; 30: 'without' 68");
    CHECK(sub.got() == hexed({"31: 'with' [] 68", "30: 'with' [] 68", "30: 'without' [] 68", "30: 'without' [] 68"}));
}
