#include "protocols/stomp/stomp_bench.hpp"

using namespace broker;
using namespace broker::test;

namespace {

// A consumer of /queue/q in this mode, with the messages 1 to 3 delivered and not acknowledged.
struct consumer {
    consumer(test_node& node, std::string_view version, std::string_view mode) : client{node, version} {
        client.put("SUBSCRIBE\nid:1\ndestination:/queue/q\nack:" + std::string{mode} + "\n\n");
        for (const auto* const body : {"1", "2", "3"}) client.put("SEND\ndestination:/queue/q\n\n" + std::string{body});
        messages = client.take();
        REQUIRE(messages.size() == 3);
    }
    stomp_client client;
    std::vector<stomp_frame> messages{};
};

// What is left in /queue/q for the next one.
std::vector<std::string> left(test_node& node) {
    stomp_client c{node, "1.2"};
    c.put("SUBSCRIBE\nid:1\ndestination:/queue/q\nack:client\n\n");
    return c.bodies();
}

using bodies = std::vector<std::string>;

} // namespace

TEST_CASE("[STOMP12 §SUBSCRIBE ack Header] client: ACK covers everything before it") {
    test_node node;
    {
        consumer c{node, "1.2", "client"};
        c.client.put("ACK\nid:" + c.messages[1]["ack"] + "\n\n");
    }
    CHECK(left(node) == bodies{"3"});
}

TEST_CASE("[STOMP12 §SUBSCRIBE ack Header] client-individual: ACK covers its message only") {
    test_node node;
    {
        consumer c{node, "1.2", "client-individual"};
        c.client.put("ACK\nid:" + c.messages[1]["ack"] + "\n\n");
    }
    CHECK(left(node) == bodies{"1", "3"});
}

TEST_CASE("[STOMP11 §ACK] 1.1 acknowledges by message-id and subscription") {
    test_node node;
    {
        consumer c{node, "1.1", "client-individual"};
        CHECK(c.messages[0]["ack"] == "(none)");
        c.client.put("ACK\nsubscription:1\nmessage-id:" + c.messages[0]["message-id"] + "\n\n");
        c.client.put("ACK\nsubscription:1\nmessage-id:" + c.messages[2]["message-id"] + "\n\n");
    }
    CHECK(left(node) == bodies{"2"});
    test_node another;
    consumer wrong{another, "1.1", "client-individual"};
    (void)wrong.client.refused("ACK\nsubscription:2\nmessage-id:" + wrong.messages[0]["message-id"] + "\n\n");
}

TEST_CASE("[STOMP10 §ACK] 1.0 acknowledges by message-id alone") {
    test_node node;
    {
        consumer c{node, "1.0", "client"};
        c.client.put("ACK\nmessage-id: " + c.messages[1]["message-id"] + "\n\n");
    }
    CHECK(left(node) == bodies{"3"});
}

TEST_CASE("[STOMP12 §ACK] unknown ids, ids acknowledged before, ids of auto subscriptions: errors") {
    for (const auto* const id : {"", "x", "1", "1-1", "1-1-999999", "1-0-1", "99-1-1", "1-70000-1", "1--1"}) {
        CAPTURE(id);
        test_node node;
        consumer c{node, "1.2", "client-individual"};
        (void)c.client.refused("ACK\nid:" + std::string{id} + "\n\n");
    }
    {
        test_node node;
        consumer c{node, "1.2", "client-individual"};
        c.client.put("ACK\nid:" + c.messages[0]["ack"] + "\n\n");
        (void)c.client.refused("ACK\nid:" + c.messages[0]["ack"] + "\n\n");
    }
    test_node node;
    stomp_client automatic{node, "1.2"};
    automatic.put("SUBSCRIBE\nid:1\ndestination:/topic/a\n\n");
    automatic.put("SEND\ndestination:/topic/a\n\nx");
    (void)automatic.refused("ACK\nid:" + automatic.one()["message-id"] + "\n\n");
    stomp_client nameless{node, "1.2"};
    (void)nameless.refused("ACK\n\n");
}

TEST_CASE("[STOMP12 §NACK] the message goes to another consumer, marked") {
    test_node node;
    consumer c{node, "1.2", "client-individual"};
    stomp_client other{node, "1.2"};
    other.put("SUBSCRIBE\nid:1\ndestination:/queue/q\nack:client-individual\n\n");
    c.client.put("NACK\nid:" + c.messages[0]["ack"] + "\n\n");
    auto got = other.take();
    if (got.empty()) got = c.client.take();
    REQUIRE(got.size() == 1);
    CHECK(got[0].body == "1");
    CHECK(got[0]["redelivered"] == "true");
    CHECK(got[0]["redelivery-count"] == "1");
}

TEST_CASE("NACK with requeue:false: not wanted by anybody") {
    test_node node;
    {
        consumer c{node, "1.2", "client-individual"};
        c.client.put("NACK\nid:" + c.messages[0]["ack"] + "\nrequeue:false\n\n");
        CHECK(c.client.take().empty());
    }
    CHECK(left(node) == bodies{"2", "3"});
}

TEST_CASE("[STOMP12 §NACK] client: NACK covers everything before it, and the order stays") {
    test_node node;
    {
        consumer c{node, "1.2", "client"};
        c.client.put("NACK\nid:" + c.messages[1]["ack"] + "\n\n");
        CHECK(c.client.bodies() == bodies{"1", "2"});
    }
    CHECK(left(node) == bodies{"1", "2", "3"});
}

TEST_CASE("1.0 has no NACK") {
    test_node node;
    consumer c{node, "1.0", "client"};
    (void)c.client.refused("NACK\nmessage-id:" + c.messages[0]["message-id"] + "\n\n");
}

TEST_CASE("[STOMP12 §RECEIPT] the receipt of an ACK waits until the acknowledgement is on disk") {
    test_node node;
    consumer c{node, "1.2", "client-individual"};
    node.commit_automatically(false);
    c.client.put("ACK\nid:" + c.messages[0]["ack"] + "\nreceipt:r\n\n");
    CHECK(c.client.take().empty());
    node.commit();
    CHECK(c.client.one()["receipt-id"] == "r");
}

TEST_CASE("prefetch: an ACK makes room for the next message") {
    test_node node;
    stomp_client c{node, "1.2"};
    c.put("SUBSCRIBE\nid:1\ndestination:/topic/a\nack:client-individual\nprefetch-count:1\n\n");
    c.put("SEND\ndestination:/topic/a\n\n1");
    c.put("SEND\ndestination:/topic/a\n\n2");
    const auto first = c.one();
    CHECK(first.body == "1");
    CHECK(c.transport().get().info().inflight == 1);
    CHECK(c.transport().get().info().waiting == 1);
    c.put("ACK\nid:" + first["ack"] + "\n\n");
    CHECK(c.one().body == "2");
}
