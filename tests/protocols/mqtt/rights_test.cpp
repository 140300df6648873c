// What a client may do (docs/rights.md), as far as MQTT says it.
#include "protocols/mqtt/client.hpp"
#include "support/doorman.hpp"

using namespace broker;
using namespace broker::test;

namespace {

// A connection that `by` lets in; nobody watches over those made later.
struct admitted : client {
    admitted(test_node& node, doorman& by, std::string_view connect, std::size_t shard = 0) : client{with(node, by), connect, shard} {
        node.admit = nullptr;
    }

private:
    static test_node& with(test_node& node, doorman& by) {
        node.admit = &by;
        return node;
    }
};

} // namespace

TEST_CASE("rights: a publication that is not allowed is answered 0x87, in version 3 acknowledged, and reaches nobody") {
    test_node node;
    client reader{node, v5("r")};
    CHECK(reader.exchange("82: 0001 [] '#' 00") == bytes("90: 0001 [] 00"));
    doorman five{"anna", {"allow publish a/%u", "deny publish a/secret", "allow publish,retain kept"}};
    node.admit = &five;
    client a{node, v5("a")};
    CHECK_LIKE(a.exchange("32: 'a/secret' 0001 [] 68"), "40 .. 0001 87 *");
    CHECK_LIKE(a.exchange("34: 'b' 0002 [] 68"), "50 .. 0002 87 *");
    CHECK(a.exchange("30: 'b' [] 68").empty());
    CHECK(reader.said().empty());
    CHECK(a.exchange("32: 'a/anna' 0003 [] 68") == bytes("40: 0003"));
    CHECK(reader.said() == bytes("30: 'a/anna' [] 68"));
    // Retaining is a right of its own.
    CHECK_LIKE(a.exchange("33: 'a/anna' 0004 [] 68"), "40 .. 0004 87 *");
    CHECK(a.exchange("33: 'kept' 0005 [] 68") == bytes("40: 0005"));
    CHECK(reader.said() == bytes("30: 'kept' [] 68"));
    CHECK(five.denied == std::vector<std::string>{"publish a/secret by deny publish a/secret", "publish b", "publish b", "retain a/anna"});

    doorman old{"anna", {"allow publish a"}};
    node.admit = &old;
    client b{node, v311("b")};
    CHECK(b.exchange("32: 'b' 0001 68; 34: 'b' 0002 68; 30: 'b' 68") == bytes("40: 0001; 50: 0002"));
    CHECK(reader.said().empty());
    CHECK_FALSE(b.closed());
}

TEST_CASE("rights: a subscription is granted as far as they go") {
    test_node node;
    doorman by{"anna", {"allow subscribe a/+", "allow subscribe $share/g/s/#", "allow publish #", "allow retain #"}};
    node.admit = &by;
    client reader{node, v5("r", "", "02")};
    CHECK(reader.exchange("82: 0001 [] 'b/c' 01 'a/#' 01 '$share/g/#' 01 '$share/g/s/x' 00") == bytes("90: 0001 [] 87 01 87 00"));
    client old{node, v311("o")};
    CHECK(old.exchange("82: 0001 'b/c' 01") == bytes("90: 0001 80"));
    node.admit = nullptr;
    client writer{node, v5("w")};
    CHECK(writer.exchange("32: 'a/1' 0001 [] 68") == bytes("40: 0001"));
    CHECK(reader.said() == bytes("32: 'a/1' 0001 [] 68"));
    // 'a/#' covers these, the rule does not: held back, and nothing waits for an answer that will not come.
    CHECK(writer.exchange("32: 'a/1/2' 0002 [] 68; 30: 'a' [] 68; 34: 'a/x/y' 0003 [] 68") == bytes("40: 0002; 50: 0003"));
    CHECK(reader.said().empty());
    CHECK(writer.exchange("32: 'a/2' 0004 [] 68") == bytes("40: 0004"));
    CHECK(reader.said() == bytes("32: 'a/2' 0004 [] 68"));
    CHECK(reader.get().info().inflight == 2);
}

TEST_CASE("rights: what is retained and not allowed is not sent with a subscription that is allowed in part") {
    test_node node;
    client writer{node, v5("w")};
    CHECK_LIKE(writer.exchange("33: 'a/1' 0001 [] 68; 33: 'a/1/2' 0002 [] 68"), "40 .. 0001 *");
    doorman by{"anna", {"allow subscribe a/+"}};
    admitted reader{node, by, v5("r")};
    CHECK(reader.exchange("82: 0001 [] 'a/#' 01") == bytes("90: 0001 [] 01; 33: 'a/1' 0001 [] 68"));
}

TEST_CASE("rights: with auth.partial_subscriptions refuse, part is nothing") {
    limits bounds;
    bounds.partial_subscriptions = "refuse";
    test_node node{1, bounds};
    doorman by{"anna", {"allow subscribe a/+"}};
    admitted reader{node, by, v5("r")};
    CHECK(reader.exchange("82: 0001 [] 'a/#' 01 'a/+' 00") == bytes("90: 0001 [] 87 00"));
}

TEST_CASE("rights: a will that would not be published is refused with CONNECT; later rules are asked when it is due") {
    test_node node;
    client watcher{node, v5("watcher")};
    CHECK(watcher.exchange("82: 0001 [] 'gone/#' 00") == bytes("90: 0001 [] 00"));
    doorman by{"anna", {"allow publish gone/%u"}};
    node.admit = &by;
    client refused{node};
    CHECK_LIKE(refused.exchange("10: 'MQTT' 05 06 003c [] 'x' [] 'gone/x' 0001 77"), "20 .. 00 87 *");
    client old{node};
    CHECK(old.exchange("10: 'MQTT' 04 06 003c 'x' 'gone/x' 0001 77") == bytes("20: 00 05"));
    client kept{node};
    CHECK_LIKE(kept.exchange("10: 'MQTT' 05 26 003c [] 'x' [] 'gone/anna' 0001 77"), "20 .. 00 87 *"); // retain
    client a{node, "10: 'MQTT' 05 06 003c [] 'x' [] 'gone/anna' 0001 77"};
    a.disconnect();
    CHECK(watcher.said() == bytes("30: 'gone/anna' [] 77"));
    client b{node, "10: 'MQTT' 05 06 003c [] 'y' [] 'gone/anna' 0001 77"};
    by.rules({"deny publish gone/#"});
    b.get().on_rights(by.entry(), node.now());
    b.disconnect();
    CHECK(watcher.said().empty());
}

TEST_CASE("admission: who it is may take a while; what came meanwhile follows") {
    test_node node;
    doorman by{"anna"};
    by.slow = true;
    node.admit = &by;
    client a{node};
    CHECK(a.exchange("10: 'MQTT' 05 c2 003c [] 'a' 'anna' 'secret'; 82: 0001 [] 't' 00").empty());
    CHECK(by.asked == "a anna secret");
    CHECK(a.get().paused());
    CHECK(a.exchange("c0 00").empty());
    by.speak(node.now());
    node.settle();
    CHECK_LIKE(a.said(), "20 .. 00 00 *");
    CHECK(a.exchange("c0 00") == bytes("d0 00"));
    CHECK(a.get().info().user == "anna");
    CHECK(a.get().info().subscriptions == 1);

    client b{node};
    CHECK(b.exchange(v5("b")).empty());
    by.refusal = close_reason{.cause = close_cause::not_authenticated};
    by.speak(node.now());
    node.settle();
    CHECK(b.said() == bytes("20: 00 86 []"));
    CHECK(b.closed());

    client c{node};
    CHECK(c.exchange(v5("c")).empty());
    node.advance(node.bounds().connect_timeout + seconds{1});
    CHECK_LIKE(c.said(), "20 .. 00 97 *");
    CHECK(c.closed());
}

TEST_CASE("sessions belong to users: nobody else takes one over, with clean start or from another shard") {
    test_node node{2};
    doorman anna{"anna"};
    doorman eve{"eve"};
    doorman nobody{""};
    admitted a{node, anna, v5("c", "11 00000064", "00")};
    CHECK(a.exchange("82: 0001 [] 't' 01") == bytes("90: 0001 [] 01"));
    for (const std::size_t shard : {0U, 1U}) {
        for (auto* const other : {&eve, &nobody}) {
            for (const auto* const flags : {"00", "02"}) {
                node.admit = other;
                client b{node, shard};
                CHECK_LIKE(b.exchange(v5("c", "", flags)), "20 .. 00 87 *");
                CHECK(b.closed());
                client old{node, shard};
                CHECK(old.exchange(v311("c", flags)) == bytes("20: 00 05"));
            }
        }
    }
    CHECK_FALSE(a.closed());
    a.disconnect();
    node.crash_and_recover();
    node.admit = &eve;
    client again{node};
    CHECK_LIKE(again.exchange(v5("c", "", "02")), "20 .. 00 87 *");
    node.admit = &anna;
    client back{node, 1};
    CHECK_LIKE(back.exchange(v5("c", "11 00000064", "00")), "20 .. 01 00 *");
}

TEST_CASE("sessions that belonged to nobody are the first user's who comes back for them") {
    test_node node;
    client{node, v5("c", "11 00000064", "00")}.exchange("82: 0001 [] 't' 01");
    doorman anna{"anna"};
    doorman eve{"eve"};
    node.admit = &anna;
    client a{node};
    CHECK_LIKE(a.exchange(v5("c", "11 00000064", "00")), "20 .. 01 00 *");
    node.admit = &eve;
    client b{node};
    CHECK_LIKE(b.exchange(v5("c", "", "00")), "20 .. 00 87 *");
}

TEST_CASE("rights: when a token ends, so does the connection; a new one puts it off") {
    test_node node;
    doorman by{"anna"};
    by.until = node.now() + seconds{10};
    admitted a{node, by, v5("a", "11 00000064", "00")};
    admitted old{node, by, v311("b")};
    node.advance(seconds{5});
    by.until = node.now() + seconds{10};
    a.get().on_rights(by.entry(), node.now());
    node.advance(seconds{6});
    CHECK_FALSE(a.closed());
    CHECK(old.closed_because() == "token_expired");
    node.advance(seconds{6});
    CHECK_LIKE(a.said(), "e0 .. 87 *");
    CHECK(a.closed_because() == "token_expired");
}

TEST_CASE("rights: subscriptions that new rules do not allow end, at once and when the session comes back") {
    test_node node;
    doorman by{"anna", {"allow subscribe #"}};
    admitted a{node, by, v5("a", "11 00000064", "00")};
    CHECK(a.exchange("82: 0001 [] 't' 00 'u' 00 'v/#' 00") == bytes("90: 0001 [] 00 00 00"));
    by.rules({"allow subscribe t", "allow subscribe v/1", "allow subscribe u"});
    a.get().on_rights(by.entry(), node.now());
    node.settle();
    client writer{node, v5("w")};
    CHECK(writer.exchange("30: 't' [] 31; 30: 'u' [] 32; 30: 'v/1' [] 33; 30: 'v/2' [] 34").empty());
    CHECK(a.said() == bytes("30: 't' [] 31; 30: 'u' [] 32; 30: 'v/1' [] 33"));
    a.disconnect();
    by.rules({"allow subscribe t"});
    admitted back{node, by, v5("a", "11 00000064", "00")};
    CHECK(back.get().info().subscriptions == 1);
}

TEST_CASE("MQTT-4.12.1-1, MQTT-4.12.1-2: a new token on a live connection, by the authentication method token") {
    test_node node;
    doorman by{"anna", {"allow subscribe t"}};
    by.until = node.now() + seconds{10};
    node.admit = &by;
    client a{node};
    CHECK(a.exchange(v5("a", "15 'token' 16 'abc'")) == bytes("20: 00 00 [21 0400 27 00400000 22 0040 15 'token']"));
    CHECK(by.asked == "a  token abc");
    by.until = node.now() + seconds{20};
    by.rules({"allow subscribe u"});
    CHECK(a.exchange("82: 0001 [] 'u' 00") == bytes("90: 0001 [] 87"));
    CHECK(a.exchange("f0: 19 [15 'token' 16 'def']") == bytes("f0: 00 [15 'token']"));
    CHECK(by.asked == "def");
    CHECK(a.exchange("82: 0002 [] 'u' 00") == bytes("90: 0002 [] 00"));
    node.advance(seconds{15});
    CHECK_FALSE(a.closed());
    by.refusal = close_reason{.cause = close_cause::not_authenticated};
    CHECK_LIKE(a.exchange("f0: 19 [15 'token' 16 'ghi']"), "e0 .. 87 *");
    CHECK(a.closed_because() == "token_invalid");

    by.refusal.reset();
    client b{node, v5("b", "15 'token' 16 'abc'")};
    CHECK_LIKE(b.exchange("f0: 18 [15 'token']"), "e0 .. 82 *"); // nothing was asked
    client c{node, v5("c", "15 'token' 16 'abc'")};
    CHECK_LIKE(c.exchange("f0: 19 [15 'other' 16 'x']"), "e0 .. 82 *");
}
