#include "protocols/stomp/stomp_bench.hpp"

using namespace broker;
using namespace broker::test;

TEST_CASE("[STOMP12 §SUBSCRIBE] what cannot be subscribed to is refused") {
    test_node node;
    for (const auto* const frame :
         {"SUBSCRIBE\nid:1\n\n", "SUBSCRIBE\ndestination:/topic/a\n\n", "SUBSCRIBE\nid:1\ndestination:/exchange/a\n\n",
          "SUBSCRIBE\nid:1\ndestination:/topic/a\nack:sometimes\n\n", "SUBSCRIBE\nid:1\ndestination:/topic/#/a\n\n",
          "SUBSCRIBE\nid:1\ndestination:/topic/a\nprefetch-count:0\n\n",
          "SUBSCRIBE\nid:1\ndestination:/topic/a\nprefetch-count:65536\n\n",
          "SUBSCRIBE\nid:1\ndestination:/topic/a\nx-group:g/b\n\n",
          "SUBSCRIBE\nid:1\ndestination:/topic/a\ndurable-subscription-name:n\n\n"}) { // nobody to keep it for
        CAPTURE(frame);
        stomp_client c{node, "1.2"};
        (void)c.refused(frame);
    }
}

TEST_CASE("[STOMP12 §SUBSCRIBE id Header] an id in use is refused; after UNSUBSCRIBE it is free") {
    test_node node;
    stomp_client c{node, "1.2"};
    c.put("SUBSCRIBE\nid:1\ndestination:/topic/a\n\n");
    c.put("UNSUBSCRIBE\nid:1\n\n");
    c.put("SUBSCRIBE\nid:1\ndestination:/topic/b\n\n");
    (void)c.refused("SUBSCRIBE\nid:1\ndestination:/topic/c\n\n");
}

TEST_CASE("more subscriptions than a client may have are refused") {
    limits bounds;
    bounds.max_subscriptions_per_client = 2;
    test_node node{1, bounds};
    stomp_client c{node, "1.2"};
    c.put("SUBSCRIBE\nid:1\ndestination:/topic/a\n\n");
    c.put("SUBSCRIBE\nid:2\ndestination:/topic/a\n\n");
    (void)c.refused("SUBSCRIBE\nid:3\ndestination:/topic/a\n\n", "too_big");
}

TEST_CASE("two subscriptions of one connection get a copy each") {
    test_node node;
    stomp_client c{node, "1.2"};
    c.put("SUBSCRIBE\nid:1\ndestination:/topic/a/b\n\n");
    c.put("SUBSCRIBE\nid:2\ndestination:/topic/a/*\n\n");
    c.put("SEND\ndestination:/topic/a/b\n\nx");
    const auto all = c.take();
    REQUIRE(all.size() == 2);
    CHECK(all[0]["subscription"] != all[1]["subscription"]);
    CHECK(all[0]["message-id"] != all[1]["message-id"]);
}

TEST_CASE("[STOMP12 §UNSUBSCRIBE] nothing arrives any more; an unknown id is not an error") {
    test_node node;
    stomp_client c{node, "1.2"};
    c.put("SUBSCRIBE\nid:1\ndestination:/topic/a\n\n");
    c.put("UNSUBSCRIBE\nid:1\n\n");
    c.put("SEND\ndestination:/topic/a\n\nx");
    CHECK(c.take().empty());
    c.put("UNSUBSCRIBE\nid:7\nreceipt:r\n\n");
    CHECK(c.one().command == "RECEIPT");
    (void)c.refused("UNSUBSCRIBE\n\n");
}

TEST_CASE("[STOMP10 §SUBSCRIBE] without an id the destination identifies the subscription") {
    test_node node;
    stomp_client c{node, "1.0"};
    c.put("SUBSCRIBE\ndestination: /topic/a\n\n");
    c.put("SEND\ndestination: /topic/a\n\nx");
    CHECK(c.one().body == "x");
    c.put("UNSUBSCRIBE\ndestination: /topic/a\n\n");
    c.put("SEND\ndestination: /topic/a\n\nx");
    CHECK(c.take().empty());
}

TEST_CASE("a queue: one message to one consumer, kept while nobody consumes") {
    test_node node;
    stomp_client from{node, "1.2"};
    for (const auto* const body : {"1", "2", "3", "4"}) from.put("SEND\ndestination:/queue/q\n\n" + std::string{body});
    stomp_client a{node, "1.2"};
    stomp_client b{node, "1.2"};
    a.put("SUBSCRIBE\nid:1\ndestination:/queue/q\nack:client-individual\nprefetch-count:2\n\n");
    b.put("SUBSCRIBE\nid:1\ndestination:/queue/q\nack:client-individual\nactivemq.prefetchSize:2\n\n");
    CHECK(a.bodies() == std::vector<std::string>{"1", "2"}); // prefetch bounds what is not acknowledged
    CHECK(b.bodies() == std::vector<std::string>{"3", "4"});
}

TEST_CASE("ack:auto on a queue: more than the prefetch arrives, in order, and none comes again") {
    limits bounds;
    bounds.stomp_prefetch = 3;
    test_node node{1, bounds};
    stomp_client from{node, "1.2"};
    std::vector<std::string> sent;
    for (int i = 0; i != 50; ++i) {
        sent.push_back(std::to_string(i));
        from.put("SEND\ndestination:/queue/q\n\n" + sent.back());
    }
    stomp_client to{node, "1.2"};
    to.put("SUBSCRIBE\nid:1\ndestination:/queue/q\n\n");
    CHECK(to.bodies() == sent);
    to.transport().disconnect();
    node.crash_and_recover();
    stomp_client again{node, "1.2"};
    again.put("SUBSCRIBE\nid:1\ndestination:/queue/q\n\n");
    CHECK(again.take().empty());
}

TEST_CASE("ack:auto on a queue: a consumer that does not read loses nothing of what waits") {
    limits bounds;
    bounds.outbox_bytes_max = 10'000;
    test_node node{1, bounds};
    stomp_client from{node, "1.2"};
    stomp_client to{node, "1.2"};
    to.put("SUBSCRIBE\nid:1\ndestination:/queue/q\n\n");
    for (int i = 0; i != 20; ++i) from.put("SEND\ndestination:/queue/q\n\n" + std::string(3000, 'x'));
    std::size_t seen = 0;
    for (int rounds = 0; rounds != 20; ++rounds) { // reading makes room, room brings more
        seen += to.take().size();
        node.settle();
    }
    CHECK(seen == 20);
}

TEST_CASE("a consumer's end gives what it had not acknowledged to another, marked") {
    test_node node;
    stomp_client from{node, "1.2"};
    auto a = std::make_unique<stomp_client>(node, "1.2");
    a->put("SUBSCRIBE\nid:1\ndestination:/queue/q\nack:client\n\n");
    from.put("SEND\ndestination:/queue/q\n\nx");
    CHECK(a->one()["redelivered"] == "(none)");
    a.reset();
    stomp_client b{node, "1.2"};
    b.put("SUBSCRIBE\nid:1\ndestination:/queue/q\nack:client\n\n");
    const auto f = b.one();
    CHECK(f.body == "x");
    CHECK(f["redelivered"] == "true");
    CHECK(f["redelivery-count"] == "1");
}

TEST_CASE("x-group: one member of the group gets the message") {
    test_node node;
    stomp_client a{node, "1.2"};
    stomp_client b{node, "1.2"};
    a.put("SUBSCRIBE\nid:1\ndestination:/topic/a\nx-group:g\n\n");
    b.put("SUBSCRIBE\nid:1\ndestination:/topic/a\nx-group:g\n\n");
    stomp_client from{node, "1.2"};
    for (int i = 0; i != 4; ++i) from.put("SEND\ndestination:/topic/a\n\nx");
    const auto at_a = a.take().size();
    const auto at_b = b.take().size();
    CHECK(at_a + at_b == 4);
    CHECK(at_a == 2);
}

TEST_CASE("a durable subscription gets what was sent while its client was away, also after a restart") {
    test_node node;
    stomp_client from{node, "1.2"};
    {
        stomp_client to{node, "1.2", "client-id:desk\n"};
        to.put("SUBSCRIBE\nid:1\ndestination:/topic/a\nack:client\ndurable-subscription-name:n\nreceipt:r\n\n");
        CHECK(to.one()["receipt-id"] == "r");
    }
    from.put("SEND\ndestination:/topic/a\nreceipt:r\n\naway");
    CHECK(from.one().command == "RECEIPT");
    from.transport().disconnect();
    for (const bool sent_before : {false, true}) { // perhaps: it was connected when the server died
        node.crash_and_recover();
        stomp_client to{node, "1.2", "client-id:desk\n"};
        to.put("SUBSCRIBE\nid:1\ndestination:/topic/a\nack:client\ndurable-subscription-name:n\n\n");
        CHECK(to.one()["redelivered"] == std::string_view{sent_before ? "true" : "(none)"});
        if (!sent_before) node.crash_and_recover();
    }
    for (const auto* const header : {"durable-subscription-name:n", "activemq.subscriptionName:n"}) {
        CAPTURE(header);
        stomp_client to{node, "1.2", "client-id:desk\n"};
        to.put("SUBSCRIBE\nid:7\ndestination:/topic/a\nack:client\n" + std::string{header} + "\n\n");
        CHECK(to.one().body == "away"); // not acknowledged: it comes each time
    }
}

TEST_CASE("durable:true takes the subscription's id as its name and the login when there is no client-id") {
    test_node node;
    {
        stomp_client to{node, "1.2", "login:ann\n"};
        to.put("SUBSCRIBE\nid:s1\ndestination:/topic/a\nack:client\ndurable:true\n\n");
    }
    stomp_client from{node, "1.2"};
    from.put("SEND\ndestination:/topic/a\n\naway");
    stomp_client to{node, "1.2", "login:ann\n"};
    to.put("SUBSCRIBE\nid:s1\ndestination:/topic/a\nack:client\ndurable:true\n\n");
    CHECK(to.one().body == "away");
}

TEST_CASE("a durable subscription with ack:auto goes on beyond its prefetch and does not repeat itself") {
    limits bounds;
    bounds.stomp_prefetch = 3;
    test_node node{1, bounds};
    stomp_client from{node, "1.2"};
    const std::string subscribe = "SUBSCRIBE\nid:1\ndestination:/topic/a\ndurable-subscription-name:n\n\n";
    {
        stomp_client to{node, "1.2", "client-id:desk\n"};
        to.put(subscribe);
    }
    std::vector<std::string> sent;
    for (int i = 0; i != 10; ++i) {
        sent.push_back(std::to_string(i));
        from.put("SEND\ndestination:/topic/a\n\n" + sent.back());
    }
    {
        stomp_client to{node, "1.2", "client-id:desk\n"};
        to.put(subscribe);
        node.advance(milliseconds{5}); // what is due at once
        const auto all = to.take();
        REQUIRE(all.size() == 10);
        for (std::size_t i = 0; i != 10; ++i) CHECK(all[i].body == sent[i]);
        CHECK(all[0]["ack"] == "(none)"); // auto: nothing to acknowledge
        from.put("SEND\ndestination:/topic/a\n\nlive");
        node.advance(milliseconds{5});
        CHECK(to.one().body == "live");
        CHECK(to.transport().get().info().inflight == 0);
    }
    stomp_client to{node, "1.2", "client-id:desk\n"};
    to.put(subscribe);
    node.advance(milliseconds{5});
    CHECK(to.take().empty());
}

TEST_CASE("UNSUBSCRIBE with the durable header removes the subscription, without it and DISCONNECT keep it") {
    test_node node;
    stomp_client from{node, "1.2"};
    const std::string subscribe = "SUBSCRIBE\nid:1\ndestination:/topic/a\nack:client\ndurable-subscription-name:n\n\n";
    {
        stomp_client to{node, "1.2", "client-id:desk\n"};
        to.put(subscribe);
        to.put("UNSUBSCRIBE\nid:1\n\n");
        from.put("SEND\ndestination:/topic/a\n\nkept");
        to.put(subscribe);
        CHECK(to.one().body == "kept");
        to.put("UNSUBSCRIBE\nid:1\ndurable-subscription-name:n\n\n");
        from.put("SEND\ndestination:/topic/a\n\nlost");
        to.put(subscribe);
        CHECK(to.take().empty());
    }
}

TEST_CASE("the same durable subscription from elsewhere takes it over: ERROR taken_over to the first") {
    test_node node;
    const std::string subscribe = "SUBSCRIBE\nid:1\ndestination:/topic/a\nack:client\ndurable-subscription-name:n\n\n";
    stomp_client first{node, "1.2", "client-id:desk\n"};
    first.put(subscribe);
    stomp_client second{node, "1.2", "client-id:desk\n"};
    second.put(subscribe);
    CHECK(first.one()["code"] == "taken_over");
    CHECK(first.transport().closed_because() == "taken_over");
    CHECK(!second.transport().closed());
}

TEST_CASE("a durable subscription that lives on another shard moves; what follows SUBSCRIBE waits in order") {
    test_node node{2};
    const std::string subscribe =
        "SUBSCRIBE\nid:1\ndestination:/topic/a\nack:client\ndurable-subscription-name:n\nreceipt:s\n\n";
    {
        stomp_client to{node, "1.2", "client-id:desk\n", 0};
        to.put(subscribe);
    }
    stomp_client from{node, "1.2"};
    from.put("SEND\ndestination:/topic/a\n\naway");
    stomp_client to{node, "1.2", "client-id:desk\n", 1};
    to.raw(subscribe + '\0' + "SEND\ndestination:/topic/b\nreceipt:after\n\nx" + '\0');
    node.settle();
    std::vector<std::string> receipts;
    std::vector<std::string> bodies;
    for (const auto& f : to.take()) {
        if (f.command == "RECEIPT") receipts.push_back(f["receipt-id"]);
        if (f.command == "MESSAGE") bodies.push_back(f.body);
    }
    CHECK(receipts == std::vector<std::string>{"s", "after"});
    CHECK(bodies == std::vector<std::string>{"away"});
}
