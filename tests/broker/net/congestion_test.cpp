// A disk that stands still, under a shard with real sockets: who gives the store more to write is not read, and nobody else
// notices. The disk is the test's: nothing is written until it says so.
#include "net/listener.hpp"
#include "storage/committer.hpp"
#include "storage/memory_store.hpp"

#include "conformance/peer.hpp"
#include "support/wire.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <thread>

using namespace broker;
using broker::test::peer;
using broker::test::transport;
using broker::test::wire;

namespace {

constexpr std::size_t pending_max = 4 * 1024 * 1024;

limits bounds() {
    limits b;
    b.store_pending_bytes_max = pending_max;
    b.session_queue_messages_max = 1'000'000;
    b.session_queue_bytes_max = 1024 * 1024 * 1024;
    return b;
}

class server {
public:
    server() { shard_.start({&shard_}); }
    ~server() {
        shard_.inbox().post(mail{errand{[this] { listener_.stop(); }}});
        shard_.stop();
        shard_.join();
    }
    server(const server&) = delete;
    server& operator=(const server&) = delete;

    [[nodiscard]] std::uint16_t port() const { return at_.port; }
    [[nodiscard]] std::size_t pending() const { return store_.pending_bytes(); }
    // Until so many bytes of answers have come, with the disk at work.
    bool answered_with_disk(peer& who, std::size_t bytes) {
        for (const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{60};
             who.received().size() < bytes && std::chrono::steady_clock::now() < until; who.look()) {
            (void)store_.run_once();
        }
        return who.received().size() >= bytes;
    }

private:
    limits bounds_ = bounds();
    storage::memory_backend rows_;
    storage::committer store_{rows_, storage::durability::sync, {[this](storage::completion&& c) { shard_.inbox().post(mail{std::move(c)}); }}};
    process_clock clock_;
    commons shared_{bounds_, store_, 1, 1, storage::durability::sync, temporary_names::random()};
    alarms alarms_;
    doorkeeper door_{{.most = 1000, .bounded_by = "the test"}, alarms_, [this] { return clock_.now(); }};
    user_quotas quotas_{bounds_};
    connection_environment environment_{.node_name = "test", .door = door_, .quotas = quotas_};
    shard shard_{shard_index{0}, shared_, clock_};
    listener_info info_{.name = "test", .kind = listener_kind::mqtt};
    listener_address at_ = [] {
        listener_address a{.name = "test", .kind = listener_kind::mqtt, .host = "127.0.0.1"};
        probe(a);
        return a;
    }();
    listener listener_{shard_, at_, info_, environment_};
};

std::string hello(std::string_view id, std::string_view flags) {
    return wire("10: 'MQTT' 04 " + std::string{flags} + " 0000 '" + std::string{id} + "'");
}

bool answered(peer& who, std::size_t bytes) {
    while (who.received().size() < bytes && who.read_more()) {}
    return who.received().size() >= bytes;
}

} // namespace

TEST_CASE("connection: a store that is behind stops who writes to it, and nobody else") {
    server s;
    peer away{transport::tcp, s.port(), ""};
    away.send(hello("away", "00"));
    REQUIRE(s.answered_with_disk(away, 4));
    away.send(wire("82: 0001 'stored' 01"));
    REQUIRE(s.answered_with_disk(away, 4 + 5));
    peer reader{transport::tcp, s.port(), ""};
    reader.send(hello("reader", "02") + wire("82: 0001 'passing' 00"));
    REQUIRE(answered(reader, 4 + 5));
    reader.forget_received();
    peer passing{transport::tcp, s.port(), ""};
    passing.send(hello("passing", "02"));
    REQUIRE(answered(passing, 4));
    passing.forget_received();

    constexpr std::size_t messages = 16'000;
    peer writer{transport::tcp, s.port(), ""};
    writer.send(hello("writer", "02"));
    REQUIRE(answered(writer, 4));
    writer.forget_received();
    std::thread flood{[&] {
        const auto one = wire("32: 'stored' 0001 61*1000");
        std::string all;
        for (std::size_t i = 0; i != messages; ++i) all += one;
        writer.send(all); // more than fits into the sockets' buffers: it waits for the reader
    }};
    for (const auto until = std::chrono::steady_clock::now() + peer::patience; s.pending() <= pending_max;) {
        REQUIRE(std::chrono::steady_clock::now() < until);
        std::this_thread::yield();
    }
    // The disk stands still. Each round is a turn or more in which the writer could have been read.
    for (int round = 0; round != 200; ++round) {
        const auto message = wire("30: 'passing' 62*10");
        passing.send(message + wire("c0 00"));
        REQUIRE(answered(passing, 2));
        REQUIRE(answered(reader, message.size()));
        passing.forget_received();
        reader.forget_received();
    }
    CHECK(s.pending() < 2 * pending_max);
    CHECK(writer.received().empty());

    CHECK(s.answered_with_disk(writer, messages * 4));
    flood.join();
}
