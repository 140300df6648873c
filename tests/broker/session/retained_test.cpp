// Retained messages on their way to a session: paced by the receiver, gone on time, on disk as in memory.
#include "support/test_receiver.hpp"

using namespace broker;
using namespace broker::test;

namespace {

void retain(test_node& node, std::string_view topic, std::string_view payload, std::size_t shard = 0, time_point expires = never,
            qos level = qos::at_least_once) {
    (void)node.shard(shard).route().publish(make_message({.topic = topic,
                                                          .payload = as_bytes(payload),
                                                          .level = level,
                                                          .retain = true,
                                                          .received_at = node.now(),
                                                          .expires_at = expires}),
                                            node.now());
    node.settle();
}

void ask(test_node& node, test_receiver& who, std::string_view filter, qos most = qos::exactly_once) {
    const auto parsed = topic_filter::parse(filter, node.bounds());
    REQUIRE(parsed);
    who.subscribe(node, filter, 0, most);
    node.shard().route().send_retained(*who.mine, *parsed, {.maximum_qos = most}, node.now());
    node.settle();
}

} // namespace

TEST_CASE("a wildcard subscription takes no more retained messages than its window holds") {
    test_node node;
    for (int i = 100; i != 400; ++i) retain(node, "r/" + std::to_string(i), std::to_string(i));
    test_receiver r;
    r.claim(node, "r", 0, {.window = 10, .expiry = seconds{100}});
    ask(node, r, "r/#");
    CHECK(r.got.size() == 10);
    CHECK(r.mine->waiting() == 0);
    CHECK(rows(node, storage::column::entries) == 10); // stored when handed over, not before
    std::size_t next = 0;
    while (next != r.handles.size()) CHECK(r.settle(node, r.handles[next++]));
    REQUIRE(r.got.size() == 300);
    for (std::size_t i = 0; i != 300; ++i) CHECK(r.got[i] == std::to_string(100 + i));
    CHECK(rows(node, storage::column::entries) == 0);
}

TEST_CASE("QoS 0: no more than the socket takes; live messages come between, deleted ones not at all") {
    test_node node;
    for (int i = 100; i != 200; ++i) retain(node, "r/" + std::to_string(i), std::to_string(i));
    test_receiver r;
    r.claim(node, "r");
    r.room = false;
    ask(node, r, "r/#", qos::at_most_once);
    CHECK(r.got.empty());
    retain(node, "r/150", "");
    CHECK(r.take() == words{""}); // the deletion itself
    publish(node, "r/x", "live", qos::at_most_once);
    CHECK(r.take() == words{"live"});
    r.room = true;
    r.mine->pump(node.now());
    CHECK(r.got.size() == 99);
    CHECK(r.got.front() == "100");
}

TEST_CASE("a filter that matches little in a large tree is walked over many turns; others are served between") {
    test_node node;
    for (int i = 0; i != 5000; ++i) {
        auto& route = node.shard().route();
        (void)route.publish(make_message({.topic = "r/" + std::to_string(i) + "/a", .payload = as_bytes("x"), .retain = true}),
                            node.now());
    }
    retain(node, "r/4999/b", "found", 0, never, qos::at_most_once);
    test_receiver r;
    r.claim(node, "r");
    r.subscribe(node, "r/+/b", 0, qos::at_most_once);
    const auto filter = *topic_filter::parse("r/+/b", node.bounds());
    node.shard().route().send_retained(*r.mine, filter, {.maximum_qos = qos::at_most_once}, node.now());
    std::size_t turns = 0;
    for (; r.got.empty() && turns != 100; ++turns) {
        publish(node, "r/live/b", "live", qos::at_most_once);
        CHECK(r.take().back() == "live");
        r.mine->pump(node.now()); // whatever wakes it in this turn: the walk goes on in the next
        CHECK(node.shard().desk().walkers().size() == 1);
        node.shard().on_deadline(node.now());
    }
    CHECK(turns > 3);
    CHECK(r.take() == words{"found"});
    CHECK(node.shard().next_deadline() == never); // the walk is over
}

TEST_CASE("a walk goes on after a reconnect, on another shard too, and ends with its subscription") {
    test_node node{2};
    for (int i = 10; i != 20; ++i) retain(node, "r/" + std::to_string(i), std::to_string(i));
    test_receiver r;
    r.claim(node, "r", 0, {.window = 2, .expiry = seconds{100}});
    ask(node, r, "r/#");
    CHECK(r.take() == words{"10", "11"});
    r.leave(node);
    test_receiver again;
    again.claim(node, "r", 1, {.window = 100, .expiry = seconds{100}});
    CHECK(again.take() == words{"10*", "11*", "12", "13", "14", "15", "16", "17", "18", "19"});

    test_receiver other;
    other.claim(node, "o", 0, {.window = 1, .expiry = seconds{100}});
    ask(node, other, "r/#");
    CHECK(other.take() == words{"10"});
    (void)node.shard().route().unsubscribe(*other.mine, *topic_filter::parse("r/#", node.bounds()), node.now());
    CHECK(other.settle(node, other.handles.front()));
    CHECK(other.take().empty());
}

TEST_CASE("an expired retained message leaves memory and disk on time, also after a restart") {
    test_node node{2};
    retain(node, "a", "1", 0, node.now() + seconds{5});
    retain(node, "b", "2", 1, node.now() + seconds{5});
    retain(node, "c", "3", 1, node.now() + seconds{20});
    retain(node, "a", "1 again", 1); // lives on: the new one does not expire
    CHECK(rows(node, storage::column::retained) == 3);
    node.advance(seconds{4});
    CHECK(rows(node, storage::column::retained) == 3);
    node.advance(seconds{2});
    CHECK(rows(node, storage::column::retained) == 2);
    CHECK(node.shard().shared().kept.count() == 2);
    node.crash_and_recover();
    node.advance(seconds{20});
    CHECK(rows(node, storage::column::retained) == 1);
    CHECK(node.shard().shared().kept.count() == 1);
}

TEST_CASE("two shards that retain for one topic in the same turn: the disk holds what memory holds") {
    for (const bool first_is_zero : {true, false}) {
        test_node node{2};
        const auto set = [&](std::size_t shard, std::string_view payload) {
            (void)node.shard(shard).route().publish(
                make_message({.topic = "t", .payload = as_bytes(payload), .level = qos::at_least_once, .retain = true}), node.now());
        };
        set(first_is_zero ? 0 : 1, "older");
        set(first_is_zero ? 1 : 0, "newer");
        node.settle();
        node.crash_and_recover();
        const auto found = node.shard().shared().kept.get("t", node.now());
        REQUIRE(found);
        CHECK(as_text(found->payload()) == "newer");
    }
}
