// What a turn does to a connection's output: 32 packets appended, each in a WebSocket frame, gathered, and consumed.
#include "core/outbox.hpp"
#include "protocols/websocket/encode.hpp"

#include <benchmark/benchmark.h>

#include <array>
#include <cstdlib>
#include <string>

namespace {

using namespace broker;

constexpr int packets = 32;

void write_out(outbox& out) {
    std::array<byte_view, 64> views;
    while (!out.empty()) {
        const auto n = out.gather(views);
        std::size_t size = 0;
        for (std::size_t i = 0; i != n; ++i) size += views[i].size();
        if (size == 0) std::abort();
        out.consume(size);
    }
    out.end_turn();
}

void outbox_turn(benchmark::State& state) {
    const std::string packet(static_cast<std::size_t>(state.range(0)), '.');
    block_pool pool;
    outbox out{pool, 1U << 30};
    out.frame_with(websocket::frame_header);
    for (auto _ : state) {
        for (int i = 0; i != packets; ++i) out.append(as_bytes(packet));
        write_out(out);
    }
}
BENCHMARK(outbox_turn)->Arg(140)->Arg(1'100);

// Payloads that are referenced where they are.
void outbox_turn_of_large_payloads(benchmark::State& state) {
    const std::string payload(64 * 1024, '.');
    const std::string head(20, 'h');
    const auto m = make_message({.topic = "t", .payload = as_bytes(payload)});
    block_pool pool;
    outbox out{pool, 1U << 30};
    out.frame_with(websocket::frame_header);
    for (auto _ : state) {
        for (int i = 0; i != packets; ++i) out.append(as_bytes(head), m, {});
        write_out(out);
    }
}
BENCHMARK(outbox_turn_of_large_payloads);

void websocket_frame_header(benchmark::State& state) {
    std::array<std::uint8_t, 16> to{};
    const auto size = static_cast<std::size_t>(state.range(0));
    for (auto _ : state) {
        benchmark::DoNotOptimize(websocket::frame_header(to.data(), frame_kind::binary, size));
        benchmark::ClobberMemory();
    }
}
BENCHMARK(websocket_frame_header)->Arg(100)->Arg(1'000);

} // namespace
