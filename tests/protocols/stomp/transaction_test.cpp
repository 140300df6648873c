#include "protocols/stomp/stomp_bench.hpp"

using namespace broker;
using namespace broker::test;

using bodies = std::vector<std::string>;

namespace {

struct watcher {
    explicit watcher(test_node& node) : client{node, "1.2"} {
        client.put("SUBSCRIBE\nid:1\ndestination:/topic/a\n\n");
    }
    stomp_client client;
};

} // namespace

TEST_CASE("[STOMP12 §BEGIN] nothing is seen before COMMIT, everything in order after it") {
    test_node node;
    watcher w{node};
    stomp_client c{node, "1.2"};
    c.put("BEGIN\ntransaction:t\n\n");
    c.put("SEND\ndestination:/topic/a\ntransaction:t\n\n1");
    c.put("SEND\ndestination:/topic/a\n\noutside");
    c.put("SEND\ndestination:/topic/a\ntransaction:t\n\n2");
    CHECK(w.client.bodies() == bodies{"outside"});
    c.put("COMMIT\ntransaction:t\n\n");
    CHECK(w.client.bodies() == bodies{"1", "2"});
}

TEST_CASE("[STOMP12 §ABORT] an aborted transaction never was; so is one whose connection ends") {
    test_node node;
    watcher w{node};
    {
        stomp_client c{node, "1.2"};
        c.put("BEGIN\ntransaction:t\n\n");
        c.put("SEND\ndestination:/topic/a\ntransaction:t\n\n1");
        c.put("ABORT\ntransaction:t\n\n");
        c.put("BEGIN\ntransaction:t\n\n"); // the name is free again
        c.put("SEND\ndestination:/topic/a\ntransaction:t\n\n2");
        c.put("DISCONNECT\n\n");
    }
    CHECK(w.client.take().empty());
}

TEST_CASE("[STOMP12 §BEGIN] unknown, repeated and nameless transactions are errors") {
    test_node node;
    for (const auto* const frame : {"BEGIN\n\n", "COMMIT\n\n", "ABORT\n\n", "COMMIT\ntransaction:u\n\n",
                                    "ABORT\ntransaction:u\n\n", "BEGIN\ntransaction:t\n\n",
                                    "SEND\ndestination:/topic/a\ntransaction:u\n\nx"}) {
        CAPTURE(frame);
        stomp_client c{node, "1.2"};
        c.put("BEGIN\ntransaction:t\n\n");
        (void)c.refused(frame);
    }
}

TEST_CASE("transactions are bounded in number and bytes") {
    limits bounds;
    bounds.stomp_transactions_max = 2;
    bounds.stomp_transaction_bytes_max = 4000;
    test_node node{1, bounds};
    stomp_client c{node, "1.2"};
    c.put("BEGIN\ntransaction:1\n\n");
    c.put("BEGIN\ntransaction:2\n\n");
    (void)c.refused("BEGIN\ntransaction:3\n\n", "too_big");
    stomp_client large{node, "1.2"};
    large.put("BEGIN\ntransaction:1\n\n");
    large.put("SEND\ndestination:/topic/a\ntransaction:1\n\n" + std::string(3000, 'x'));
    (void)large.refused("SEND\ndestination:/topic/a\ntransaction:1\n\n" + std::string(3000, 'x'), "too_big");
}

TEST_CASE("[STOMP12 §ACK] an ACK in a transaction counts with COMMIT, not with ABORT") {
    test_node node;
    stomp_client c{node, "1.2"};
    c.put("SUBSCRIBE\nid:1\ndestination:/queue/q\nack:client-individual\n\n");
    c.put("SEND\ndestination:/queue/q\n\n1");
    c.put("SEND\ndestination:/queue/q\n\n2");
    const auto got = c.take();
    REQUIRE(got.size() == 2);
    c.put("BEGIN\ntransaction:t\n\n");
    c.put("ACK\nid:" + got[0]["ack"] + "\ntransaction:t\n\n");
    c.put("ABORT\ntransaction:t\n\n");
    c.put("BEGIN\ntransaction:u\n\n");
    c.put("ACK\nid:" + got[1]["ack"] + "\ntransaction:u\n\n");
    c.put("COMMIT\ntransaction:u\n\n");
    c.transport().disconnect();
    stomp_client next{node, "1.2"};
    next.put("SUBSCRIBE\nid:1\ndestination:/queue/q\nack:client\n\n");
    CHECK(next.bodies() == bodies{"1"});
}

TEST_CASE("cumulative ACKs in one transaction may come in any order") {
    test_node node;
    stomp_client c{node, "1.2"};
    c.put("SUBSCRIBE\nid:1\ndestination:/queue/q\nack:client\n\n");
    for (const auto* const body : {"1", "2", "3"}) c.put("SEND\ndestination:/queue/q\n\n" + std::string{body});
    const auto got = c.take();
    REQUIRE(got.size() == 3);
    c.put("BEGIN\ntransaction:t\n\n");
    c.put("ACK\nid:" + got[1]["ack"] + "\ntransaction:t\n\n");
    c.put("ACK\nid:" + got[0]["ack"] + "\ntransaction:t\n\n");
    c.put("COMMIT\ntransaction:t\nreceipt:r\n\n");
    CHECK(c.one()["receipt-id"] == "r");
}

TEST_CASE("[STOMP12 §BEGIN] a COMMIT that cannot be done whole does nothing") {
    test_node node;
    watcher w{node};
    stomp_client c{node, "1.2"};
    c.put("SUBSCRIBE\nid:1\ndestination:/queue/q\nack:client-individual\n\n");
    c.put("SEND\ndestination:/queue/q\n\n1");
    const auto got = c.one();
    c.put("BEGIN\ntransaction:t\n\n");
    c.put("SEND\ndestination:/topic/a\ntransaction:t\n\nx");
    c.put("ACK\nid:" + got["ack"] + "\ntransaction:t\n\n");
    c.put("UNSUBSCRIBE\nid:1\n\n"); // what the ACK was for is gone
    (void)c.refused("COMMIT\ntransaction:t\n\n");
    CHECK(w.client.take().empty());
}

TEST_CASE("a transaction reaches the disk as one: before the commit nothing of it, after it all") {
    test_node node;
    stomp_client c{node, "1.2"};
    node.commit_automatically(false);
    c.put("BEGIN\ntransaction:t\n\n");
    c.put("SEND\ndestination:/queue/x\ntransaction:t\n\n1");
    c.put("SEND\ndestination:/queue/x\ntransaction:t\n\n2");
    c.put("COMMIT\ntransaction:t\nreceipt:r\n\n");
    CHECK(c.take().empty());
    SUBCASE("the process dies first") {
        node.crash_and_recover();
        node.commit_automatically(true);
        stomp_client next{node, "1.2"};
        next.put("SUBSCRIBE\nid:1\ndestination:/queue/x\nack:client\n\n");
        CHECK(next.take().empty());
    }
    SUBCASE("the commit comes first") {
        node.commit();
        CHECK(c.one()["receipt-id"] == "r");
        node.crash_and_recover();
        node.commit_automatically(true);
        stomp_client next{node, "1.2"};
        next.put("SUBSCRIBE\nid:1\ndestination:/queue/x\nack:client\n\n");
        CHECK(next.bodies() == bodies{"1", "2"});
    }
}
