#include "protocols/stomp/stomp_bench.hpp"

using namespace broker;
using namespace broker::test;
using namespace std::string_literals;

namespace {

// A publication as another protocol would make it.
void publish(test_node& node, std::string_view topic, std::string_view payload, const std::string& properties = "",
             qos level = qos::at_least_once) {
    (void)node.shard().route().publish(make_message({.topic = topic,
                                                     .properties = as_bytes(properties),
                                                     .payload = as_bytes(payload),
                                                     .level = level}),
                                       node.now());
    node.settle();
}

std::string user_property(std::string_view name, std::string_view value) {
    std::string properties;
    REQUIRE(append_property(properties, {.kind = property_kind::user_property, .name = name, .value = value}));
    return properties;
}

} // namespace

TEST_CASE("[STOMP12 §SEND] [STOMP12 §MESSAGE] body, content type and free headers arrive, escaped") {
    test_node node;
    stomp_client to{node, "1.2"};
    to.put("SUBSCRIBE\nid:s:1\ndestination:/topic/a\n\n");
    stomp_client from{node, "1.2"};
    from.put("SEND\ndestination:/topic/a\ncontent-type:text/plain\nx\\cy:1\\n2\nb:2\n\nhäppy");
    const auto f = to.one();
    CHECK(f.command == "MESSAGE");
    CHECK(f["destination"] == "/topic/a");
    CHECK(f["subscription"] == "s\\c1");
    CHECK(f["content-type"] == "text/plain");
    CHECK(f["content-length"] == "6");
    CHECK(f["x\\cy"] == "1\\n2");
    CHECK(f["b"] == "2");
    CHECK(f["ack"] == "(none)"); // auto
    CHECK(f.body == "häppy");
}

TEST_CASE("a body with NUL and bytes that are no text goes through unchanged") {
    test_node node;
    stomp_client to{node, "1.2"};
    to.put("SUBSCRIBE\nid:1\ndestination:/topic/a\n\n");
    stomp_client from{node, "1.2"};
    from.raw("SEND\ndestination:/topic/a\ncontent-length:4\n\n\0\xFF\0x\0"s);
    CHECK(to.one().body == "\0\xFF\0x"s);
}

TEST_CASE("headers of the frame are not passed on, forged ones of ours are replaced") {
    test_node node;
    stomp_client to{node, "1.2"};
    to.put("SUBSCRIBE\nid:1\ndestination:/topic/a\n\n");
    stomp_client from{node, "1.2"};
    from.put("SEND\ndestination:/topic/a\nreceipt:r\nmessage-id:forged\nsubscription:forged\nack:forged\n\nx");
    CHECK(from.one()["receipt-id"] == "r");
    const auto f = to.one();
    CHECK(f["receipt"] == "(none)");
    CHECK(f["message-id"] != "forged");
    CHECK(f.count("message-id") == 1);
    CHECK(f["subscription"] == "1");
    CHECK(f["ack"] == "(none)");
    CHECK(f.count("destination") == 1);
}

TEST_CASE("a publisher of another protocol cannot forge the frame's own headers") {
    test_node node;
    for (const auto* const name : {"content-length", "ack", "message-id", "subscription", "destination",
                                   "content-type", "retain", "redelivered", "redelivery-count", "expires"}) {
        CAPTURE(name);
        stomp_client to{node, "1.2"};
        to.put("SUBSCRIBE\nid:1\ndestination:/topic/a\n\n");
        publish(node, "a", "four", user_property(name, "2"));
        const auto f = to.one(); // with a forged content-length the rest of the body would be the next frame
        CHECK(f.command == "MESSAGE");
        CHECK(f.body == "four");
        CHECK(f[name] != "2");
    }
}

TEST_CASE("a user property without a name or with line ends cannot break the frame, in any version") {
    test_node node;
    for (const auto* const version : {"1.0", "1.1", "1.2"}) {
        CAPTURE(version);
        stomp_client to{node, version};
        to.put("SUBSCRIBE\nid:1\ndestination:/topic/a\n\n");
        publish(node, "a", "x", user_property("", "v") + user_property("k\n\nx", "v\r\nack:forged") + user_property("last", "l"));
        const auto f = to.one();
        CHECK(f.body == "x");
        CHECK(f["ack"] == "(none)");
        CHECK(f["last"] == "l");
    }
}

TEST_CASE("correlation-id and reply-to travel as correlation data and response topic") {
    test_node node;
    stomp_client to{node, "1.2"};
    to.put("SUBSCRIBE\nid:1\ndestination:/topic/a\n\n");
    stomp_client from{node, "1.2"};
    from.put("SEND\ndestination:/topic/a\ncorrelation-id:c1\nreply-to:/queue/answers\n\nx");
    const auto f = to.one();
    CHECK(f["correlation-id"] == "c1");
    CHECK(f["reply-to"] == "/queue/answers");

    std::string properties;
    REQUIRE(append_property(properties, {.kind = property_kind::correlation_data, .value = "\xFB\xFF"}));
    REQUIRE(append_property(properties, {.kind = property_kind::response_topic, .value = "re/ply"}));
    publish(node, "a", "y", properties);
    const auto binary = to.one();
    CHECK(binary["correlation-id"] == "-_8"); // base64url
    CHECK(binary["reply-to"] == "/topic/re/ply");
}

TEST_CASE("[STOMP12 §SEND] what cannot be sent is refused, with the receipt of the frame") {
    test_node node;
    for (const auto* const frame :
         {"SEND\nreceipt:r\n\nx", "SEND\nreceipt:r\ndestination:/topic/a/+\n\nx", "SEND\nreceipt:r\ndestination:/exchange/a\n\nx",
          "SEND\nreceipt:r\ndestination:/topic/a\nreply-to:/nowhere/x\n\nx", "SEND\nreceipt:r\ndestination:/topic/a\nttl:x\n\nx",
          "SEND\nreceipt:r\ndestination:/topic/a\ntransaction:none\n\nx"}) {
        CAPTURE(frame);
        stomp_client c{node, "1.2"};
        CHECK(c.refused(frame)["receipt-id"] == "r");
    }
}

TEST_CASE("expiry: a message whose time has passed is not delivered, one that lives shows when it ends") {
    test_node node;
    const auto now_ms = epoch_ms(node.now());
    stomp_client from{node, "1.2"};
    from.put("SEND\ndestination:/queue/q\nttl:1000\n\nttl");
    from.put("SEND\ndestination:/queue/q\nexpires:" + std::to_string(now_ms + 2000) + "\n\nexpires");
    from.put("SEND\ndestination:/queue/q\nexpires:0\n\nnever");
    node.advance(milliseconds{1500});
    stomp_client to{node, "1.2"};
    to.put("SUBSCRIBE\nid:1\ndestination:/queue/q\n\n");
    const auto all = to.take();
    REQUIRE(all.size() == 2);
    CHECK(all[0].body == "expires");
    CHECK(all[0]["expires"] == std::to_string(now_ms + 2000));
    CHECK(all[1].body == "never");
    CHECK(all[1]["expires"] == "(none)");
}

TEST_CASE("retain:true and retain:set are kept and sent to who subscribes later, marked") {
    test_node node;
    stomp_client from{node, "1.2"};
    from.put("SEND\ndestination:/topic/r/1\nretain:true\n\none");
    from.put("SEND\ndestination:/topic/r/2\nretain:set\n\ntwo");
    from.put("SEND\ndestination:/topic/r/3\n\nthree");
    stomp_client to{node, "1.2"};
    to.put("SUBSCRIBE\nid:1\ndestination:/topic/r/*\n\n");
    const auto all = to.take();
    REQUIRE(all.size() == 2);
    CHECK(all[0].body == "one");
    CHECK(all[0]["retain"] == "true");
    CHECK(all[1].body == "two");
}

TEST_CASE("[STOMP12 §RECEIPT] a receipt leaves when the message is durable, receipts in order") {
    test_node node;
    stomp_client c{node, "1.2"};
    node.commit_automatically(false);
    c.put("SEND\ndestination:/queue/q\nreceipt:1\n\na");
    c.put("SEND\ndestination:/topic/nobody\nreceipt:2\n\nb"); // needs no disk, but order holds
    CHECK(c.take().empty());
    node.commit();
    const auto all = c.take();
    REQUIRE(all.size() == 2);
    CHECK(all[0]["receipt-id"] == "1");
    CHECK(all[1]["receipt-id"] == "2");
}

TEST_CASE("[STOMP12 §Standard Headers] every frame except CONNECT may ask for a receipt") {
    test_node node;
    stomp_client c{node, "1.2"};
    for (const auto* const frame :
         {"SEND\ndestination:/topic/a\nreceipt:r\n\n", "SUBSCRIBE\nid:1\ndestination:/topic/b\nreceipt:r\n\n",
          "BEGIN\ntransaction:t\nreceipt:r\n\n", "COMMIT\ntransaction:t\nreceipt:r\n\n",
          "BEGIN\ntransaction:u\nreceipt:r\n\n", "ABORT\ntransaction:u\nreceipt:r\n\n", "UNSUBSCRIBE\nid:1\nreceipt:r\n\n"}) {
        CAPTURE(frame);
        c.put(frame);
        const auto f = c.one();
        CHECK(f.command == "RECEIPT");
        CHECK(f["receipt-id"] == "r");
    }
}

TEST_CASE("what was receipted survives the process") {
    test_node node;
    {
        stomp_client c{node, "1.2"};
        c.put("SEND\ndestination:/queue/q\nreceipt:1\n\nkept");
        CHECK(c.one()["receipt-id"] == "1");
        node.crash_and_recover();
    }
    stomp_client to{node, "1.2"};
    to.put("SUBSCRIBE\nid:1\ndestination:/queue/q\n\n");
    CHECK(to.one().body == "kept");
}

TEST_CASE("text and binary: the frame kind follows the body") {
    test_node node;
    stomp_client to{node, "1.2"};
    static std::string kinds;
    kinds.clear();
    to.transport().out().frame_with([](std::uint8_t*, frame_kind kind, std::size_t) -> std::size_t {
        kinds += kind == frame_kind::text ? 't' : 'b';
        return 0;
    });
    to.put("SUBSCRIBE\nid:1\ndestination:/topic/a\n\n");
    publish(node, "a", "text €");
    publish(node, "a", "\xFF");
    publish(node, "a", std::string(10'000, 'x')); // referenced, not copied
    CHECK(kinds == "tbt"); // and one frame per message
    CHECK(to.take().size() == 3);
}

TEST_CASE("the numbers of the shard follow") {
    test_node node;
    stomp_client to{node, "1.2"};
    to.put("SUBSCRIBE\nid:1\ndestination:/topic/a\n\n");
    stomp_client from{node, "1.2"};
    from.put("SEND\ndestination:/topic/a\n\nfour");
    const auto& count = node.shard().route().count();
    CHECK(count.messages_received[1][1] == 1);
    CHECK(count.message_bytes_received[1] == 4);
    CHECK(count.messages_sent[1][0] == 1);
    CHECK(count.message_bytes_sent[1] == 4);
}

TEST_CASE("a full disk: no RECEIPT for what is not on it, ERROR disk_full for what comes then, and all goes on with room") {
    test_node node;
    stomp_client waiting{node, "1.2"};
    stomp_client next{node, "1.2"};
    node.disk().fail_next_writes(100, storage::storage_error::kind::no_space);
    waiting.put("SEND\ndestination:/queue/q\nreceipt:1\n\na");
    CHECK(waiting.take().empty());
    CHECK(next.refused("SEND\ndestination:/queue/q\nreceipt:2\n\nb", "disk_full")["receipt-id"] == "2");
    stomp_client other{node, "1.2"};
    other.put("SUBSCRIBE\nid:1\ndestination:/topic/t\n\n");
    other.put("SEND\ndestination:/topic/t\n\nnothing to keep");
    CHECK(other.bodies() == std::vector<std::string>{"nothing to keep"});
    node.disk().fail_next_writes(0);
    node.settle();
    CHECK(waiting.one()["receipt-id"] == "1");
    other.put("SEND\ndestination:/queue/q\nreceipt:3\n\nc");
    CHECK(other.one()["receipt-id"] == "3");
}
