// What a client of each version is told when it runs into a limit, and that the limit is counted: the rows of
// docs/limits.md. Each test is named after the key.
#include "protocols/mqtt/client.hpp"

using namespace broker;
using namespace broker::test;

namespace {

counters::count refusals(test_node& node, limit_kind by) {
    return node.shard().route().count().refused[static_cast<std::size_t>(by)];
}
counters::count drops(test_node& node, drop_reason why) {
    return node.shard().route().count().messages_dropped[static_cast<std::size_t>(why)];
}

// What the server answers to this CONNECT, or to what a client says once it is connected.
std::string told(test_node& node, std::string_view hello, std::string_view text = "") {
    client c{node};
    const auto answer = c.exchange(hello);
    return text.empty() ? answer : c.exchange(text);
}

// 3.x has no word for it: the connection ends without an answer.
bool ends_silently(test_node& node, std::string_view hello, std::string_view text) {
    client c{node, hello};
    return c.exchange(text).empty() && c.closed();
}

void check_topics(const limits& bounds, std::string_view too_much, limit_kind by) {
    test_node node{1, bounds};
    const auto topic = "'" + std::string{too_much} + "'";
    CHECK_LIKE(told(node, v5("a"), "32: " + topic + " 0001 [] 31"), "40 .. 0001 90 *");
    CHECK_LIKE(told(node, v5("a"), "34: " + topic + " 0001 [] 31"), "50 .. 0001 90 *");
    CHECK_LIKE(told(node, v5("a"), "82: 0001 [] " + topic + " 00 'a' 01"), "90 .. 0001 .. 1f *"); // 8f, then 01
    CHECK(told(node, v5("a", "17 00"), "82: 0001 [] " + topic + " 00 'a' 01") == bytes("90: 0001 [] 8f 01"));
    CHECK(told(node, v5("a", "17 00"), "a2: 0001 [] " + topic) == bytes("b0: 0001 [] 8f"));
    CHECK_LIKE(told(node, "10: 'MQTT' 05 06 003c [] 'c' [] " + topic + " 'm'"), "20 .. 00 90 *");
    CHECK(told(node, v5("a"), "30: " + topic + " [] 31; c0 00") == bytes("d0 00")); // QoS 0 has no answer
    CHECK(drops(node, drop_reason::too_big) == 3);
    CHECK(told(node, v311("a"), "82: 0001 " + topic + " 00 'a' 01") == bytes("90: 0001 80 01"));
    CHECK(told(node, v311("a"), "30: " + topic + " 31; c0 00") == bytes("d0 00"));
    CHECK(ends_silently(node, v311("a"), "32: " + topic + " 0001 31"));
    CHECK(refusals(node, by) == 10);
}

} // namespace

TEST_CASE("limits.connect_bytes: 0x95; 3.x is not answered") {
    limits bounds;
    bounds.connect_bytes_max = 100;
    test_node node{1, bounds};
    CHECK_LIKE(told(node, "10 ff 7f 'MQTT' 05"), "20 .. 00 95 *");
    client old{node};
    CHECK(old.exchange("10 ff 7f 'MQTT' 04").empty());
    CHECK(old.closed_because() == "too_big");
    CHECK(refusals(node, limit_kind::connect_bytes) == 2);
}

TEST_CASE("limits.max_message: told in CONNACK, 0x95; 3.x is closed") {
    limits bounds;
    bounds.max_message_bytes = 1024;
    test_node node{1, bounds};
    CHECK(told(node, v5("a")) == bytes("20: 00 00 [21 0400 27 00000400 22 0040]"));
    CHECK_LIKE(told(node, v5("a"), "30 ff 7f"), "e0 .. 95 *");
    CHECK(ends_silently(node, v311("a"), "30 ff 7f"));
    CHECK(refusals(node, limit_kind::message_bytes) == 2);
    CHECK(told(node, v5("a"), "32: 't' 0001 [] 61*1015") == bytes("40: 0001 10")); // 1,024 bytes
}

TEST_CASE("limits.max_topic_levels: 0x90 and 0x8F; 3.x 0x80 in SUBACK") {
    limits bounds;
    bounds.max_topic_levels = 3;
    check_topics(bounds, "a/b/c/d", limit_kind::topic_levels);
}

TEST_CASE("limits.max_topic_bytes: 0x90 and 0x8F; 3.x 0x80 in SUBACK") {
    limits bounds;
    bounds.max_topic_bytes = 10;
    check_topics(bounds, "abcdefghijk", limit_kind::topic_bytes);
    test_node node{1, bounds};
    CHECK_LIKE(told(node, v5("a"), "30: 'abcdefghijk' [23 0001] 31"), "e0 .. 90 *"); // an alias would keep it
    CHECK(refusals(node, limit_kind::topic_bytes) == 1);
}

TEST_CASE("limits.max_client_id: 0x85, 3.x 0x02") {
    limits bounds;
    bounds.max_client_id_bytes = 5;
    test_node node{1, bounds};
    CHECK_LIKE(told(node, v5("123456")), "20 .. 00 85 *");
    CHECK(told(node, v311("123456")) == bytes("20: 00 02"));
    CHECK(refusals(node, limit_kind::client_id) == 2);
    CHECK(told(node, v311("12345")) == bytes("20: 00 00"));
}

TEST_CASE("limits.max_sessions: 0x97, 3.x 0x03") {
    limits bounds;
    bounds.max_sessions = 1;
    test_node node{1, bounds};
    client kept{node, v5("a", "11 00000064", "00")};
    CHECK_LIKE(told(node, v5("b")), "20 .. 00 97 *");
    CHECK(told(node, v311("c")) == bytes("20: 00 03"));
    CHECK(refusals(node, limit_kind::sessions) == 2);
    client again{node, v5("a", "", "00")};
}

TEST_CASE("limits.max_subscriptions, limits.max_subscriptions_per_client: 0x97, 3.1.1 0x80; what holds may change") {
    for (const auto by : {limit_kind::subscriptions, limit_kind::subscriptions_per_client}) {
        limits bounds;
        (by == limit_kind::subscriptions ? bounds.max_subscriptions : bounds.max_subscriptions_per_client) = 2;
        for (const bool five : {true, false}) {
            test_node node{1, bounds};
            client c{node, five ? v5("a", "17 00") : v311("a")};
            const std::string none = five ? "[]" : "";
            CHECK(c.exchange("82: 0001 " + none + " 'a' 00 '$share/g/b' 01 'c' 00 'a' 02") ==
                  bytes("90: 0001 " + none + (five ? " 00 01 97 02" : " 00 01 80 02")));
            CHECK(refusals(node, by) == 1);
            c.exchange("a2: 0002 " + none + " '$share/g/b'");
            CHECK(c.exchange("82: 0003 " + none + " 'c' 00") == bytes("90: 0003 " + none + " 00"));
        }
    }
}

TEST_CASE("limits.max_subscriptions: of all clients together") {
    limits bounds;
    bounds.max_subscriptions = 1;
    test_node node{1, bounds};
    client first{node, v311("a")};
    CHECK(first.exchange("82: 0001 'a' 00") == bytes("90: 0001 00"));
    client second{node, v311("b")};
    CHECK(second.exchange("82: 0001 'a' 00") == bytes("90: 0001 80"));
    first.disconnect();
    CHECK(second.exchange("82: 0001 'a' 00") == bytes("90: 0001 00"));
}

TEST_CASE("limits.max_queues, limits.queue.messages, limits.queue.bytes: 0x97; 3.x is closed; QoS 0 is dropped") {
    for (const auto by : {limit_kind::queues, limit_kind::queue_messages, limit_kind::queue_bytes}) {
        limits bounds;
        if (by == limit_kind::queues) bounds.max_queues = 1;
        if (by == limit_kind::queue_messages) bounds.queue_messages_max = 1;
        if (by == limit_kind::queue_bytes) bounds.queue_bytes_max = 1; // one message may go over it
        test_node node{1, bounds};
        CHECK(told(node, v5("a"), "32: '$queue/q' 0001 [] 31") == bytes("40: 0001"));
        const std::string topic = by == limit_kind::queues ? "'$queue/r'" : "'$queue/q'";
        CHECK_LIKE(told(node, v5("a"), "32: " + topic + " 0001 [] 31"), "40 .. 0001 97 *");
        CHECK_LIKE(told(node, v5("a"), "34: " + topic + " 0001 [] 31"), "50 .. 0001 97 *");
        CHECK(ends_silently(node, v311("a"), "32: " + topic + " 0001 31"));
        CHECK(told(node, v5("a"), "30: " + topic + " [] 31; c0 00") == bytes("d0 00"));
        CHECK(refusals(node, by) == 4);
        CHECK(drops(node, drop_reason::queue_full) == 4);
        CHECK(node.disk().rows(storage::column::queue_entries) == 1);
    }
    limits bounds;
    bounds.max_queues = 1;
    test_node node{1, bounds};
    CHECK(told(node, v5("a", "17 00"), "82: 0001 [] '$queue/q' 01 '$queue/r' 01") == bytes("90: 0001 [] 01 97"));
    CHECK(told(node, v311("a"), "82: 0001 '$queue/r' 01") == bytes("90: 0001 80"));
    CHECK(refusals(node, limit_kind::queues) == 2);
}

TEST_CASE("limits.retained.messages, limits.retained.bytes: 0x97; 3.x is closed; QoS 0 is delivered and not kept") {
    for (const auto by : {limit_kind::retained_messages, limit_kind::retained_bytes}) {
        CAPTURE(static_cast<int>(by));
        limits bounds;
        if (by == limit_kind::retained_messages) bounds.retained_messages_max = 1;
        if (by == limit_kind::retained_bytes) bounds.retained_bytes_max = 1000;
        test_node node{1, bounds};
        client watcher{node, v311("w")};
        watcher.exchange("82: 0001 '#' 00");
        CHECK(told(node, v5("a"), "33: 'a' 0001 [] 31") == bytes("40: 0001"));
        watcher.said();
        const std::string large = by == limit_kind::retained_bytes ? " 61*1000" : " 31";
        CHECK_LIKE(told(node, v5("a"), "33: 'b' 0001 []" + large), "40 .. 0001 97 *");
        CHECK_LIKE(told(node, v5("a"), "35: 'b' 0001 []" + large), "50 .. 0001 97 *");
        CHECK(ends_silently(node, v311("a"), "33: 'b' 0001" + large));
        CHECK(watcher.said().empty()); // refused is refused for all
        CHECK(drops(node, drop_reason::queue_full) == 3);
        CHECK(told(node, v5("a"), "31: 'b' []" + large + "; c0 00") == bytes("d0 00"));
        CHECK(watcher.said() == bytes("30: 'b'" + large));
        CHECK(refusals(node, by) == 4);
        CHECK(drops(node, drop_reason::queue_full) == 3);
        CHECK(told(node, v311("l"), "82: 0001 '#' 00") == bytes("90: 0001 00; 31: 'a' 31"));
    }
}

TEST_CASE("limits.retained.bytes: a value of QoS 0 that is too large leaves no older one behind") {
    limits bounds;
    bounds.retained_bytes_max = 1000;
    test_node node{1, bounds};
    CHECK(told(node, v5("a"), "33: 'a' 0001 [] 31") == bytes("40: 0001 10"));
    CHECK_LIKE(told(node, v5("a"), "33: 'a' 0001 [] 61*1000"), "40 .. 0001 97 *");
    CHECK(told(node, v311("l"), "82: 0001 '#' 00") == bytes("90: 0001 00; 31: 'a' 31")); // the publisher knows
    told(node, v5("a"), "31: 'a' [] 61*1000");
    CHECK(told(node, v311("l"), "82: 0001 '#' 00") == bytes("90: 0001 00"));
    CHECK(node.disk().rows(storage::column::retained) == 0);
}

TEST_CASE("limits.retained.messages: a will that cannot be kept is published all the same") {
    limits bounds;
    bounds.retained_messages_max = 1;
    test_node node{1, bounds};
    client watcher{node, v311("w")};
    watcher.exchange("82: 0001 'will' 00");
    told(node, v5("a"), "33: 'a' 0001 [] 31");
    client{node, "10: 'MQTT' 05 2e 003c [] 'c' [] 'will' 'm'"}; // QoS 1, retained
    CHECK(watcher.said() == bytes("30: 'will' \"m\""));
    CHECK(node.disk().rows(storage::column::retained) == 1);
}

TEST_CASE("limits.retained.messages, limits.retained.bytes: 0 is off: 0x9A; 3.x as when there is no room") {
    for (const bool count : {true, false}) {
        limits bounds;
        (count ? bounds.retained_messages_max : bounds.retained_bytes_max) = 0;
        test_node node{1, bounds};
        CHECK_LIKE(told(node, v5("a")), "20 .. 00 00 *25 00*");
        CHECK_LIKE(told(node, v5("a"), "31: 't' [] 31"), "e0 .. 9a *");
        CHECK_LIKE(told(node, "10: 'MQTT' 05 26 003c [] 'c' [] 'will' 'm'"), "20 .. 00 9a *");
        CHECK(ends_silently(node, v311("a"), "33: 't' 0001 31"));
        CHECK(told(node, v311("a"), "31: 't' 31; c0 00") == bytes("d0 00"));
        CHECK(told(node, v311("a"), "82: 0001 '#' 00") == bytes("90: 0001 00"));
    }
}

TEST_CASE("mqtt.receive_maximum: told in CONNACK, 0x93; 3.x is told none and has none") {
    limits bounds;
    bounds.mqtt_receive_maximum = 2;
    test_node node{1, bounds};
    CHECK(told(node, v5("a")) == bytes("20: 00 00 [21 0002 27 00400000 22 0040]"));
    CHECK_LIKE(told(node, v5("a"), "34: 't' 0001 [] 31; 34: 't' 0002 [] 32; 34: 't' 0003 [] 33"), "50 *e0 .. 93 *");
    CHECK(refusals(node, limit_kind::receive_maximum) == 1);
    CHECK(told(node, v311("a"), "34: 't' 0001 31; 34: 't' 0002 31; 34: 't' 0003 31") == bytes("50: 0001; 50: 0002; 50: 0003"));
}

TEST_CASE("mqtt.topic_alias_maximum: told in CONNACK, 0x94") {
    limits bounds;
    bounds.mqtt_topic_alias_maximum = 2;
    test_node node{1, bounds};
    CHECK(told(node, v5("a")) == bytes("20: 00 00 [21 0400 27 00400000 22 0002]"));
    CHECK(told(node, v5("a"), "30: 't' [23 0002] 31; c0 00") == bytes("d0 00"));
    CHECK_LIKE(told(node, v5("a"), "30: 't' [23 0003] 31"), "e0 .. 94 *");
    CHECK(refusals(node, limit_kind::topic_aliases) == 1);
}

TEST_CASE("mqtt.max_inflight: what is more waits in the session, whatever the client would take") {
    limits bounds;
    bounds.mqtt_max_inflight = 2;
    test_node node{1, bounds};
    for (const auto& hello : {v311("s"), v5("s", "21 0064")}) {
        client sub{node, hello};
        sub.exchange(hello == v311("s") ? "82: 0001 't' 01" : "82: 0001 [] 't' 01");
        client pub{node, v311("p")};
        for (int i = 0; i != 5; ++i) pub.exchange("32: 't' 0001 31");
        std::size_t got = sub.said().size();
        const auto one = (hello == v311("s") ? bytes("32: 't' 0001 31") : bytes("32: 't' 0001 [] 31")).size() + 1; // a space between
        CHECK((got + 1) / one == 2);
        for (const auto* const answer : {"40: 0001", "40: 0002", "40: 0003"}) got += sub.exchange(answer).size() + 1;
        CHECK((got + 1) / one == 5);
    }
}

TEST_CASE("limits.outbox: QoS 0 is dropped, QoS 1 waits") {
    limits bounds;
    bounds.outbox_bytes_max = 4096;
    test_node node{1, bounds};
    client sub{node, v311("s")};
    sub.exchange("82: 0001 'zero' 00 'one' 01");
    client pub{node, v311("p")};
    for (int i = 0; i != 100; ++i) pub.exchange("30: 'zero' 61*100");
    CHECK(drops(node, drop_reason::queue_full) > 40);
    CHECK(sub.out().bytes() < 8192);
    const auto dropped = drops(node, drop_reason::queue_full);
    for (int i = 0; i != 100; ++i) pub.exchange("32: 'one' 0001 61*100");
    CHECK(drops(node, drop_reason::queue_full) == dropped);
    std::string all;
    for (auto piece = sub.sent(); !piece.empty(); piece = sub.sent()) all += piece;
    std::size_t ones = 0;
    for (auto at = all.find("one"); at != std::string::npos; at = all.find("one", at + 1)) ++ones;
    CHECK(ones == 100);
}

TEST_CASE("limits.session.queue_messages, limits.session.queue_policy: the oldest or the newest is dropped, and counted") {
    for (const std::string policy : {"drop-oldest", "drop-new"}) {
        limits bounds;
        bounds.session_queue_messages_max = 2;
        bounds.session_queue_policy = policy;
        test_node node{1, bounds};
        client{node, v311("s", "00")}.exchange("82: 0001 't' 01");
        client pub{node, v311("p")};
        for (const auto* const m : {"31", "32", "33"}) CHECK(pub.exchange("32: 't' 0001 " + std::string{m}) == bytes("40: 0001"));
        client sub{node, v311("s", "00")};
        CHECK(sub.after_connack() == (policy == "drop-new" ? bytes("32: 't' 0001 31; 32: 't' 0002 32")
                                                           : bytes("32: 't' 0001 32; 32: 't' 0002 33")));
        CHECK(drops(node, drop_reason::queue_full) == 1);
    }
}

TEST_CASE("limits.max_session_expiry: told in CONNACK; 3.x is bound by it") {
    limits bounds;
    bounds.max_session_expiry = seconds{100};
    test_node node{1, bounds};
    CHECK(told(node, v5("a", "11 000003e8", "00")) == bytes("20: 00 00 [11 00000064 21 0400 27 00400000 22 0040]"));
    told(node, v311("b", "00"));
    node.advance(seconds{101});
    CHECK(told(node, v311("b", "00")) == bytes("20: 00 00"));
}

TEST_CASE("mqtt.max_keep_alive: told in CONNACK") {
    limits bounds;
    bounds.mqtt_max_keep_alive = seconds{10};
    test_node node{1, bounds};
    CHECK_LIKE(told(node, v5("a")), "20 .. 00 00 *13 00 0a*");
}

TEST_CASE("a store that takes nothing: 0x97, 3.x is closed; QoS 0 goes on, retained or not, and is not kept") {
    test_node node;
    client{node, v311("away", "00")}.exchange("82: 0001 't' 01");
    told(node, v311("a"), "33: 'r' 0001 30");
    client watcher{node, v311("w")};
    watcher.exchange("82: 0001 'r' 00");
    watcher.said();
    node.disk().fail_next_writes(1'000'000);
    client first{node, v5("f")};
    CHECK(first.exchange("32: 't' 0001 [] 31").empty()); // not on disk, not acknowledged
    CHECK_LIKE(told(node, v5("a"), "32: 't' 0001 [] 31"), "40 .. 0001 97 *");
    CHECK_LIKE(told(node, v5("a"), "35: 'r' 0001 [] 31"), "50 .. 0001 97 *");
    CHECK(ends_silently(node, v311("a"), "32: 't' 0001 31"));
    CHECK(drops(node, drop_reason::storage) == 3);
    CHECK(watcher.said().empty());
    CHECK(told(node, v5("a"), "31: 'r' [] 32; c0 00") == bytes("d0 00"));
    CHECK(watcher.said() == bytes("30: 'r' 32"));
    CHECK(drops(node, drop_reason::storage) == 3);
    node.disk().fail_next_writes(0);
    node.commit();
    CHECK(first.said() == bytes("40: 0001"));
    CHECK(told(node, v311("l"), "82: 0001 'r' 00") == bytes("90: 0001 00; 31: 'r' 30"));
    CHECK(told(node, v5("a"), "32: 't' 0001 [] 31") == bytes("40: 0001"));
}

TEST_CASE("a turn leaves the store no more than a sixteenth of limits.store_pending and one message, however much came at once") {
    limits bounds;
    bounds.store_pending_bytes_max = 16000;
    test_node node{1, bounds};
    client away{node, "10: 'MQTT' 04 00 0000 'away'"};
    away.exchange("82: 0001 't' 01");
    away.disconnect();
    client writer{node, "10: 'MQTT' 04 02 0000 'w'"};
    const auto before = node.shard(0).desk().durable_upto().value();
    std::string all;
    for (int i = 0; i != 40; ++i) all += wire("32: 't' 0001 61*100");
    writer.receive(all);
    CHECK(writer.sent().size() == std::size_t{40} * 4); // PUBACKs
    CHECK(node.shard(0).desk().durable_upto().value() - before >= 4);
    CHECK(node.disk().rows(storage::column::entries) == 40);
}
