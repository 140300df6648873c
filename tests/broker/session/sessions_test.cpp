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

namespace {

attachment with_will(seconds expiry, seconds delay = seconds{0}) {
    return {.window = 10,
            .expiry = expiry,
            .last_will = will{.message = make_message({.topic = "will", .payload = as_bytes("dead"), .level = qos::at_least_once}),
                              .delay = delay}};
}

// A durable subscriber of the will's topic that is away; what it finds when it comes back.
words wills_seen(test_node& node) {
    test_receiver watcher;
    watcher.claim(node, "watcher", 0, {.window = 10, .expiry = seconds{10'000}});
    auto seen = watcher.take();
    for (const auto h : watcher.handles) CHECK(watcher.settle(node, h));
    watcher.leave(node);
    return seen;
}

void watch(test_node& node) {
    test_receiver watcher;
    watcher.claim(node, "watcher", 0, {.window = 10, .expiry = seconds{10'000}});
    watcher.subscribe(node, "will");
    watcher.leave(node);
}

} // namespace

TEST_CASE("[MQTT-3.1.2-8] the will of a connection that died with the server is published at the start, once") {
    for (const auto expiry : {seconds{0}, seconds{100}}) {
        for (const std::size_t shard : {0U, 1U}) {
            CAPTURE(expiry.count());
            test_node node{2};
            watch(node);
            test_receiver r;
            r.claim(node, "r", shard, with_will(expiry));
            CHECK(rows(node, storage::column::wills) == 1);
            node.crash_and_recover();
            node.advance(seconds{1});
            CHECK(wills_seen(node) == words{"dead"});
            CHECK(rows(node, storage::column::wills) == 0);
            node.crash_and_recover();
            node.advance(seconds{1000});
            CHECK(wills_seen(node).empty());
        }
    }
}

TEST_CASE("a will that was published before a crash is not published after it, on disk or on its way there") {
    for (const auto expiry : {seconds{0}, seconds{100}}) {
        for (const bool written : {true, false}) {
            CAPTURE(expiry.count());
            CAPTURE(written);
            test_node node;
            watch(node);
            test_receiver r;
            r.claim(node, "r", 0, with_will(expiry));
            node.commit_automatically(false);
            r.leave(node);
            if (written) node.commit();
            node.commit_automatically(true);
            node.crash_and_recover(); // what was not written did not happen: the connection is lost with the server
            node.advance(seconds{1});
            CHECK(rows(node, storage::column::wills) == 0);
            CHECK(wills_seen(node) == words{"dead"});
        }
    }
}

TEST_CASE("MQTT 5 §3.1.3.2.4: the expiry of a will that the start publishes begins then") {
    test_node node;
    watch(node);
    test_receiver r;
    auto with = with_will(seconds{0});
    auto fields = with.last_will->message->fields();
    fields.received_at = node.now();
    fields.expires_at = node.now() + seconds{10};
    with.last_will->message = make_message(fields);
    r.claim(node, "r", 0, with);
    node.advance(seconds{60});
    node.crash_and_recover();
    node.advance(seconds{5});
    CHECK(wills_seen(node) == words{"dead"});
}

TEST_CASE("a will's delay counts while the server is down; the session's end is not waited beyond") {
    for (const bool left_before : {false, true}) {
        CAPTURE(left_before);
        test_node node;
        watch(node);
        test_receiver r;
        r.claim(node, "r", 0, with_will(seconds{100}, seconds{60}));
        if (left_before) r.leave(node);
        node.advance(seconds{50});
        node.crash_and_recover();
        node.advance(seconds{left_before ? 9 : 59});
        CHECK(wills_seen(node).empty());
        node.advance(seconds{2});
        CHECK(wills_seen(node) == words{"dead"});
    }
}

TEST_CASE("[MQTT-3.14.4-3] a goodbye, or a new connection without will, takes the will off the disk") {
    for (const auto expiry : {seconds{0}, seconds{100}}) {
        for (const bool goodbye : {true, false}) {
            CAPTURE(expiry.count());
            CAPTURE(goodbye);
            test_node node;
            watch(node);
            test_receiver r;
            r.claim(node, "r", 0, with_will(expiry, seconds{50}));
            if (goodbye) {
                node.shard().sessions().detach(*std::exchange(r.mine, nullptr), false, node.now());
                node.settle();
            } else {
                if (expiry == seconds{0}) continue; // its will is due as it goes
                test_receiver again;
                again.claim(node, "r");
            }
            CHECK(rows(node, storage::column::wills) == 0);
            node.crash_and_recover();
            node.advance(seconds{60});
            CHECK(wills_seen(node).empty());
        }
    }
}

TEST_CASE("[MQTT-3.1.2-23] the expiry a client says goodbye with is the one that counts, over a crash too") {
    test_node node;
    test_receiver r;
    r.claim(node, "r", 0, {.window = 10, .expiry = seconds{10}});
    r.mine->set_expiry(seconds{1000}, true);
    r.leave(node);
    node.crash_and_recover();
    node.advance(seconds{500});
    test_receiver again;
    again.claim(node, "r");
    CHECK(again.present);
    again.mine->set_expiry(seconds{5}, true);
    again.leave(node);
    node.advance(seconds{3});
    node.crash_and_recover();
    node.advance(seconds{3});
    test_receiver last;
    last.claim(node, "r");
    CHECK_FALSE(last.present);
}

TEST_CASE("limits.max_subscriptions and max_subscriptions_per_client refuse one more, are counted, and room comes back") {
    for (const bool of_all : {true, false}) {
        CAPTURE(of_all);
        limits bounds;
        (of_all ? bounds.max_subscriptions : bounds.max_subscriptions_per_client) = 3;
        test_node node{1, bounds};
        test_receiver r;
        r.claim(node, "r");
        for (const auto* const f : {"a", "b/#", "$share/g/c"}) r.subscribe(node, f);
        r.subscribe(node, "a"); // the same again is no more
        const auto more = *topic_filter::parse("d", bounds);
        CHECK(node.shard().route().subscribe(*r.mine, more, {}, node.now()).refused == refusal::quota_exceeded);
        const auto which = of_all ? limit_kind::subscriptions : limit_kind::subscriptions_per_client;
        CHECK(node.shard().route().count().refused[static_cast<std::size_t>(which)] == 1);
        CHECK(node.shard().route().unsubscribe(*r.mine, *topic_filter::parse("$share/g/c", bounds), node.now()).existed);
        CHECK(node.shard().route().subscribe(*r.mine, more, {}, node.now()).refused == refusal::none);
    }
}
