// Looking into queues, purging, moving and deleting them.
#include "queue_consumer.hpp"

using namespace broker;
using namespace broker::test;

namespace {

limits little_memory() {
    limits few;
    few.session_memory_messages_max = 2;
    return few;
}

// Runs to its end; every step a batch of its own when the test commits by hand.
std::vector<queue_removal::outcome> remove(test_node& node, std::string_view name, std::size_t most, std::string to = "") {
    auto& slot = slot_of(node, name);
    const auto done = std::make_shared<std::vector<queue_removal::outcome>>();
    node.shard(slot.owner).queues().use(slot).remove(
        {.messages_max = most, .to = std::move(to), .done = [done](const auto& r) { done->push_back(r); }}, node.now());
    node.settle();
    return *done;
}

shard_queues::deletion drop(test_node& node, std::string_view name, bool force = false) {
    const auto owner = queue_table::owner_of(name, node.shard().desk().shards());
    const auto done = node.shard(owner).queues().remove(name, force);
    node.settle();
    return done;
}

void fill(test_node& node, std::string_view queue, int from, int to) {
    for (int i = from; i <= to; ++i) CHECK(offer(node, queue, std::to_string(i)) == refusal::none);
}

} // namespace

TEST_CASE("looking: all that is there, in order, from any shard, a page at a time, and nothing is consumed") {
    limits few = little_memory();
    test_node node{2, few};
    fill(node, "q", 1, 150);
    CHECK(offer(node, "q", "urgent", {{"priority", "9"}}) == refusal::none);
    consumer a{node, "a", 1};
    CHECK(a.take() == words{"urgent"});
    looker by;
    auto& route = node.shard(1).route();
    const auto cursor = route.browse("q", by);
    REQUIRE(cursor != 0);
    node.settle();
    CHECK(by.seen.size() <= 64); // until another page is asked for
    CHECK_FALSE(by.ended);
    fill(node, "q", 1000, 1100); // after it began: not shown
    while (!by.ended) {
        route.next_page(cursor);
        node.settle();
    }
    REQUIRE(by.seen.size() == 151);
    CHECK(by.seen.front() == "urgent"); // delivered, not acknowledged
    CHECK(by.seen[1] == "1");
    CHECK(by.seen.back() == "150");
    CHECK(slot_of(node, "q").messages == 252);
    CHECK(route.browse("nobody's", by) == 0);
}

TEST_CASE("looking: what has expired behind others is not there any more") {
    test_node node;
    fill(node, "q", 1, 1);
    CHECK(offer(node, "q", "2", {}, node.now() + seconds{5}) == refusal::none);
    CHECK(look(node, "q").seen == words{"1", "2"});
    node.advance(seconds{6});
    CHECK(look(node, "q").seen == words{"1"});
}

TEST_CASE("looking at an empty queue ends at once; who stops hears nothing more") {
    test_node node;
    declare(node, "empty", {});
    CHECK(look(node, "empty").ended);
    fill(node, "q", 1, 3);
    looker by;
    const auto cursor = node.shard().route().browse("q", by);
    node.shard().route().stop_browsing(cursor);
    node.settle();
    CHECK(by.pages == 0);
    node.shard().route().next_page(cursor);
    node.settle();
    CHECK(by.pages == 0);
}

TEST_CASE("purge: what is ready goes, what a consumer holds stays, pieces are bounded, all of it is on disk") {
    test_node node{2, little_memory()};
    fill(node, "q", 1, 1);
    consumer a{node, "a", 1};
    CHECK(a.take() == words{"1"});
    fill(node, "q", 2, 2000);
    auto done = remove(node, "q", 500);
    REQUIRE(done.size() == 1);
    CHECK(done[0].removed == 500);
    CHECK(done[0].more);
    CHECK(look(node, "q").seen.size() == 1500);
    done = remove(node, "q", 100'000);
    REQUIRE(done.size() == 1);
    CHECK(done[0].removed == 1499);
    CHECK_FALSE(done[0].more);
    CHECK(slot_of(node, "q").messages == 1);
    CHECK(a.answer_all());
    CHECK(slot_of(node, "q").messages == 0);
    CHECK(slot_of(node, "q").bytes == 0);
    CHECK(rows(node, storage::column::queue_entries) == 0);
    fill(node, "q", 7, 7);
    CHECK(a.take() == words{"7"});
}

TEST_CASE("purge and move of what is empty are done at once: nothing will be written that they could wait for") {
    test_node node;
    declare(node, "empty", {});
    for (const auto* const to : {"", "other"}) {
        const auto done = remove(node, "empty", 10, to);
        REQUIRE(done.size() == 1);
        CHECK(done[0].durable_at <= node.shard().desk().durable_upto());
    }
}

TEST_CASE("move: into another queue in order, priorities kept, a crash leaves each message in one of them") {
    for (const bool committed : {false, true}) {
        CAPTURE(committed);
        test_node node{2, little_memory()};
        fill(node, "from", 1, 5);
        CHECK(offer(node, "from", "urgent", {{"priority", "8"}}) == refusal::none);
        node.commit_automatically(false);
        (void)remove(node, "from", 3, "to"); // its end needs a load, which needs a commit
        node.commit();
        if (committed) node.commit();
        node.commit_automatically(true);
        node.crash_and_recover();
        auto all = look(node, "from").seen;
        const auto moved = look(node, "to").seen;
        all.insert(all.end(), moved.begin(), moved.end());
        std::ranges::sort(all);
        CHECK(all == words{"1", "2", "3", "4", "5", "urgent"});
        (void)remove(node, "from", 100, "to");
        CHECK(look(node, "from").seen.empty());
        CHECK(look(node, "to").seen == words{"urgent", "1", "2", "3", "4", "5"});
        CHECK(slot_of(node, "from").messages == 0);
        CHECK(slot_of(node, "to").messages == 6);
    }
}

TEST_CASE("move stops when the other queue is full, and says so") {
    test_node node{1, little_memory()};
    declare(node, "to", {.messages_max = 2});
    fill(node, "from", 1, 5);
    const auto done = remove(node, "from", 100, "to");
    REQUIRE(done.size() == 1);
    CHECK(done[0].removed == 2);
    CHECK(done[0].refused);
    CHECK(look(node, "from").seen == words{"3", "4", "5"});
    CHECK(look(node, "to").seen == words{"1", "2"});
}

TEST_CASE("delete: refused with consumers unless forced; then they have a new, empty queue of that name") {
    test_node node{2, little_memory()};
    fill(node, "q", 1, 10);
    consumer a{node, "a", 2, "$queue/q", 1};
    CHECK(a.take() == words{"1", "2"});
    CHECK(drop(node, "q") == shard_queues::deletion::has_consumers);
    CHECK(drop(node, "q", true) == shard_queues::deletion::done);
    CHECK(rows(node, storage::column::queue_entries) == 0);
    CHECK(rows(node, storage::column::queues) == 1);
    CHECK(a.take().empty());
    CHECK(slot_of(node, "q").messages == 0);
    CHECK(a.answer_all()); // late: without effect but on its window
    fill(node, "q", 11, 13);
    CHECK(a.take() == words{"11", "12"});
    CHECK(a.answer_all());
    CHECK(a.take() == words{"13"});
    a.go();
    CHECK(drop(node, "q") == shard_queues::deletion::done);
    CHECK(node.shard().shared().queues.find("q") == nullptr);
    CHECK(rows(node, storage::column::queue_entries) == 0);
    CHECK(rows(node, storage::column::queues) == 0);
    CHECK(drop(node, "q") == shard_queues::deletion::not_found);
    node.crash_and_recover();
    CHECK(node.shard().shared().queues.find("q") == nullptr);
}

TEST_CASE("delete: what is published meanwhile goes into the old queue or the new one, and a consumer that comes finds the new one") {
    test_node node{2};
    fill(node, "q", 1, 1);
    auto& old = slot_of(node, "q");
    const auto other = static_cast<std::size_t>(1 - old.owner);
    // On the other shard a publication and a subscription are under way in the turn in which the queue is deleted.
    test_receiver r;
    r.claim(node, "r", other);
    (void)node.shard(other).route().publish(
        make_message({.topic = "$queue/q", .payload = as_bytes("2"), .level = qos::at_least_once}), node.now());
    CHECK(node.shard(other).route().subscribe(*r.mine, *topic_filter::parse("$queue/q", node.bounds()), {.maximum_qos = qos::at_least_once}, node.now()).refused ==
          refusal::none);
    CHECK(node.shard(old.owner).queues().remove("q", true) == shard_queues::deletion::done);
    node.settle();
    CHECK(r.take().empty());
    fill(node, "q", 3, 3);
    CHECK(r.take() == words{"3"});
    CHECK(rows(node, storage::column::queue_entries) == 1);
}
