// Units (transactions) and temporary queues, without a protocol.
#include "support/test_receiver.hpp"

using namespace broker;
using namespace broker::test;

namespace {

message_ptr to(std::string_view topic, std::string_view payload, bool retain = false) {
    return make_message({.topic = topic, .payload = as_bytes(payload), .level = qos::at_least_once, .retain = retain});
}

unit_outcome run(test_node& node, std::vector<unit_step> steps) {
    const auto done = node.shard().route().publish_all(steps, node.now());
    node.settle();
    return done;
}

} // namespace

TEST_CASE("a unit: publications and answers together, one batch") {
    test_node node;
    test_receiver worker;
    test_receiver watcher;
    watcher.claim(node, "watcher");
    watcher.subscribe(node, "t");
    worker.claim(node, "worker");
    worker.subscribe(node, "$queue/q");
    publish(node, "$queue/q", "job");
    REQUIRE(worker.take() == words{"job"});
    const auto before = node.shard().desk().open_ticket();
    const auto done = run(node, {{.of = worker.mine, .handle = worker.handles[0]}, {.message = to("$queue/r", "1")},
                                 {.message = to("t", "2")}, {.message = to("$queue/r", "3")}});
    CHECK(done.refused == refusal::none);
    CHECK(done.durable_at.value() == before.value() + 1);
    CHECK(watcher.take() == words{"2"});
    CHECK(rows(node, storage::column::queue_entries) == 2);
    CHECK(rows(node, storage::column::entries) == 1); // the watcher's
}

TEST_CASE("a unit that does not fit leaves nothing: queue, retained messages, answers") {
    limits bounds;
    bounds.queue_messages_max = 2;
    bounds.retained_messages_max = 1;
    test_node node{1, bounds};
    test_receiver worker;
    worker.claim(node, "worker");
    worker.subscribe(node, "$queue/jobs");
    publish(node, "$queue/jobs", "job");
    REQUIRE(worker.take() == words{"job"});
    const auto handle = worker.handles[0];
    const unit_step answer{.of = worker.mine, .handle = handle};

    auto refused = run(node, {answer, {.message = to("$queue/q", "1")}, {.message = to("$queue/q", "2")}, {.message = to("$queue/q", "3")}});
    CHECK(refused.refused == refusal::quota_exceeded);
    CHECK(refused.at == 3);
    refused = run(node, {answer, {.message = to("$queue/q", "1")}, {.message = to("a", "x", true)}, {.message = to("b", "y", true)}});
    CHECK(refused.refused == refusal::quota_exceeded);
    CHECK(refused.at == 3);
    refused = run(node, {{.message = to("$queue/q", "1")}, {.of = worker.mine, .handle = 999}});
    CHECK(refused.refused == refusal::not_waiting);
    CHECK(refused.at == 1);
    refused = run(node, {answer, {.message = to("$queue/q", "1")}, answer});
    CHECK(refused.refused == refusal::not_waiting);
    CHECK(rows(node, storage::column::queue_entries) == 1); // the job
    CHECK(rows(node, storage::column::retained) == 0);
    CHECK(worker.mine->outstanding_level(handle));

    // What a refused unit had taken is free again.
    CHECK(run(node, {answer, {.message = to("$queue/q", "1")}, {.message = to("$queue/q", "2")}, {.message = to("a", "x", true)}}).refused ==
          refusal::none);
    CHECK(rows(node, storage::column::queue_entries) == 2);
    CHECK(rows(node, storage::column::retained) == 1);
    CHECK_FALSE(worker.mine->outstanding_level(handle));
}

TEST_CASE("a crash before the commit undoes a unit, one after it nothing") {
    for (const bool committed : {false, true}) {
        CAPTURE(committed);
        test_node node{2};
        test_receiver worker;
        worker.claim(node, "worker");
        worker.subscribe(node, "$queue/q");
        publish(node, "$queue/q", "job");
        REQUIRE(worker.take() == words{"job"});
        node.commit_automatically(false);
        CHECK(run(node, {{.of = worker.mine, .handle = worker.handles[0]}, {.message = to("$queue/r", "1")}, {.message = to("$queue/s", "2")}})
                  .refused == refusal::none);
        if (committed) node.commit();
        node.commit_automatically(true);
        node.crash_and_recover();
        for (const auto& [queue, before, after] : {std::tuple{"$queue/q", words{"job"}, words{}}, {"$queue/r", words{}, words{"1"}},
                                                   {"$queue/s", words{}, words{"2"}}}) {
            test_receiver next;
            next.claim(node, queue);
            next.subscribe(node, queue);
            auto got = next.take();
            for (auto& one : got) one.erase(std::ranges::remove(one, '*').begin(), one.end());
            CHECK(got == (committed ? after : before));
        }
    }
}

TEST_CASE("a temporary queue: only its owner receives, anybody on any shard may send, nothing is stored") {
    test_node node{2};
    test_receiver owner;
    auto* const s = node.shard().sessions().open_transient("owner", {.who = &owner, .window = 10}, node.now());
    REQUIRE(s != nullptr);
    owner.mine = s;
    const auto made = node.shard().route().open_temporary(*s, "replies", {.maximum_qos = qos::at_least_once}, node.now());
    REQUIRE(made.refused == refusal::none);
    CHECK(node.shard().route().open_temporary(*s, "replies", {.maximum_qos = qos::at_least_once}, node.now()).topic == made.topic);
    CHECK(made.topic == temporary_names{{}}.topic(s->id(), "replies")); // of a node for tests
    CHECK(node.shard().route().open_temporary(*s, "a/#", {}, node.now()).refused == refusal::not_permitted);
    CHECK(node.shard().route().open_temporary(*s, "", {}, node.now()).refused == refusal::not_permitted);

    test_receiver spy;
    spy.claim(node, "spy", 1);
    for (const auto* const filter : {"$temp/#", "$share/g/$temp/+/replies", "$temp/+/replies"}) {
        const auto parsed = topic_filter::parse(filter, node.bounds());
        REQUIRE(parsed);
        CHECK(node.shard(1).route().subscribe(*spy.mine, *parsed, {}, node.now()).refused == refusal::not_permitted);
    }
    spy.subscribe(node, "#", 1);
    publish(node, made.topic, "answer", qos::at_least_once, 1);
    CHECK(owner.take() == words{"answer"});
    CHECK(spy.take().empty());
    (void)node.shard(1).route().publish(to(made.topic, "kept", true), node.now());
    node.settle();
    CHECK(rows(node, storage::column::retained) == 0);
    CHECK(rows(node, storage::column::entries) == 0);

    owner.leave(node);
    const auto late = node.shard(1).route().publish(to(made.topic, "late"), node.now());
    CHECK(late.refused == refusal::none);
    CHECK_FALSE(late.matched);
}
