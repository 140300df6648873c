// What happens in an order that threads rarely choose: mail that is late, answers while a load is under way, clients that
// come back in the turn a deadline passes. Found by the simulation (tests/sim).
#include "support/test_receiver.hpp"

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
    CHECK(r.take() == words{"old", "late"});
    for (const auto handle : {r.handles[0], r.handles[1]}) {
        CHECK(r.mine->settle(handle, settlement::accepted, node.now()).has_value());
    }
    // Another load: the first one is not the last any more.
    for (const auto* const m : {"1", "2", "3", "4"}) node.publish_on(0, m);
    for (std::size_t i = 2; i != 4; ++i) (void)r.mine->settle(r.handles[i], settlement::accepted, node.now());
    node.load_on_shard_0();
    CHECK(r.take() == words{"1", "2", "3", "4"});
    for (std::size_t i = 4; i != 6; ++i) (void)r.mine->settle(r.handles[i], settlement::accepted, node.now());
    node.settle();
    CHECK(r.take().empty());
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
    node.comes_back(late, {.expiry = seconds{100}});
    CHECK_FALSE(late.present);
}
