// Who has a session, how long it lives, how it moves.
#include "support/test_receiver.hpp"

using namespace broker;
using namespace broker::test;

TEST_CASE("[MQTT-3.1.4-3] a second claim takes the session over, on the same shard and from another") {
    for (const std::size_t to : {0U, 1U}) {
        CAPTURE(to);
        test_node node{2};
        test_receiver first;
        first.claim(node, "c", 0);
        first.subscribe(node, "t");
        publish(node, "t", "1");
        test_receiver second;
        second.claim(node, "c", to);
        CHECK(first.evicted == "taken_over");
        CHECK(second.present);
        CHECK(second.take() == words{"1*"});
        publish(node, "t", "2", qos::at_least_once, 1 - to);
        CHECK(second.take() == words{"2"});
        CHECK(first.take() == words{"1"});
    }
}

TEST_CASE("a session that moves there and back keeps its order") {
    test_node node{3};
    test_receiver r;
    r.claim(node, "c", 0);
    r.subscribe(node, "t");
    words sent;
    words got;
    std::vector<std::unique_ptr<test_receiver>> lives;
    for (int i = 0; i != 30; ++i) {
        publish(node, "t", std::to_string(i), qos::at_least_once, static_cast<std::size_t>(i) % 3);
        sent.push_back(std::to_string(i));
        auto& now = lives.empty() ? r : *lives.back();
        for (const auto& text : now.take()) got.push_back(text);
        while (!now.handles.empty()) {
            CHECK(now.settle(node, now.handles.front()));
            now.handles.erase(now.handles.begin());
        }
        lives.push_back(std::make_unique<test_receiver>());
        lives.back()->claim(node, "c", static_cast<std::size_t>(i * 7) % 3);
    }
    CHECK(got == sent);
}

TEST_CASE("[MQTT-3.1.2-4] a clean claim deletes the session and what was stored for it") {
    test_node node;
    test_receiver first;
    first.claim(node, "c");
    first.subscribe(node, "t");
    publish(node, "t", "gone");
    first.leave(node);
    test_receiver second;
    second.claim(node, "c", 0, {.window = 10, .expiry = seconds{100}}, true);
    CHECK_FALSE(second.present);
    CHECK(second.take().empty());
    CHECK(rows(node, storage::column::entries) == 0);
    CHECK(rows(node, storage::column::subscriptions) == 0);
}

TEST_CASE("[MQTT-3.1.2-23] a session lives for its expiry after its connection, over a crash too") {
    for (const bool crash : {false, true}) {
        CAPTURE(crash);
        test_node node;
        test_receiver r;
        r.claim(node, "c", 0, {.window = 10, .expiry = seconds{100}});
        r.subscribe(node, "t");
        r.leave(node);
        if (crash) node.crash_and_recover();
        node.advance(seconds{99});
        test_receiver in_time;
        in_time.claim(node, "c");
        CHECK(in_time.present);
        in_time.leave(node);
        node.advance(seconds{101});
        CHECK(rows(node, storage::column::sessions) == 0);
        test_receiver late;
        late.claim(node, "c");
        CHECK_FALSE(late.present);
    }
}

TEST_CASE("a stored session comes back with expiry 0: it gets what it is owed, and ends with this connection") {
    for (const bool crash : {false, true}) {
        CAPTURE(crash);
        test_node node;
        test_receiver r;
        r.claim(node, "r");
        r.subscribe(node, "t");
        r.leave(node);
        publish(node, "t", "missed");
        test_receiver back;
        back.claim(node, "r", 0, {.window = 10, .expiry = seconds{0}});
        CHECK(back.present);
        CHECK(back.take() == words{"missed"});
        if (crash) {
            back.mine = nullptr;
            node.crash_and_recover(); // the server's end is the connection's
        } else {
            back.leave(node);
            CHECK(rows(node, storage::column::entries) == 0);
            CHECK(rows(node, storage::column::sessions) == 0);
        }
        test_receiver later;
        later.claim(node, "r");
        CHECK_FALSE(later.present);
        CHECK(later.take().empty());
    }
}

TEST_CASE("expiry 0: the session ends with its connection") {
    test_node node;
    test_receiver r;
    r.claim(node, "c", 0, {.window = 10});
    r.subscribe(node, "t");
    CHECK(rows(node, storage::column::sessions) == 0);
    r.leave(node);
    test_receiver again;
    again.claim(node, "c");
    CHECK_FALSE(again.present);
}

TEST_CASE("[MQTT-3.1.3-9] a will waits for its delay; who comes back in time takes it along") {
    test_node node;
    test_receiver watcher;
    watcher.claim(node, "w");
    watcher.subscribe(node, "will");
    const auto with_will = [] {
        return attachment{.window = 10,
                          .expiry = seconds{100},
                          .last_will = will{.message = make_message({.topic = "will", .payload = as_bytes("dead")}), .delay = seconds{10}}};
    };
    test_receiver r;
    r.claim(node, "c", 0, with_will());
    r.leave(node);
    node.advance(seconds{9});
    test_receiver back;
    back.claim(node, "c", 0, with_will());
    node.advance(seconds{20});
    CHECK(watcher.take().empty());
    back.leave(node);
    node.advance(seconds{11});
    CHECK(watcher.take() == words{"dead"});
}

TEST_CASE("limits.max_sessions refuses one more, and room comes back") {
    limits bounds;
    bounds.max_sessions = 2;
    test_node node{1, bounds};
    test_receiver a;
    test_receiver b;
    a.claim(node, "a", 0, {.window = 1});
    b.claim(node, "b", 0, {.window = 1});
    test_receiver c;
    CHECK(node.shard().sessions().claim("c", false, {.who = &c}, node.now()).refused);
    a.leave(node);
    c.claim(node, "c");
}

TEST_CASE("end() deletes a durable session; its ticket is the deletion's") {
    test_node node;
    test_receiver r;
    r.claim(node, "c");
    r.subscribe(node, "t");
    node.commit_automatically(false);
    const auto at = node.shard().sessions().end(*r.mine, node.now());
    node.settle();
    CHECK_FALSE(node.shard().route().is_durable(at));
    CHECK(rows(node, storage::column::sessions) == 1);
    node.commit();
    CHECK(node.shard().route().is_durable(at));
    CHECK(rows(node, storage::column::sessions) == 0);
}
