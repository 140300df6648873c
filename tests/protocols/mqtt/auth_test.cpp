// Enhanced authentication (MQTT 5 §3.15, §4.12), against a method that asks one question.
#include "protocols/mqtt/client.hpp"

using namespace broker;
using namespace broker::test;
using mqtt::authentication;
using mqtt::reason_code;

namespace {

// Method "riddle": asks "?" when no answer came with the request, and "?!" once more for "again"; the answer is "42".
struct riddle final : authentication {
    step next(std::optional<byte_view> data) override {
        if (!data) return {.what = verdict::go_on, .data = "?"};
        const auto text = as_text(*data);
        if (text == "again") return {.what = verdict::go_on, .data = "?!"};
        if (text == "silence") return {.what = verdict::go_on};
        if (text == "42") return {.what = verdict::accepted, .data = "!", .user = "deep"};
        if (text == "who?") return {.what = verdict::refused, .reason = reason_code::bad_user_name_or_password};
        return {.what = verdict::refused, .reason = reason_code::not_authorized, .reason_string = "wrong"};
    }
};

struct riddles final : mqtt::authenticator {
    bool open = true;
    std::unique_ptr<authentication> begin(std::string_view method, const client_info& who) override {
        CHECK(who.client_id == "c");
        if (method != "riddle" || !open) return nullptr;
        return std::make_unique<riddle>();
    }
};

struct bench {
    riddles methods;
    test_node node{2};
    bench() { node.authenticate = &methods; }
};

const auto hello = v5("c", "15 'riddle'");
const auto limits_told = std::string{"21 0400 27 00400000 22 0040"};

} // namespace

TEST_CASE("MQTT-4.12.0-1: without an authenticator, or with another method, 0x8C") {
    test_node node;
    client a{node};
    CHECK_LIKE(a.exchange(hello), "20 .. 00 8c *");
    CHECK(a.closed());
    bench b;
    client c{b.node};
    CHECK_LIKE(c.exchange(v5("c", "15 'other'")), "20 .. 00 8c *");
    CHECK(c.closed());
}

TEST_CASE("MQTT-4.12.0-2, MQTT-4.12.0-3, MQTT-4.12.0-5, MQTT-3.15.2-2, MQTT-3.15.2-3: challenge, response, CONNACK with method and data") {
    bench b;
    client c{b.node};
    CHECK(c.exchange(hello) == bytes("f0: 18 [15 'riddle' 16 '?']"));
    CHECK(c.exchange("f0: 18 [15 'riddle' 16 'again']") == bytes("f0: 18 [15 'riddle' 16 '?!']"));
    CHECK(c.exchange("f0: 18 [15 'riddle' 16 'silence']") == bytes("f0: 18 [15 'riddle']"));
    CHECK(c.exchange("f0: 18 [15 'riddle' 16 '42']") == bytes("20: 00 00 [" + limits_told + " 15 'riddle' 16 '!']"));
    CHECK(c.get().info().user == "deep");
    CHECK(c.exchange("82: 0001 [] 't' 00; 30: 't' [] 31") == bytes("90: 0001 [] 00; 30: 't' [] 31"));
    client at_once{b.node};
    CHECK(at_once.exchange(v5("c", "15 'riddle' 16 '42'")) == bytes("20: 00 00 [" + limits_told + " 15 'riddle' 16 '!']"));
}

TEST_CASE("the CONNECT that waited keeps all it said: will, session, properties; the session may come from another shard") {
    bench b;
    client watcher{b.node, v311("w")};
    watcher.exchange("82: 0001 'will' 00");
    {
        client owner{b.node, 1};
        owner.exchange(v5("c", "15 'riddle' 16 '42' 11 00000064", "00"));
        owner.exchange("82: 0001 [] 't' 01");
    }
    client c{b.node};
    CHECK_LIKE(c.exchange("10: 'MQTT' 05 04 003c [15 'riddle' 11 00000064] 'c' [] 'will' 'm'"), "f0 .. 18 *");
    CHECK_LIKE(c.exchange("f0: 18 [15 'riddle' 16 '42']"), "20 .. 01 00 *");
    c.disconnect();
    CHECK(watcher.said() == bytes("30: 'will' \"m\""));
}

TEST_CASE("MQTT-4.12.0-4: refused in CONNACK, with the reason; nothing of the session was touched") {
    bench b;
    client c{b.node};
    c.exchange(hello);
    CHECK(c.exchange("f0: 18 [15 'riddle' 16 'no']") == bytes("20: 00 87 [1f 'wrong']"));
    CHECK(c.closed());
    client d{b.node};
    CHECK(d.exchange(v5("c", "15 'riddle' 16 'who?'")) == bytes("20: 00 86 []"));
    CHECK(d.closed_because() == "token_invalid");
    CHECK(b.node.shard().sessions().size() == 0);
}

TEST_CASE("MQTT-3.1.2-30, MQTT-3.14.0-1: before CONNACK only AUTH and DISCONNECT; a violation is answered in CONNACK") {
    bench b;
    for (const auto* early : {"30: 't' [] 31", "c0 00", "82: 0001 [] 't' 00", "f0: 18 [15 'other' 16 '42']", "f0: 19 [15 'riddle']",
                              "f0 00", "f0: 00 [15 'riddle']"}) {
        CAPTURE(early);
        client c{b.node};
        c.exchange(hello);
        CHECK_LIKE(c.exchange(early), "20 .. 00 82 *");
        CHECK(c.closed());
    }
    client malformed{b.node};
    malformed.exchange(hello);
    CHECK_LIKE(malformed.exchange("f0: 18 [15 0009 61]"), "20 .. 00 81 *");
    client leaves{b.node};
    leaves.exchange(hello);
    CHECK(leaves.exchange("e0 00").empty());
    CHECK(leaves.closed_because() == "normal");
    client slow{b.node};
    slow.exchange(hello);
    b.node.advance(b.node.bounds().connect_timeout);
    CHECK(slow.closed());
}

TEST_CASE("MQTT-4.12.1-1, MQTT-4.12.1-2: re-authentication beside the traffic") {
    bench b;
    client c{b.node, v5("c", "15 'riddle' 16 '42'")};
    CHECK(c.exchange("f0: 19 [15 'riddle']") == bytes("f0: 18 [15 'riddle' 16 '?']"));
    CHECK(c.exchange("c0 00") == bytes("d0 00")); // goes on
    CHECK(c.exchange("f0: 18 [15 'riddle' 16 '42']") == bytes("f0: 00 [15 'riddle' 16 '!']"));
    CHECK(c.exchange("f0: 19 [15 'riddle' 16 '42']") == bytes("f0: 00 [15 'riddle' 16 '!']"));
    CHECK(c.exchange("f0: 19 [15 'riddle' 16 'no']") == bytes("e0: 87 [1f 'wrong']"));
    CHECK(c.closed());
    for (const auto* wrong : {"f0: 18 [15 'riddle' 16 '42']",                       // nothing was asked
                              "f0: 19 [15 'other' 16 '42']",                        // another method
                              "f0: 19 [15 'riddle']; f0: 19 [15 'riddle']"}) {      // twice
        CAPTURE(wrong);
        client d{b.node, v5("c", "15 'riddle' 16 '42'")};
        CHECK_LIKE(d.exchange(wrong), "*e0 .. 82 *");
        CHECK(d.closed());
    }
    client e{b.node, v5("c", "15 'riddle' 16 '42'")};
    CHECK(e.exchange("f0: 19 [15 'riddle' 16 'who?']") == bytes("e0: 87")); // DISCONNECT has no 0x86
    b.methods.open = false;
    client f{b.node};
    CHECK_LIKE(f.exchange(hello), "20 .. 00 8c *");
}

TEST_CASE("MQTT-4.12.0-6, MQTT-4.12.0-7: no method in CONNECT, no AUTH in either direction") {
    bench b;
    client c{b.node};
    CHECK(c.exchange(v5("c")) == bytes("20: 00 00 [" + limits_told + "]"));
    CHECK_LIKE(c.exchange("f0: 19 [15 'riddle' 16 '42']"), "e0 .. 82 *");
    CHECK(c.closed());
    client old{b.node, v311("old")};
    CHECK(old.exchange("f0 00").empty());
    CHECK(old.closed());
}
