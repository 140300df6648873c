// What happens in an order that threads rarely choose: mail that is late, answers while a load is under way, clients that
// come back in the turn a deadline passes. Found by the simulation (tests/sim).
#include "support/test_receiver.hpp"

#include "storage/keys.hpp"
#include "storage/records.hpp"

using namespace broker;
using namespace broker::test;

namespace {

constexpr std::size_t everything = 1000;

limits little_memory() {
    limits few;
    few.session_memory_messages_max = 1;
    return few;
}

struct stepwise_node : test_node {
    explicit stepwise_node(std::size_t shards, const limits& bounds = {})
        : test_node{shards, bounds, std::make_unique<storage::memory_backend>(), storage::durability::sync} {}

    void publish_on(std::size_t shard, std::string_view payload) {
        (void)this->shard(shard).route().publish(
            make_message({.topic = "t", .payload = as_bytes(payload), .level = qos::at_least_once}), now());
    }
    void comes_back(test_receiver& r, attachment with) {
        with.who = &r;
        const auto c = shard(0).sessions().claim("r", false, std::move(with), now());
        REQUIRE(c.now != nullptr);
        r.mine = c.now;
        r.present = c.present;
        r.mine->resume(now());
    }
    // Shard 0's turn ends, everything submitted is written, and the store's answer comes, ahead of other shards' mail.
    void load_on_shard_0() {
        end_turn(0);
        (void)write(everything);
        deliver_one(0, mail_for(0) - 1);
    }
};

// A session on shard 0 that is away, with "old" waiting on disk.
void away_with_one_waiting(stepwise_node& node, test_receiver& r) {
    r.claim(node, "r");
    r.subscribe(node, "t");
    r.leave(node);
    publish(node, "t", "old");
}

} // namespace

TEST_CASE("what a load brought is not delivered again when its announcement comes late") {
    stepwise_node node{2, little_memory()};
    test_receiver r;
    away_with_one_waiting(node, r);
    node.publish_on(1, "late"); // written, and its mail is on the way
    node.end_turn(1);
    (void)node.write(everything);
    node.comes_back(r, {.window = 2, .expiry = seconds{100}});
    node.load_on_shard_0();
    CHECK(r.take().empty()); // the load brought both; one has not been announced
    node.settle();
    CHECK(r.take() == words{"old", "late"});
}

TEST_CASE("[MQTT-4.6.0-6] what a load brought does not overtake what one publisher had published before") {
    stepwise_node node{3, little_memory()};
    test_receiver r;
    r.claim(node, "r");
    r.subscribe(node, "t");
    r.room = false;
    node.publish_on(0, "head");
    node.publish_on(1, "a");
    node.publish_on(2, "b");
    node.end_turn(2);
    node.deliver_one(0, 0); // waits on disk
    node.publish_on(1, "c");
    node.end_turn(1); // "a" and "c" are on disk soon, and their mail is on the way
    r.room = true;
    r.mine->resume(node.now());
    node.load_on_shard_0(); // of "b" and what is behind it
    node.settle();
    CHECK(r.take() == words{"head", "a", "b", "c"});
}

TEST_CASE("what was settled while a load was under way is not brought back by it") {
    stepwise_node node{1, little_memory()};
    test_receiver r;
    away_with_one_waiting(node, r);
    node.comes_back(r, {.window = 2, .expiry = seconds{100}});
    node.end_turn(0);          // the load is submitted
    node.publish_on(0, "new"); // waits behind it, and is in its answer all the same
    node.load_on_shard_0();
    CHECK(r.take() == words{"old", "new"});
    node.end_turn(0); // the next load, for what waited behind the first, is answered with "new" on disk
    (void)node.write(everything);
    CHECK(r.mine->settle(r.handles[1], settlement::accepted, node.now()).has_value());
    node.settle();
    CHECK(r.take().empty());
}

TEST_CASE("[MQTT-3.1.2-8] a will that falls due while the store fails is published when it works again") {
    test_node node;
    test_receiver watcher;
    watcher.claim(node, "watcher");
    watcher.subscribe(node, "w");
    test_receiver r;
    r.claim(node, "r", 0,
            {.window = 1,
             .expiry = seconds{100},
             .last_will = will{.message = make_message({.topic = "w", .payload = as_bytes("will"), .level = qos::at_least_once})}});
    node.disk().fail_next_writes(10);
    publish(node, "w", "fails");
    node.settle();
    r.leave(node);
    node.disk().fail_next_writes(0);
    node.settle();
    CHECK(watcher.take() == words{"fails", "will"});
    watcher.leave(node);
    node.crash_and_recover();
    test_receiver again;
    again.claim(node, "watcher");
    CHECK(again.take().size() == 2); // both on disk
}

TEST_CASE("who comes back in the turn a will is due does not cancel it, in the turn a session ends does not find it") {
    stepwise_node node{1};
    test_receiver watcher;
    watcher.claim(node, "watcher");
    watcher.subscribe(node, "w");
    test_receiver r;
    r.claim(node, "r", 0,
            {.window = 1,
             .expiry = seconds{100},
             .last_will = will{.message = make_message({.topic = "w", .payload = as_bytes("will"), .level = qos::at_least_once}),
                               .delay = seconds{5}}});
    r.leave(node);
    node.advance(seconds{5});
    test_receiver again;
    node.comes_back(again, {.expiry = seconds{100}});
    CHECK(again.present);
    node.settle();
    CHECK(watcher.take() == words{"will"});
    again.leave(node);
    node.advance(seconds{100});
    test_receiver late;
    late.claim(node, "r");
    CHECK_FALSE(late.present);
}

TEST_CASE("[MQTT-3.1.4-3] a request of a client that has given up does not take the session from who came after it") {
    stepwise_node node{3};
    test_receiver r;
    r.claim(node, "r", 0);
    r.subscribe(node, "t");
    r.leave(node);
    // From shard 1 with a clean start: the request is slow, the client leaves.
    test_receiver early;
    CHECK(node.shard(1).sessions().claim("r", true, {.who = &early}, node.now()).now == nullptr);
    node.shard(1).sessions().abandon(early);
    // From shard 2, later, and answered first.
    test_receiver late;
    CHECK(node.shard(2).sessions().claim("r", false, {.who = &late, .expiry = seconds{100}}, node.now()).now == nullptr);
    node.end_turn(2);
    while (late.mine == nullptr) {
        for (std::size_t i = 0; i != 3; ++i) {
            while (node.mail_for(i) != 0) node.deliver_one(i, 0);
            if (i != 1) node.end_turn(i);
        }
        node.end_turn(1); // answers the marker; its request leaves with it
    }
    node.settle();
    CHECK(late.present);
    CHECK(late.evicted.empty());
    late.mine->resume(node.now());
    publish(node, "t", "kept");
    CHECK(late.take() == words{"kept"});
}

TEST_CASE("[MQTT-3.1.2-4] a clean start is answered when the session before it has left the disk") {
    for (const std::size_t shard : {0U, 1U}) { // the session's own, and another
        stepwise_node node{2};
        test_receiver r;
        r.claim(node, "r", 0);
        r.subscribe(node, "t");
        r.leave(node);
        test_receiver clean;
        CHECK(node.shard(shard).sessions().claim("r", true, {.who = &clean}, node.now()).now == nullptr);
        for (int rounds = 0; rounds != 4; ++rounds) {
            for (std::size_t i = 0; i != 2; ++i) {
                while (node.mail_for(i) != 0) node.deliver_one(i, 0);
                node.end_turn(i);
            }
        }
        CHECK(clean.mine == nullptr);
        node.settle();
        CHECK(clean.mine != nullptr);
        CHECK_FALSE(clean.present);
        CHECK(rows(node, storage::column::sessions) == 0);
    }
}

TEST_CASE("a queue's message that was on its way when its consumer was taken over goes to one consumer") {
    stepwise_node node{2};
    test_receiver r;
    r.claim(node, "r", 0);
    r.subscribe(node, "$queue/q");
    publish(node, "$queue/q", "job", qos::at_least_once);
    CHECK(r.take() == words{"job"});
    r.leave(node);
    r.mine = nullptr;
    test_receiver second;
    node.comes_back(second, {.expiry = seconds{100}});
    node.settle();
    REQUIRE(second.take() == words{"job*"});
    second.settle(node, second.handles.back());
    // Given out to `second`, and under way.
    (void)node.shard(0).route().publish(
        make_message({.topic = "$queue/q", .payload = as_bytes("next"), .level = qos::at_least_once}), node.now());
    const auto q = node.shared().queues.find("q")->owner;
    node.end_turn(0);
    if (q != 0) {
        while (node.mail_for(q) != 0) node.deliver_one(q, 0);
        node.end_turn(q);
    }
    test_receiver third;
    node.comes_back(third, {.expiry = seconds{100}});
    node.settle();
    CHECK(third.take().size() == 1);
    CHECK(third.mine->outstanding() == 1);
}

TEST_CASE("[MQTT-3.3.2-5] a QoS 2 message that expires while its handle goes to the disk is not sent") {
    stepwise_node node{1};
    test_receiver r;
    r.claim(node, "r");
    r.subscribe(node, "t");
    (void)node.shard(0).route().publish(make_message({.topic = "t",
                                                      .payload = as_bytes("short"),
                                                      .level = qos::exactly_once,
                                                      .expires_at = node.now() + seconds{1}}),
                                        node.now());
    node.end_turn(0);
    node.advance(seconds{2});
    node.settle();
    CHECK(r.take().empty());
    CHECK(r.mine->outstanding() == 0);
    CHECK(rows(node, storage::column::entries) == 0);
    CHECK(rows(node, storage::column::outbound_qos2) == 0);
}

TEST_CASE("[MQTT-3.1.2-23] a session's time runs from the first start after a crash, not from the last") {
    test_node node;
    test_receiver r;
    r.claim(node, "r", 0, {.expiry = seconds{100}});
    for (int starts = 0; starts != 3; ++starts) {
        node.crash_and_recover();
        node.advance(seconds{40});
    }
    test_receiver again;
    again.claim(node, "r");
    CHECK_FALSE(again.present);
}

TEST_CASE("[MQTT-3.1.3-9] a will that a reconnect cancelled does not come after a crash; a delay counts over restarts") {
    test_node node;
    test_receiver watcher;
    watcher.claim(node, "watcher");
    watcher.subscribe(node, "w");
    const attachment with{
        .expiry = seconds{100},
        .last_will = will{.message = make_message({.topic = "w", .payload = as_bytes("will"), .level = qos::at_least_once}),
                          .delay = seconds{5}}};
    test_receiver r;
    r.claim(node, "r", 0, with);
    r.leave(node);
    node.advance(seconds{2});
    r.claim(node, "r", 0, {.expiry = seconds{100}}); // in time, and without a will of its own
    node.crash_and_recover();
    node.advance(seconds{20});
    test_receiver second;
    second.claim(node, "watcher");
    CHECK(second.take().empty());
    test_receiver again;
    again.claim(node, "r", 0, with);
    again.leave(node);
    for (int starts = 0; starts != 3; ++starts) {
        node.advance(seconds{2});
        node.crash_and_recover();
    }
    test_receiver third;
    third.claim(node, "watcher");
    CHECK(third.take() == words{"will"});
}

TEST_CASE("a queue that another shard has made and not yet recorded keeps what is put there, over a crash") {
    stepwise_node node{2};
    const auto put = [&](std::size_t shard, std::string_view payload) {
        (void)node.shard(shard).route().publish(
            make_message({.topic = "$queue/q", .payload = as_bytes(payload), .level = qos::at_least_once}), node.now());
    };
    put(0, "makes it"); // its turn goes on
    put(1, "kept");
    node.end_turn(1);
    CHECK(node.write(everything));
    node.crash_and_recover();
    test_receiver r;
    r.claim(node, "r");
    r.subscribe(node, "$queue/q");
    CHECK(r.take() == words{"kept"});
}

TEST_CASE("[MQTT-3.2.2-3] nobody is told that there is no session before the end of the last one is on disk") {
    stepwise_node node{2};
    test_receiver r;
    r.claim(node, "r");
    r.subscribe(node, "t");
    r.leave(node);
    // A clean start ends it; its client gives up and comes again, without one, before anything is written.
    test_receiver early;
    CHECK(node.shard(0).sessions().claim("r", true, {.who = &early}, node.now()).now == nullptr);
    node.shard(0).sessions().abandon(early);
    test_receiver again;
    CHECK(node.shard(1).sessions().claim("r", false, {.who = &again, .expiry = seconds{100}}, node.now()).now == nullptr);
    node.end_turn(0);
    node.end_turn(1);
    CHECK(again.mine == nullptr);
    SUBCASE("it is written, and the answer comes") {
        node.settle();
        REQUIRE(again.mine != nullptr);
        CHECK_FALSE(again.present);
        CHECK(early.mine == nullptr);
        publish(node, "t", "not subscribed to");
        CHECK(again.take().empty());
    }
    SUBCASE("the server dies instead: nobody was told anything") {
        node.crash_and_recover();
        test_receiver last;
        last.claim(node, "r");
        CHECK(last.present);
    }
}

TEST_CASE("who comes by while an earlier claim still waits for the end of a session takes its place") {
    stepwise_node node{1};
    test_receiver r;
    r.claim(node, "r");
    r.leave(node);
    test_receiver first;
    test_receiver second;
    CHECK(node.shard(0).sessions().claim("r", true, {.who = &first}, node.now()).now == nullptr);
    CHECK(node.shard(0).sessions().claim("r", true, {.who = &second}, node.now()).now == nullptr);
    CHECK(first.evicted == "taken_over");
    node.settle();
    CHECK(second.mine != nullptr);
}

TEST_CASE("of two sessions of one client id the newer one lives on after a crash, and nothing stays of the other") {
    stepwise_node node{1};
    test_receiver r;
    r.claim(node, "r");
    r.subscribe(node, "t");
    r.leave(node);
    publish(node, "t", "owed by the old one");
    // The record of a new one reached the disk, the end of the old one did not.
    storage::batch b;
    std::string value;
    storage::encode_session({.client_id = "r", .expires = false, .disconnected_at_ms = 1}, value);
    b.put(storage::column::sessions, storage::session_key(session_id{1000}), value);
    const auto* const group = &b;
    REQUIRE(node.disk().write({&group, 1}, true));
    node.crash_and_recover();
    node.end_turn(0);
    node.settle();
    CHECK(rows(node, storage::column::sessions) == 1);
    CHECK(rows(node, storage::column::subscriptions) == 0);
    CHECK(rows(node, storage::column::entries) == 0);
    test_receiver again;
    again.claim(node, "r");
    CHECK(again.present);
    CHECK(again.take().empty());
}
