#include "protocols/stomp/stomp_bench.hpp"

using namespace broker;
using namespace broker::test;
using namespace std::string_literals;

TEST_CASE("[STOMP12 §Protocol Negotiation] the highest common version; without accept-version 1.0") {
    test_node node;
    const auto version = [&](std::string_view headers) {
        stomp_client c{node};
        c.put("CONNECT\n" + std::string{headers} + "\n");
        return c.one()["version"];
    };
    CHECK(version("") == "1.0");
    CHECK(version("accept-version:1.0\n") == "1.0");
    CHECK(version("accept-version:1.1\n") == "1.1");
    CHECK(version("accept-version:1.2,1.0\n") == "1.2");
    CHECK(version("accept-version:1.0,1.1,2.0\n") == "1.1");
    CHECK(version("accept-version:1.0, 1.1, 1.2\n") == "1.2");
}

TEST_CASE("[STOMP12 §CONNECT or STOMP Frame] STOMP is CONNECT") {
    test_node node;
    stomp_client c{node};
    c.put("STOMP\r\naccept-version:1.2\r\nhost:anything\r\n\r\n");
    const auto f = c.one();
    CHECK(f.command == "CONNECTED");
    CHECK(f["session"] != "(none)");
    CHECK(f["server"].starts_with("brokerd"));
    CHECK(f["heart-beat"] == "10000,30000"); // we beat, so that clients need not
}

TEST_CASE("[STOMP12 §Protocol Negotiation] nothing in common: ERROR with the versions served") {
    test_node node;
    stomp_client c{node};
    c.put("CONNECT\naccept-version:2.0,3.1\nhost:h\n\n");
    const auto f = c.one();
    CHECK(f.command == "ERROR");
    CHECK(f["version"] == "1.0,1.1,1.2");
    CHECK(node.shard().route().count().connect_rejected[static_cast<std::size_t>(close_cause::protocol_error)] == 1);
    CHECK(c.transport().closed());
}

TEST_CASE("[STOMP12 §Connecting] the first frame must be CONNECT, and there is one") {
    test_node node;
    stomp_client early{node};
    (void)early.refused("SEND\ndestination:/topic/a\n\nx");
    stomp_client twice{node, "1.2"};
    (void)twice.refused("CONNECT\naccept-version:1.2\nhost:h\n\n");
}

TEST_CASE("nothing behind an ERROR is processed") {
    test_node node;
    stomp_client c{node, "1.2"};
    stomp_client other{node, "1.2"};
    other.put("SUBSCRIBE\nid:1\ndestination:/topic/a\n\n");
    c.raw("NONSENSE\nreceipt:r\n\n\0SEND\ndestination:/topic/a\n\nx\0"s);
    const auto f = c.one();
    CHECK(f.command == "ERROR");
    CHECK(f["receipt-id"] == "r");
    CHECK(f["code"] == "protocol_error");
    CHECK(other.take().empty());
}

TEST_CASE("[STOMP12 §Heart-beating] a malformed heart-beat header is an error") {
    test_node node;
    for (const auto* const value : {"", "1", "1,", ",1", "a,b", "1,2,3", "-1,0", "1, 2", "99999999999,0"}) {
        CAPTURE(value);
        stomp_client c{node};
        (void)c.refused("CONNECT\naccept-version:1.2\nhost:h\nheart-beat:" + std::string{value} + "\n\n");
    }
}

TEST_CASE("[STOMP12-BEAT-3] [STOMP12-BEAT-4] [STOMP12-BEAT-5] an EOL leaves before the larger of both wishes is over") {
    test_node node;
    stomp_client c{node, "1.2", "heart-beat:0,20000\n"};
    node.advance(seconds{18});
    CHECK(c.bytes().empty());
    node.advance(seconds{2});
    CHECK(c.bytes() == "\n");
    stomp_client quick{node, "1.2", "heart-beat:0,1\n"}; // ours is the larger
    node.advance(milliseconds{8'900});
    CHECK(quick.bytes().empty());
    node.advance(milliseconds{1'100});
    CHECK(quick.bytes() == "\n");
}

TEST_CASE("[STOMP12-BEAT-5] a frame is as good as a beat: none is sent beside frames") {
    test_node node;
    stomp_client c{node, "1.2", "heart-beat:0,10000\n"};
    for (int i = 0; i != 5; ++i) {
        node.advance(seconds{5});
        c.put("BEGIN\ntransaction:" + std::to_string(i) + "\nreceipt:r\n\n");
        CHECK(c.one().command == "RECEIPT");
    }
    node.advance(seconds{10});
    CHECK(c.bytes() == "\n");
}

TEST_CASE("[STOMP12-BEAT-7] a client that promised beats is given up after the promise and the grace") {
    limits bounds;
    bounds.stomp_client_heart_beat = seconds{10};
    bounds.stomp_heart_beat_grace = seconds{20};
    test_node node{1, bounds};
    stomp_client c{node, "1.2", "heart-beat:10000,0\n"};
    node.advance(seconds{15});
    c.raw("\n"); // [STOMP12-BEAT-6]
    node.advance(seconds{29});
    CHECK(!c.transport().closed());
    node.advance(seconds{2});
    CHECK(c.one()["code"] == "heartbeat");
    CHECK(c.transport().closed_because() == "keepalive");
}

TEST_CASE("heart-beats and the age of transactions do not run out while we do not read; ours go on") {
    limits bounds;
    bounds.stomp_client_heart_beat = seconds{10};
    bounds.stomp_heart_beat_grace = seconds{20};
    bounds.stomp_transaction_age_max = seconds{100};
    test_node node{1, bounds};
    stomp_client c{node, "1.2", "heart-beat:10000,10000\n"};
    stomp_client t{node, "1.2"};
    stomp_client late{node};
    t.put("BEGIN\ntransaction:t\n\n");
    node.advance(seconds{9}); // for a CONNECT there are 10
    for (auto* const one : {&c, &t, &late}) one->transport().get().on_reading(false, node.now());
    (void)c.transport().sent();
    node.advance(seconds{1000});
    for (auto* const one : {&c, &t, &late}) {
        CHECK_FALSE(one->transport().closed());
        one->transport().get().on_reading(true, node.now());
    }
    CHECK(c.transport().sent().size() >= 100);
    node.advance(seconds{9});
    CHECK_FALSE(late.transport().closed());
    node.advance(seconds{2});
    CHECK(late.transport().closed_because() == "keepalive");
    node.advance(seconds{18});
    CHECK_FALSE(c.transport().closed());
    node.advance(seconds{2});
    CHECK(c.transport().closed_because() == "keepalive");
    node.advance(seconds{58}); // 9 + 89 of its 100
    CHECK_FALSE(t.transport().closed());
    node.advance(seconds{4});
    CHECK(t.transport().closed_because() == "too_big");
}

TEST_CASE("a hidden browser tab, whose timers run once a minute, keeps its connection by default") {
    test_node node;
    stomp_client c{node, "1.2", "heart-beat:10000,10000\n"};
    for (int i = 0; i != 10; ++i) {
        node.advance(seconds{61});
        c.raw("\n");
    }
    CHECK(!c.transport().closed());
}

TEST_CASE("heart-beats that the server is told not to offer or to ask for are not") {
    limits bounds;
    bounds.stomp_heart_beat = milliseconds{0};
    bounds.stomp_client_heart_beat = milliseconds{0};
    test_node node{1, bounds};
    stomp_client c{node};
    c.put("CONNECT\naccept-version:1.2\nhost:h\nheart-beat:100,100\n\n");
    CHECK(c.one()["heart-beat"] == "0,0");
    node.advance(seconds{3600});
    CHECK(c.bytes().empty());
    CHECK(!c.transport().closed());
}

TEST_CASE("[STOMP12 §Heart-beating] 0,0 or no header: none in either direction") {
    test_node node;
    stomp_client c{node, "1.2"};
    stomp_client zero{node, "1.2", "heart-beat:0,0\n"};
    node.advance(seconds{3600});
    CHECK(c.bytes().empty());
    CHECK(zero.bytes().empty());
    CHECK(!c.transport().closed());
}

TEST_CASE("without a CONNECT the connection does not last") {
    test_node node;
    stomp_client c{node};
    c.raw("\n\n");
    node.advance(node.bounds().connect_timeout + seconds{1});
    CHECK(c.transport().closed_because() == "keepalive");
}

TEST_CASE("1.0 allows padding behind the colon, in CONNECT too") {
    test_node node;
    stomp_client c{node};
    c.put("CONNECT\nlogin: ann\npasscode: x\n\n");
    CHECK(c.one()["version"] == "1.0");
    CHECK(c.transport().get().info().user == "ann");
}

TEST_CASE("info() says who is there") {
    test_node node;
    stomp_client c{node, "1.1", "login:ann\nclient-id:desk\n"};
    c.put("SUBSCRIBE\nid:1\ndestination:/topic/a\n\n");
    const auto i = c.transport().get().info();
    CHECK(i.protocol == "stomp");
    CHECK(i.version == "1.1");
    CHECK(i.client_id == "desk");
    CHECK(i.user == "ann");
    CHECK(i.subscriptions == 1);
}

TEST_CASE("[STOMP12 §DISCONNECT] the receipt waits for everything before it, then the connection ends normally") {
    test_node node;
    stomp_client keeper{node, "1.2", "client-id:k\n"};
    keeper.put("SUBSCRIBE\nid:1\ndestination:/topic/a\nack:client\ndurable-subscription-name:n\n\n");
    stomp_client c{node, "1.2"};
    node.commit_automatically(false);
    c.put("SEND\ndestination:/topic/a\nreceipt:1\n\nx");
    c.put("DISCONNECT\nreceipt:77\n\n");
    CHECK(c.take().empty());
    CHECK(!c.transport().closed());
    node.commit();
    const auto all = c.take();
    REQUIRE(all.size() == 2);
    CHECK(all[0]["receipt-id"] == "1");
    CHECK(all[1]["receipt-id"] == "77");
    CHECK(c.transport().closed_because() == "normal");
}

TEST_CASE("[STOMP12 §DISCONNECT] frames behind DISCONNECT do not count") {
    test_node node;
    stomp_client other{node, "1.2"};
    other.put("SUBSCRIBE\nid:1\ndestination:/topic/a\n\n");
    stomp_client c{node, "1.2"};
    c.raw("DISCONNECT\n\n\0SEND\ndestination:/topic/a\n\nx\0"s);
    CHECK(other.take().empty());
    CHECK(c.transport().closed_because() == "normal");
}

TEST_CASE("the server's goodbyes carry the code of the interface") {
    const std::vector<std::pair<close_cause, std::string_view>> table{
        {close_cause::server_drain, "server_shutting_down"},
        {close_cause::taken_over, "taken_over"},
        {close_cause::kicked, "kicked"},
        {close_cause::keepalive, "heartbeat"},
        {close_cause::overload, "overload"}};
    for (const auto& [cause, code] : table) {
        CAPTURE(code);
        test_node node;
        stomp_client c{node, "1.2"};
        c.transport().get().close({.cause = cause}, node.now());
        const auto f = c.one();
        CHECK(f.command == "ERROR");
        CHECK(f["code"] == code);
    }
}

TEST_CASE("a CONNECT over the limit is refused while it arrives") {
    limits bounds;
    bounds.connect_bytes_max = 100;
    test_node node{1, bounds};
    stomp_client c{node};
    c.raw("CONNECT\naccept-version:1.2\nx:" + std::string(100, 'x'));
    CHECK(c.one()["code"] == "too_big");
    CHECK(c.transport().closed_because() == "too_big");
}

TEST_CASE("headers that are not UTF-8 end the connection as such") {
    test_node node;
    stomp_client c{node, "1.2"};
    (void)c.refused("SEND\ndestination:/topic/\xFF\n\nx", "bad_utf8");
    CHECK(c.transport().closed_because() == "bad_utf8");
}
