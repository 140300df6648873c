// A publication of 128 bytes from bytes to bytes: decoded, matched, delivered to every subscriber's outbox. No sockets.
#include "protocols/mqtt/engine.hpp"
#include "protocols/websocket/encode.hpp"
#include "support/test_node.hpp"

#include <benchmark/benchmark.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

namespace {

using namespace broker;
using namespace std::string_literals;

constexpr std::size_t burst = 32; // publications that come in one piece

std::string connect_packet(std::size_t n) {
    const auto id = "client-" + std::to_string(1'000'000 + n);
    return "\x10"s + static_cast<char>(12 + id.size()) + "\x00\x04MQTT\x04\x02\x00\x00\x00"s + static_cast<char>(id.size()) + id;
}

void fanout(benchmark::State& state) {
    limits bounds;
    test::test_node node{1, bounds};
    const auto count = static_cast<std::size_t>(state.range(0));
    std::vector<std::unique_ptr<test::test_client>> subscribers;
    for (std::size_t i = 0; i != count; ++i) {
        auto& s = *subscribers.emplace_back(std::make_unique<test::test_client>(node, 0, mqtt::make_engine));
        s.receive(connect_packet(i));
        s.receive("\x82\x08\x00\x01\x00\x03" "fan\x00"s);
        (void)s.sent();
        (void)s.out().take_packets();
        s.out().frame_with(websocket::frame_header);
    }
    test::test_client publisher{node, 0, mqtt::make_engine};
    publisher.receive(connect_packet(count));
    (void)publisher.sent();
    std::string bytes;
    for (std::size_t i = 0; i != burst; ++i) bytes += "\x30\x85\x01\x00\x03" "fan"s + std::string(128, '.');
    std::size_t delivered = 0;
    for (auto _ : state) {
        publisher.get().on_bytes(as_bytes(bytes), node.now());
        for (auto& s : subscribers) {
            delivered += s->out().take_packets();
            s->out().clear();
            s->out().end_turn();
        }
    }
    if (delivered != burst * count * static_cast<std::size_t>(state.iterations())) std::abort();
    state.SetItemsProcessed(static_cast<std::int64_t>(delivered));
}
BENCHMARK(fanout)->Arg(1)->Arg(100);

} // namespace
