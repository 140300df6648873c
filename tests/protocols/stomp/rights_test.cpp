// What a client may do (docs/rights.md), as far as STOMP says it.
#include "protocols/stomp/stomp_bench.hpp"
#include "support/doorman.hpp"

using namespace broker;
using namespace broker::test;

namespace {

struct admitted : stomp_client {
    admitted(test_node& node, doorman& by, std::string_view more = "", std::size_t shard = 0)
        : stomp_client{with(node, by), "1.2", more, shard} {
        node.admit = nullptr;
    }

private:
    static test_node& with(test_node& node, doorman& by) {
        node.admit = &by;
        return node;
    }
};

void check_forbidden(stomp_client& c) {
    const auto f = c.one();
    CHECK(f.command == "ERROR");
    CHECK(f["code"] == "forbidden");
    CHECK(c.transport().closed());
}

} // namespace

TEST_CASE("rights: a destination that may not be sent to is an ERROR, in a transaction too, and reaches nobody") {
    test_node node;
    stomp_client reader{node, "1.2"};
    reader.put("SUBSCRIBE\nid:1\ndestination:/topic/>\n\n");
    doorman by{"anna", {"allow publish a/%u", "allow queue_write $queue/in"}};
    for (const auto* const frame : {"SEND\ndestination:/topic/b\n\nx", "SEND\ndestination:/queue/out\n\nx", "SEND\ndestination:/topic/a/anna\nretain:set\n\nx",
                                    "BEGIN\ntransaction:t\n\n", "SUBSCRIBE\nid:1\ndestination:/topic/a\n\n"}) {
        admitted a{node, by};
        a.put("SEND\ndestination:/topic/a/anna\nreceipt:r\n\nx");
        CHECK(a.one().command == "RECEIPT");
        CHECK(reader.one().command == "MESSAGE");
        a.put("SEND\ndestination:/queue/in\nreceipt:r\n\nx");
        CHECK(a.one().command == "RECEIPT");
        a.put(frame);
        if (std::string_view{frame}.starts_with("BEGIN")) a.put("SEND\ndestination:/topic/b\ntransaction:t\n\nx");
        check_forbidden(a);
        CHECK(reader.take().empty());
    }
}

TEST_CASE("rights: a subscription that is allowed in part brings that part; what is held back needs no ACK") {
    test_node node;
    doorman by{"anna", {"allow subscribe a/+", "allow queue_read $queue/mine"}};
    admitted reader{node, by};
    reader.put("SUBSCRIBE\nid:1\ndestination:/topic/a/>\nack:client-individual\nprefetch-count:1\n\n");
    stomp_client writer{node, "1.2"};
    writer.put("SEND\ndestination:/topic/a/b/c\n\nno");
    CHECK(reader.take().empty());
    writer.put("SEND\ndestination:/topic/a/b\n\nyes");
    CHECK(reader.one().body == "yes");
    reader.put("SUBSCRIBE\nid:2\ndestination:/queue/mine\n\n");
    writer.put("SEND\ndestination:/queue/mine\n\njob");
    CHECK(reader.one().body == "job");
    reader.put("SUBSCRIBE\nid:3\ndestination:/queue/other\nbrowser:true\n\n");
    check_forbidden(reader);
}

TEST_CASE("rights: a will that would not be published is refused with CONNECT") {
    test_node node;
    doorman by{"anna", {"allow publish gone"}};
    node.admit = &by;
    stomp_client refused{node};
    refused.put("CONNECT\naccept-version:1.2\nhost:h\nwill-destination:/topic/other\nwill-body:x\n\n");
    check_forbidden(refused);
    stomp_client fine{node};
    fine.put("CONNECT\naccept-version:1.2\nhost:h\nwill-destination:/topic/gone\nwill-body:x\n\n");
    CHECK(fine.one().command == "CONNECTED");
}

TEST_CASE("admission: who it is may take a while; what came meanwhile follows") {
    test_node node;
    doorman by{"anna"};
    by.slow = true;
    node.admit = &by;
    stomp_client a{node};
    a.put("CONNECT\naccept-version:1.2\nhost:h\nlogin:anna\npasscode:secret\nclient-id:c\n\n");
    a.put("SUBSCRIBE\nid:1\ndestination:/topic/t\nreceipt:r\n\n");
    CHECK(a.take().empty());
    CHECK(by.asked == "c anna secret");
    by.speak(node.now());
    node.settle();
    const auto answers = a.take();
    REQUIRE(answers.size() == 2);
    CHECK(answers[0].command == "CONNECTED");
    CHECK(answers[1].command == "RECEIPT");

    by.refusal = close_reason{.cause = close_cause::not_authenticated};
    stomp_client b{node};
    b.put("CONNECT\naccept-version:1.2\nhost:h\n\n");
    by.speak(node.now());
    node.settle();
    const auto f = b.one();
    CHECK(f.command == "ERROR");
    CHECK(f["code"] == "token_invalid");
    CHECK(b.transport().closed());

    stomp_client c{node};
    c.put("CONNECT\naccept-version:1.2\nhost:h\n\n");
    node.advance(node.bounds().connect_timeout + seconds{1});
    CHECK(c.one()["code"] == "overload");
    CHECK(c.transport().closed());
}

TEST_CASE("durable subscriptions belong to users") {
    test_node node{2};
    doorman anna{"anna"};
    doorman eve{"eve"};
    const std::string subscribe = "SUBSCRIBE\nid:1\ndestination:/topic/t\ndurable:true\nreceipt:r\n\n";
    admitted a{node, anna, "client-id:c\n"};
    a.put(subscribe);
    CHECK(a.one().command == "RECEIPT");
    for (const std::size_t shard : {0U, 1U}) {
        admitted b{node, eve, "client-id:c\n", shard};
        b.put(subscribe);
        check_forbidden(b);
        admitted c{node, eve, "client-id:c\n", shard};
        c.put("UNSUBSCRIBE\nid:1\ndurable:true\nreceipt:u\n\n");
        check_forbidden(c);
    }
    CHECK_FALSE(a.transport().closed());
}

TEST_CASE("rights: new rules end what they do not allow, and a token ends its connection") {
    test_node node;
    doorman by{"anna", {"allow subscribe #"}};
    by.until = node.now() + seconds{10};
    admitted a{node, by};
    a.put("SUBSCRIBE\nid:1\ndestination:/topic/t\nreceipt:r\n\n");
    CHECK(a.one().command == "RECEIPT");
    by.rules({"allow subscribe u"});
    a.transport().get().on_rights(by.entry(), node.now());
    node.settle();
    check_forbidden(a);
    admitted b{node, by};
    node.advance(seconds{11});
    CHECK(b.one()["code"] == "token_expired");
    CHECK(b.transport().closed());
}

TEST_CASE("SEND to /sys/auth: a new token on a live connection") {
    test_node node;
    doorman by{"anna"};
    by.until = node.now() + seconds{10};
    node.admit = &by;
    stomp_client a{node, "1.2"};
    by.until = node.now() + seconds{20};
    a.put("SEND\ndestination:/sys/auth\nreceipt:r\n\nabc");
    CHECK(a.one().command == "RECEIPT");
    CHECK(by.asked == "abc");
    node.advance(seconds{15});
    CHECK_FALSE(a.transport().closed());
    by.refusal = close_reason{.cause = close_cause::token_expired};
    (void)a.refused("SEND\ndestination:/sys/auth\nreceipt:r\n\nold", "token_expired");
    node.admit = nullptr;
    stomp_client open{node, "1.2"};
    (void)open.refused("SEND\ndestination:/sys/auth\n\nabc");
}
