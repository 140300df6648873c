// Competing consumers.
#include "queue_consumer.hpp"

using namespace broker;
using namespace broker::test;

TEST_CASE("messages wait for a consumer, over a crash too, and each goes to one") {
    test_node node;
    publish(node, "$queue/q", "1");
    publish(node, "$queue/q", "2");
    node.crash_and_recover();
    consumer a{node, "a"};
    CHECK(a.take() == words{"1", "2"});
    consumer b{node, "b"};
    CHECK(b.take().empty());
    publish(node, "$queue/q", "3");
    publish(node, "$queue/q", "4");
    CHECK(a.take().size() == 1); // turn by turn
    CHECK(b.take().size() == 1);
}

TEST_CASE("a consumer without credit is passed over") {
    test_node node;
    consumer slow{node, "slow", 1};
    consumer fast{node, "fast", 10};
    for (const auto* const m : {"1", "2", "3", "4"}) publish(node, "$queue/q", m);
    CHECK(slow.take().size() == 1);
    CHECK(fast.take().size() == 3);
}

TEST_CASE("what a consumer leaves goes to another, marked, before what is newer") {
    test_node node;
    consumer stays{node, "stays", 1};
    publish(node, "$queue/q", "1");
    CHECK(stays.take() == words{"1"});
    {
        consumer goes{node, "goes", 1};
        publish(node, "$queue/q", "2");
        publish(node, "$queue/q", "3");
        CHECK(goes.take() == words{"2"});
        goes.go();
    }
    CHECK(stays.answer(0, settlement::accepted));
    CHECK(stays.take() == words{"2*"});
    CHECK(stays.answer(1, settlement::accepted));
    CHECK(stays.take() == words{"3"});
}

TEST_CASE("requeue comes again, reject and accept do not") {
    test_node node;
    consumer a{node, "a", 1};
    publish(node, "$queue/q", "1");
    publish(node, "$queue/q", "2");
    CHECK(a.take() == words{"1"});
    CHECK(a.answer(0, settlement::requeue));
    CHECK(a.take() == words{"1*"});
    CHECK(a.answer(1, settlement::reject));
    CHECK(a.take() == words{"2"});
    CHECK(a.answer(2, settlement::accepted));
    CHECK(a.take().empty());
    consumer dead{node, "dead", 10, "$queue/dlq.q"};
    CHECK(dead.take() == words{"1"});
    CHECK(rows(node, storage::column::queue_entries) == 1);
}

TEST_CASE("limits.queue.messages and bytes: a full queue refuses, and takes again when one is settled") {
    limits bounds;
    bounds.queue_messages_max = 2;
    test_node node{1, bounds};
    CHECK(offer(node, "q", "1") == refusal::none);
    CHECK(offer(node, "q", "2") == refusal::none);
    CHECK(offer(node, "q", "3") == refusal::quota_exceeded);
    consumer a{node, "a", 1};
    CHECK(a.answer(0, settlement::accepted));
    CHECK(offer(node, "q", "4") == refusal::none);
    CHECK(a.answer(1, settlement::accepted));
    CHECK(a.take() == words{"1", "2", "4"});
    declare(node, "small", {.bytes_max = 300});
    CHECK(offer(node, "small", std::string(400, 'x')) == refusal::none);
    CHECK(offer(node, "small", "x") == refusal::quota_exceeded);
    CHECK(slot_of(node, "small").messages == 1);
}

TEST_CASE("order is by priority, then by age: in memory, on disk, after a restart") {
    limits few;
    few.session_memory_messages_max = 2;
    for (const bool restart : {false, true}) {
        CAPTURE(restart);
        test_node node{2, few};
        for (const auto* const m : {"4a", "1a", "9a", "4b", "9b", "1b", "4c", "4d", "4e", "9c"}) {
            const std::string priority(1, *m);
            CHECK(offer(node, "q", m, {{"priority", priority}}) == refusal::none);
        }
        CHECK(offer(node, "q", "none") == refusal::none); // 4
        CHECK(offer(node, "q", "odd", {{"priority", "10"}}) == refusal::none); // 4
        if (restart) node.crash_and_recover();
        consumer a{node, "a", 1};
        for (int i = 0; i != 12; ++i) CHECK(a.answer_all());
        CHECK(a.take() == words{"9a", "9b", "9c", "4a", "4b", "4c", "4d", "4e", "none", "odd", "1a", "1b"});
        CHECK(rows(node, storage::column::queue_entries) == 0);
    }
}

TEST_CASE("what is urgent overtakes what waits on disk; a queue declared without priorities is first in, first out") {
    limits few;
    few.session_memory_messages_max = 1;
    test_node node{1, few};
    declare(node, "fifo", {.priority = false});
    for (const auto* const q : {"q", "fifo"}) {
        for (const auto* const m : {"1", "2", "3"}) CHECK(offer(node, q, m) == refusal::none);
        CHECK(offer(node, q, "urgent", {{"priority", "9"}}) == refusal::none);
    }
    consumer a{node, "a", 10};
    CHECK(a.take() == words{"urgent", "1", "2", "3"});
    consumer b{node, "b", 10, "$queue/fifo"};
    CHECK(b.take() == words{"1", "2", "3", "urgent"});
}

TEST_CASE("policy drop-oldest: the oldest of the lowest priority goes, from disk too; never what a consumer holds") {
    limits few;
    few.session_memory_messages_max = 2;
    test_node node{2, few};
    declare(node, "q", {.messages_max = 4, .policy = overflow_policy::drop_oldest});
    CHECK(offer(node, "q", "held") == refusal::none);
    consumer a{node, "a", 1};
    CHECK(a.take() == words{"held"});
    CHECK(offer(node, "q", "urgent", {{"priority", "5"}}) == refusal::none);
    for (const auto* const m : {"1", "2", "3", "4", "5", "6"}) CHECK(offer(node, "q", m) == refusal::none);
    CHECK(slot_of(node, "q").messages == 4);
    CHECK(slot_of(node, "q").dropped == 4);
    node.crash_and_recover();
    declare(node, "q", {.messages_max = 4, .policy = overflow_policy::drop_oldest}); // settings are the administrator's to store
    CHECK(slot_of(node, "q").messages == 4);
    CHECK(offer(node, "q", "7") == refusal::none); // nothing of it is in memory
    consumer b{node, "b", 10};
    CHECK(b.take() == words{"urgent", "5", "6", "7"}); // "held" is held no more, and was the oldest
}

TEST_CASE("policy dead-letter: what does not fit goes aside; publishers are answered as ever") {
    test_node node;
    declare(node, "q", {.messages_max = 1, .policy = overflow_policy::dead_letter});
    CHECK(offer(node, "q", "1") == refusal::none);
    CHECK(offer(node, "q", "2") == refusal::none);
    CHECK(slot_of(node, "q").messages == 1);
    const auto dead = look(node, "dlq.q");
    CHECK(dead.seen == words{"2"});
    CHECK(dead.properties == words{"dlq-reason=queue_full", "dlq-original-destination=/queue/q", "dlq-redelivery-count=0"});
    node.crash_and_recover();
    CHECK(look(node, "dlq.q").seen == words{"2"});
}

TEST_CASE("a message nobody can process is given up after max_deliveries, across restarts, with why and whence") {
    limits bounds;
    bounds.max_deliveries = 4;
    test_node node{2, bounds};
    CHECK(offer(node, "q", "poison", {{"k", "v"}}) == refusal::none);
    {
        consumer a{node, "a"};
        CHECK(a.take() == words{"poison"});
        CHECK(a.answer_all(settlement::requeue)); // 1
        CHECK(a.take() == words{"poison*"});
        a.go(); // 2
    }
    node.crash_and_recover();
    CHECK(look(node, "q").seen == words{"poison**"});
    consumer b{node, "b"};
    CHECK(b.take() == words{"poison*"});
    CHECK(b.answer_all(settlement::requeue)); // 3
    CHECK(b.take() == words{"poison*"});
    CHECK(b.answer_all(settlement::requeue)); // 4
    CHECK(b.take().empty());
    const auto dead = look(node, "dlq.q", 1);
    CHECK(dead.seen == words{"poison"});
    CHECK(dead.properties ==
          words{"dlq-reason=max_deliveries", "dlq-original-destination=/queue/q", "dlq-redelivery-count=4"});
    CHECK(rows(node, storage::column::queue_entries) == 1); // no redelivery count is left behind
    CHECK(slot_of(node, "q").messages == 0);
    CHECK(slot_of(node, "dlq.q").messages == 1);
    CHECK(slot_of(node, "q").bytes == 0);
}

TEST_CASE("a dead-letter queue has none: rejected there is dropped, requeued there never given up") {
    limits bounds;
    bounds.max_deliveries = 2;
    test_node node{1, bounds};
    CHECK(offer(node, "q", "x") == refusal::none);
    consumer a{node, "a"};
    CHECK(a.answer_all(settlement::reject));
    consumer b{node, "b", 1, "$queue/dlq.q"};
    for (int i = 0; i != 5; ++i) CHECK(b.answer_all(settlement::requeue));
    CHECK(b.answer_all(settlement::reject));
    CHECK(node.shard().shared().queues.find("dlq.dlq.q") == nullptr);
    CHECK(slot_of(node, "dlq.q").dropped == 1);
    CHECK(rows(node, storage::column::queue_entries) == 0);
}

TEST_CASE("a crash between giving up and the commit: the message is in one of the two queues, never in both or none") {
    for (const bool committed : {false, true}) {
        CAPTURE(committed);
        test_node node{2};
        CHECK(offer(node, "q", "x") == refusal::none);
        consumer a{node, "a"};
        REQUIRE(a.take() == words{"x"});
        node.commit_automatically(false);
        CHECK(a.answer_all(settlement::reject));
        if (committed) node.commit();
        node.commit_automatically(true);
        node.crash_and_recover();
        CHECK(look(node, "q").seen == (committed ? words{} : words{"x"}));
        CHECK(look(node, "dlq.q").seen == (committed ? words{"x"} : words{}));
        CHECK(slot_of(node, "q").messages == (committed ? 0 : 1));
    }
}

TEST_CASE("a dead-letter queue that is full keeps the newest; one declared to reject, or none, means dropped and counted") {
    limits bounds;
    bounds.queue_messages_max = 2;
    test_node node{1, bounds};
    declare(node, "none", {.dead_letter = ""});
    declare(node, "strict", {.dead_letter = "full"});
    declare(node, "full", {.messages_max = 1, .policy = overflow_policy::reject});
    const auto reject = [&](const char* queue, const char* m) {
        CHECK(offer(node, queue, m) == refusal::none);
        consumer c{node, "c", 10, std::string{"$queue/"} + queue};
        CHECK(c.answer_all(settlement::reject));
        c.go();
    };
    for (const auto* const m : {"1", "2", "3"}) {
        reject("q", m);
        reject("strict", m);
        reject("none", m);
    }
    CHECK(look(node, "dlq.q").seen == words{"2", "3"});
    CHECK(look(node, "full").seen == words{"1"});
    CHECK(slot_of(node, "strict").dropped == 2);
    CHECK(slot_of(node, "none").dropped == 3);
    CHECK(node.shard().desk().count().messages_dropped[static_cast<std::size_t>(drop_reason::rejected)] == 5);
}

TEST_CASE("expiry: at its time, consumer or not; to the dead-letter queue only when one is declared") {
    test_node node{2};
    declare(node, "kept", {.dead_letter = "late"});
    for (const auto* const q : {"q", "kept"}) {
        CHECK(offer(node, q, "short", {}, node.now() + seconds{5}) == refusal::none);
        CHECK(offer(node, q, "long", {}, node.now() + seconds{50}) == refusal::none);
    }
    node.advance(seconds{10});
    CHECK(look(node, "q").seen == words{"long"});
    CHECK(look(node, "kept").seen == words{"long"});
    const auto late = look(node, "late");
    CHECK(late.seen == words{"short"});
    CHECK(late.properties[0] == "dlq-reason=expired");
    CHECK(slot_of(node, "q").expired == 1);
    CHECK(node.shard().shared().queues.find("dlq.q") == nullptr);
    consumer a{node, "a", 1};
    CHECK(a.take() == words{"long"});
    node.advance(seconds{100}); // held by a consumer: it is his
    CHECK(slot_of(node, "q").messages == 1);
}

TEST_CASE("a queue's ttl: messages age from their arrival, on disk and over a restart too; dead letters do not") {
    limits few;
    few.session_memory_messages_max = 1;
    few.queue_ttl = seconds{60};
    test_node node{1, few};
    for (const auto* const m : {"1", "2", "3", "4"}) CHECK(offer(node, "q", m) == refusal::none);
    CHECK(offer(node, "dlq.q", "old") == refusal::none);
    node.advance(seconds{30});
    for (const auto* const m : {"5", "6"}) CHECK(offer(node, "q", m) == refusal::none);
    node.crash_and_recover();
    node.advance(seconds{31});
    CHECK(slot_of(node, "q").messages == 2);
    CHECK(slot_of(node, "q").expired == 4);
    CHECK(look(node, "q").seen == words{"5", "6"});
    node.advance(seconds{30});
    CHECK(slot_of(node, "q").messages == 0);
    CHECK(look(node, "dlq.q").seen == words{"old"});
}

TEST_CASE("NACK: another consumer has the message next, if there is one") {
    test_node node;
    consumer a{node, "a"};
    CHECK(offer(node, "q", "1") == refusal::none);
    CHECK(a.take() == words{"1"});
    consumer b{node, "b"};
    CHECK(a.answer_all(settlement::requeue));
    CHECK(a.take().empty());
    CHECK(b.take() == words{"1*"});
    b.go();
    CHECK(a.take() == words{"1*"});
    CHECK(a.answer_all(settlement::requeue));
    CHECK(a.take() == words{"1*"}); // there is no other
}

TEST_CASE("what is requeued comes in its old order, however it was given back") {
    test_node node;
    {
        consumer a{node, "a", 3};
        for (const auto* const m : {"1", "2", "3", "4"}) CHECK(offer(node, "q", m) == refusal::none);
        CHECK(a.take() == words{"1", "2", "3"});
        a.go();
    }
    consumer b{node, "b", 4};
    CHECK(b.take() == words{"1*", "2*", "3*", "4"});
}

TEST_CASE("who unsubscribes holds nothing: a late answer takes nothing from the next consumer") {
    test_node node;
    consumer a{node, "a"};
    CHECK(offer(node, "q", "1") == refusal::none);
    CHECK(a.take() == words{"1"});
    const auto filter = topic_filter::parse("$queue/q", node.bounds());
    (void)node.shard().route().unsubscribe(*a.receiver().mine, *filter, node.now());
    node.settle();
    consumer b{node, "b"};
    CHECK(b.take() == words{"1*"});
    CHECK(a.answer_all()); // the window's place is free again, no more
    CHECK(slot_of(node, "q").messages == 1);
    CHECK(rows(node, storage::column::queue_entries) == 2); // and its count
    CHECK(b.answer_all());
    CHECK(slot_of(node, "q").messages == 0);
    CHECK(rows(node, storage::column::queue_entries) == 0);
}

TEST_CASE("after a crash what had been handed out is marked as redelivered, what had not is not") {
    test_node node{2};
    for (const auto* const m : {"1", "2", "3"}) CHECK(offer(node, "q", m) == refusal::none);
    {
        consumer a{node, "a", 2};
        CHECK(a.take() == words{"1", "2"});
        node.crash_and_recover();
    }
    consumer b{node, "b"};
    CHECK(b.take() == words{"1*", "2*", "3"});
}

TEST_CASE("counts and marks: exact through crashes; a scan after a restart begins behind what was erased") {
    for (const std::size_t shards : {1U, 2U}) {
        CAPTURE(shards);
        limits few;
        few.session_memory_messages_max = 16;
        test_node node{shards, few};
        std::size_t offered = 0;
        consumer a{node, "a", 64};
        for (int round = 0; round != 5; ++round) {
            for (int i = 0; i != 1000; ++i) CHECK(offer(node, "q", std::to_string(offered++)) == refusal::none);
            while (!a.receiver().handles.empty()) CHECK(a.answer_all());
        }
        for (int i = 0; i != 100; ++i) CHECK(offer(node, "q", std::to_string(offered++), {}, never, shards - 1) == refusal::none);
        CHECK(slot_of(node, "q").messages == 100);
        const auto bytes = slot_of(node, "q").bytes.load();
        node.crash_and_recover();
        CHECK(slot_of(node, "q").messages == 100);
        CHECK(slot_of(node, "q").bytes == bytes);
        const auto found = storage::recover(node.disk());
        REQUIRE(found);
        REQUIRE(found->queues.size() == 1);
        const auto& marks = found->queues[0].state.marks;
        REQUIRE(marks.size() == 1);
        CHECK(marks[0].priority == 4);
        CHECK(marks[0].first > message_id{4000});
        CHECK(marks[0].delivered >= marks[0].first);
        consumer b{node, "b", 1000};
        CHECK(b.take().size() == 100);
    }
}
