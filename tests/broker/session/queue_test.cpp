// Competing consumers.
#include "support/test_receiver.hpp"

using namespace broker;
using namespace broker::test;

namespace {

class consumer {
public:
    consumer(test_node& node, const char* id, std::uint16_t window = 10) : node_{node} {
        who_.claim(node, id, 0, {.window = window});
        who_.subscribe(node, "$queue/q");
    }
    [[nodiscard]] words take() { return who_.take(); }
    // To the i-th message it got.
    bool answer(std::size_t i, settlement how) { return who_.settle(node_, who_.handles[i], how); }
    void go() { who_.leave(node_); }

private:
    test_node& node_;
    test_receiver who_;
};

} // namespace

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
    CHECK(rows(node, storage::column::entries) == 0);
}

TEST_CASE("limits.queue.messages: a full queue refuses, and takes again when one is settled") {
    limits bounds;
    bounds.queue_messages_max = 2;
    test_node node{1, bounds};
    const auto offer = [&](std::string_view text) {
        const auto done = node.shard().route().publish(
            make_message({.topic = "$queue/q", .payload = as_bytes(text), .level = qos::at_least_once}), node.now());
        node.settle();
        return done.refused;
    };
    CHECK(offer("1") == refusal::none);
    CHECK(offer("2") == refusal::none);
    CHECK(offer("3") == refusal::quota_exceeded);
    consumer a{node, "a", 1};
    CHECK(a.answer(0, settlement::accepted));
    CHECK(offer("4") == refusal::none);
    CHECK(a.answer(1, settlement::accepted));
    CHECK(a.take() == words{"1", "2", "4"});
}
