// Limits that belong to sockets, against a running brokerd: the rows of docs/limits.md that no engine sees.
#include "conformance/brokerd_process.hpp"
#include "conformance/peer.hpp"

#include "support/wire.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <vector>

using namespace broker::test;

namespace {

std::string hello(std::string_view id, std::string_view flags = "02", std::string_view more = "") {
    return wire("10: 'MQTT' 04 " + std::string{flags} + " 0000 '" + std::string{id} + "' " + std::string{more});
}

// Waits until `bytes` of answers have come.
bool answered(peer& who, std::size_t bytes) {
    while (who.received().size() < bytes && who.read_more()) {}
    return who.received().size() >= bytes;
}

std::unique_ptr<peer> connected(brokerd_process& server, std::string_view connect) {
    auto made = std::make_unique<peer>(transport::tcp, server.port("mqtt"), "");
    made->send(connect);
    REQUIRE(answered(*made, 4));
    made->forget_received();
    return made;
}

// The server may have to notice first that somebody has gone.
std::unique_ptr<peer> admitted(brokerd_process& server, std::string_view connect) {
    for (const auto until = std::chrono::steady_clock::now() + peer::patience; std::chrono::steady_clock::now() < until;) {
        auto made = std::make_unique<peer>(transport::tcp, server.port("mqtt"), "");
        try {
            made->send(connect);
        } catch (const std::runtime_error&) {
            continue; // closed already
        }
        if (!answered(*made, 4)) continue;
        made->forget_received();
        return made;
    }
    FAIL("nobody is admitted any more");
    return nullptr;
}

bool ends(peer& who) {
    while (who.read_more()) {}
    return who.ended();
}

// The will of a client that goes is 9 bytes.
void watch_wills(peer& watcher) {
    watcher.send(wire("82: 0001 'gone' 00"));
    REQUIRE(answered(watcher, 5));
    watcher.forget_received();
}

std::string many(std::string_view packet, int count) {
    const auto one = wire(packet);
    std::string all;
    for (int i = 0; i != count; ++i) all += one;
    return all;
}

} // namespace

TEST_CASE("limits.max_connections: one more is closed at once, and there is room again when one goes") {
    brokerd_process server{{"mqtt"}, {"BROKERD__LIMITS__MAX_CONNECTIONS=2"}};
    auto a = admitted(server, hello("a"));
    const auto b = admitted(server, hello("b"));
    peer c{transport::tcp, server.port("mqtt"), ""};
    CHECK(ends(c));
    CHECK(c.received().empty());
    b->send(wire("c0 00"));
    CHECK(answered(*b, 2));
    a.reset();
    (void)admitted(server, hello("d"));
}

TEST_CASE("limits.max_message: a larger WebSocket message closes with 1009") {
    brokerd_process server{{"ws"}, {"BROKERD__LIMITS__MAX_MESSAGE=4KiB"}};
    peer client{transport::websocket, server.port("ws"), "mqtt"};
    client.send(hello("a"));
    REQUIRE(answered(client, 4));
    client.send(std::string(5000, '\xC0'));
    CHECK(ends(client));
    CHECK(client.close_code() == 1009);
}

TEST_CASE("limits.handshake_timeout, ws.idle_timeout: who says nothing is closed") {
    brokerd_process server{{"ws", "mqtt"}, {"BROKERD__LIMITS__HANDSHAKE_TIMEOUT=1s", "BROKERD__WS__IDLE_TIMEOUT=2s"}};
    const auto watcher = connected(server, hello("w"));
    watch_wills(*watcher);
    peer silent{transport::websocket, server.port("ws"), "mqtt"};
    silent.send(hello("a", "06", "'gone' 'x'"));
    peer mute{transport::tcp, server.port("ws"), ""};
    CHECK(ends(mute));
    CHECK(answered(*watcher, 9)); // it did not look at the ping
}

TEST_CASE("limits.slow_consumer_timeout, limits.outbox: who takes nothing is closed, and costs the others nothing") {
    brokerd_process server{{"mqtt"}, {"BROKERD__LIMITS__SLOW_CONSUMER_TIMEOUT=1s", "BROKERD__LIMITS__OUTBOX=1MiB"}};
    const auto watcher = connected(server, hello("w"));
    watch_wills(*watcher);
    auto slow = connected(server, hello("s", "06", "'gone' 'x'"));
    slow->send(wire("82: 0001 't' 00"));
    REQUIRE(answered(*slow, 5));
    auto publisher = connected(server, hello("p"));
    const auto most_of_an_outbox = many("30: 't' 61*50000", 16) + wire("c0 00");
    for (std::size_t i = 1; i != 40; ++i) { // more than its socket takes
        publisher->send(most_of_an_outbox);
        REQUIRE(answered(*publisher, 2 * i));
    }
    CHECK(answered(*watcher, 9)); // the will
}

TEST_CASE("limits.store_pending: a publisher waits for the disk and loses nothing") {
    brokerd_process server{{"mqtt"}, {"BROKERD__LIMITS__STORE_PENDING=1B"}};
    auto away = connected(server, hello("s", "00"));
    away->send(wire("82: 0001 't' 01"));
    REQUIRE(answered(*away, 5));
    away.reset();
    auto publisher = connected(server, hello("p"));
    publisher->send(many("32: 't' 0001 61*1000", 300));
    CHECK(answered(*publisher, 300 * 4));
}

TEST_CASE("limits.mailbox_items: a publisher waits for other threads, and nothing is lost") {
    brokerd_process server{{"mqtt"}, {"BROKERD__LIMITS__MAILBOX_ITEMS=1", "BROKERD__NODE__THREADS=3"}};
    std::vector<std::unique_ptr<peer>> receivers;
    for (const auto* const id : {"a", "b", "c", "d", "e", "f"}) {
        auto& r = receivers.emplace_back(connected(server, hello(id)));
        r->send(wire("82: 0001 't' 00"));
        REQUIRE(answered(*r, 5));
        r->forget_received();
    }
    auto publisher = connected(server, hello("p"));
    for (int i = 0; i != 10; ++i) publisher->send(many("30: 't' 61*10", 100));
    const auto one = wire("30: 't' 61*10").size();
    for (const auto& r : receivers) CHECK(answered(*r, 1000 * one));
}
