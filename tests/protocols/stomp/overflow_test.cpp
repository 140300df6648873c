// What a client is told when it runs into a limit, and that the limit is counted: the rows of docs/limits.md.
#include "protocols/stomp/stomp_bench.hpp"

using namespace broker;
using namespace broker::test;

namespace {

struct row {
    limit_kind by;
    std::string code;
    std::vector<std::string> before{};
    std::string frame{};
    bool connected = true;
};

const std::string queue_message = "SEND\ndestination:/queue/q\n\nx";

limits small() {
    limits b;
    b.connect_bytes_max = 200;
    b.max_message_bytes = 500;
    b.max_topic_levels = 4;
    b.max_topic_bytes = 30;
    b.max_properties_bytes = 100;
    b.max_client_id_bytes = 10;
    b.max_sessions = 3;
    b.max_subscriptions = 1;
    b.max_queues = 1;
    b.queue_messages_max = 1;
    b.retained_messages_max = 1;
    b.stomp_header_line_max = 400;
    b.stomp_headers_max = 4;
    b.stomp_transactions_max = 1;
    b.stomp_transaction_frames_max = 1;
    b.stomp_transaction_bytes_max = 400;
    return b;
}

std::string subscribe(const std::string& id, const std::string& more = "destination:/queue/q") {
    return "SUBSCRIBE\nid:" + id + "\n" + more + "\n\n";
}

const std::vector<row> rows{
    {limit_kind::connect_bytes, "too_big", {}, "CONNECT\naccept-version:1.2\nhost:" + std::string(200, 'h') + "\n\n", false},
    {limit_kind::client_id, "too_big", {}, "CONNECT\naccept-version:1.2\nhost:h\nclient-id:12345678901\n\n", false},
    {limit_kind::client_id, "too_big", {}, "SUBSCRIBE\nid:1\ndestination:/topic/a\ndurable-subscription-name:12345678901\n\n"},
    {limit_kind::message_bytes, "too_big", {}, "SEND\ndestination:/topic/a\n\n" + std::string(501, 'x')},
    {limit_kind::message_bytes, "too_big", {}, "SEND\ndestination:/topic/a\ncontent-length:501\n\n" + std::string(501, 'x')},
    {limit_kind::header_line, "too_big", {}, "SEND\ndestination:/topic/a\nk:" + std::string(400, 'v') + "\n\n"},
    {limit_kind::headers, "too_big", {}, "SEND\ndestination:/topic/a\na:1\nb:2\nc:3\nd:4\n\n"},
    {limit_kind::properties, "too_big", {}, "SEND\ndestination:/topic/a\nk:" + std::string(200, 'v') + "\n\n"},
    {limit_kind::topic_levels, "protocol_error", {}, "SEND\ndestination:/topic/a/b/c/d/e\n\n"},
    {limit_kind::topic_levels, "protocol_error", {}, subscribe("1", "destination:/topic/a/b/c/d/e")},
    {limit_kind::topic_bytes, "protocol_error", {}, "SEND\ndestination:/topic/" + std::string(31, 'a') + "\n\n"},
    {limit_kind::topic_bytes, "protocol_error", {}, subscribe("1", "destination:/topic/" + std::string(31, 'a'))},
    {limit_kind::sessions, "overload", {subscribe("1"), subscribe("2"), subscribe("3")}, subscribe("4")},
    {limit_kind::subscriptions, "overload", {subscribe("1", "destination:/topic/a")}, subscribe("2", "destination:/topic/a")},
    {limit_kind::queues, "overload", {queue_message}, "SEND\ndestination:/queue/r\n\nx"},
    {limit_kind::queue_messages, "overload", {queue_message}, queue_message},
    {limit_kind::retained_messages, "overload", {"SEND\ndestination:/topic/a\nretain:true\n\nx"},
     "SEND\ndestination:/topic/b\nretain:true\n\nx"},
    {limit_kind::transactions, "too_big", {"BEGIN\ntransaction:a\n\n"}, "BEGIN\ntransaction:b\n\n"},
    {limit_kind::transaction_frames, "too_big", {"BEGIN\ntransaction:a\n\n", "SEND\ndestination:/topic/a\ntransaction:a\n\nx"},
     "SEND\ndestination:/topic/a\ntransaction:a\n\nx"},
    {limit_kind::transaction_bytes, "too_big", {"BEGIN\ntransaction:a\n\n"},
     "SEND\ndestination:/topic/a\ntransaction:a\n\n" + std::string(499, 'x')},
};

} // namespace

TEST_CASE("each limit is answered with ERROR and its code, and counted") {
    for (const auto& r : rows) {
        CAPTURE(key(r.by));
        test_node node{1, small()};
        stomp_client c = r.connected ? stomp_client{node, "1.2", "client-id:me\n"} : stomp_client{node};
        for (const auto& frame : r.before) c.put(frame);
        CHECK_FALSE(c.transport().closed());
        CHECK(node.shard().route().count().refused == counters{}.refused);
        (void)c.transport().sent();
        (void)c.refused(r.frame, r.code);
        counters expected;
        expected.refuse(r.by);
        CHECK(node.shard().route().count().refused == expected.refused);
        stomp_client other{node}; // is served
        other.put("CONNECT\naccept-version:1.2\nhost:h\n\n");
        CHECK(other.one().command == "CONNECTED");
    }
}

TEST_CASE("limits.max_subscriptions_per_client: STOMP subscriptions and temporary queues of a connection") {
    limits bounds;
    bounds.max_subscriptions_per_client = 1;
    for (const auto& frame : {subscribe("2"), std::string{"SEND\ndestination:/topic/a\nreply-to:/temp-queue/t\n\nx"}}) {
        test_node node{1, bounds};
        stomp_client c{node, "1.2"};
        c.put(subscribe("1"));
        (void)c.refused(frame, frame.starts_with("SEND") ? "protocol_error" : "too_big");
        CHECK(node.shard().route().count().refused[static_cast<std::size_t>(limit_kind::subscriptions_per_client)] == 1);
    }
}

TEST_CASE("limits.queue.bytes, limits.retained.bytes: ERROR, and counted") {
    limits bounds;
    bounds.queue_bytes_max = 1;
    bounds.retained_bytes_max = 100;
    test_node node{1, bounds};
    stomp_client c{node, "1.2"};
    c.put(queue_message); // one message may go over it
    (void)c.refused(queue_message, "overload");
    stomp_client d{node, "1.2"};
    (void)d.refused("SEND\ndestination:/topic/a\nretain:true\n\n" + std::string(200, 'x'), "overload");
    const auto& refused = node.shard().route().count().refused;
    CHECK(refused[static_cast<std::size_t>(limit_kind::queue_bytes)] == 1);
    CHECK(refused[static_cast<std::size_t>(limit_kind::retained_bytes)] == 1);
}

TEST_CASE("stomp.transaction_age: ERROR, and counted") {
    limits bounds;
    bounds.stomp_transaction_age_max = seconds{10};
    test_node node{1, bounds};
    stomp_client c{node, "1.2"};
    c.put("BEGIN\ntransaction:t\n\n");
    node.advance(seconds{11});
    CHECK(c.one()["code"] == "too_big");
    CHECK(node.shard().route().count().refused[static_cast<std::size_t>(limit_kind::transaction_age)] == 1);
}

TEST_CASE("stomp.prefetch: unacknowledged messages of a subscription; the rest waits") {
    limits bounds;
    bounds.stomp_prefetch = 2;
    test_node node{1, bounds};
    stomp_client c{node, "1.2"};
    c.put("SUBSCRIBE\nid:1\ndestination:/topic/a\nack:client-individual\n\n");
    stomp_client p{node, "1.2"};
    for (int i = 0; i != 5; ++i) p.put("SEND\ndestination:/topic/a\n\nx");
    auto got = c.take();
    CHECK(got.size() == 2);
    c.put("ACK\nid:" + got[0]["ack"] + "\n\n");
    CHECK(c.take().size() == 1);
}

TEST_CASE("limits.max_deliveries: what is sent back again and again is given up") {
    limits bounds;
    bounds.max_deliveries = 2;
    for (const std::string destination : {"/queue/q", "/topic/t"}) {
        CAPTURE(destination);
        test_node node{1, bounds};
        stomp_client c{node, "1.2"};
        c.put("SUBSCRIBE\nid:1\ndestination:" + destination + "\nack:client-individual\n\n");
        c.put("SEND\ndestination:" + destination + "\n\nx");
        std::size_t deliveries = 0;
        for (auto got = c.take(); got.size() == 1 && deliveries != 10; got = c.take()) {
            ++deliveries;
            c.put("NACK\nid:" + got[0]["ack"] + "\n\n");
        }
        CHECK(deliveries == 2);
        const auto& count = node.shard().route().count();
        const bool aside = destination == "/queue/q";
        CHECK(count.dead_lettered == (aside ? 1 : 0));
        CHECK(count.messages_dropped[static_cast<std::size_t>(drop_reason::rejected)] == (aside ? 0 : 1));
    }
}

TEST_CASE("a turn leaves the store no more than a sixteenth of limits.store_pending and one message, however much came at once") {
    limits bounds;
    bounds.store_pending_bytes_max = 16000;
    test_node node{1, bounds};
    stomp_client c{node, "1.2"};
    const auto before = node.shard(0).desk().durable_upto().value();
    std::string all;
    for (int i = 0; i != 40; ++i) all += "SEND\ndestination:/queue/q\nreceipt:" + std::to_string(i) + "\n\n" + std::string(100, 'x') + '\0';
    c.raw(all);
    const auto answers = c.take();
    REQUIRE(answers.size() == 40);
    for (std::size_t i = 0; i != 40; ++i) CHECK(answers[i]["receipt-id"] == std::to_string(i));
    CHECK(node.shard(0).desk().durable_upto().value() - before >= 4);
}
