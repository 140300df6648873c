// Bytes to packets and back: MQTT, STOMP, WebSocket.
#include "protocols/mqtt/decode.hpp"
#include "protocols/mqtt/encode.hpp"
#include "protocols/stomp/parser.hpp"
#include "protocols/websocket/decode.hpp"

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <array>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

using namespace broker;
using namespace std::string_literals;

// PUBLISH, QoS 1, version 5, with a content type and a user property.
std::string publish_packet(std::size_t payload) {
    const auto properties = "\x03\x00\x0Atext/plain\x26\x00\x03key\x00\x05value"s;
    auto body = "\x00\x0Bsite/device\x00\x07"s;
    body += static_cast<char>(properties.size());
    body += properties;
    body.append(payload, '.');
    std::string packet(1, '\x32');
    auto size = body.size();
    do {
        packet += static_cast<char>((size & 0x7F) | (size > 0x7F ? 0x80U : 0U));
        size >>= 7;
    } while (size != 0);
    return packet + body;
}

void mqtt_decode_publish(benchmark::State& state) {
    const auto packet = publish_packet(128);
    const auto bytes = as_bytes(packet);
    for (auto _ : state) {
        const auto header = mqtt::decode_fixed_header(bytes, mqtt::protocol_level::v5);
        const auto p = mqtt::decode_publish(byte_reader{bytes.subspan((*header)->header_size)}, (*header)->flags, mqtt::protocol_level::v5);
        if (!p || p->payload.size() != 128) std::abort();
        benchmark::DoNotOptimize(p);
    }
}
BENCHMARK(mqtt_decode_publish);

void mqtt_decode_subscribe(benchmark::State& state) {
    auto body = "\x00\x07\x00"s; // ten filters
    for (int i = 0; i != 10; ++i) body += "\x00\x0E"s + fmt::format("site/+/device{}", i) + "\x01";
    for (auto _ : state) {
        const auto p = mqtt::decode_subscribe(byte_reader{as_bytes(body)}, mqtt::protocol_level::v5);
        if (!p) std::abort();
        benchmark::DoNotOptimize(p);
    }
}
BENCHMARK(mqtt_decode_subscribe);

// One delivery into an outbox that is emptied now and then.
void mqtt_append_publish(benchmark::State& state) {
    const std::string payload(static_cast<std::size_t>(state.range(0)), '.');
    const auto m = make_message({.topic = "site/device", .payload = as_bytes(payload), .level = qos::at_least_once});
    const delivery d{.message = m, .level = qos::at_least_once, .handle = 7};
    block_pool pool;
    outbox out{pool, 1U << 30};
    for (auto _ : state) {
        if (mqtt::append_publish(out, d, {.level = mqtt::protocol_level::v5}, time_point{}) == 0) std::abort();
        if (out.bytes() > 64 * 1024) out.clear();
    }
}
BENCHMARK(mqtt_append_publish)->Arg(128)->Arg(16 * 1024);

// 32 SENDs in one piece: the time of all.
void stomp_parse_send(benchmark::State& state) {
    std::string bytes;
    for (int i = 0; i != 32; ++i) {
        bytes += "SEND\ndestination:/topic/site/device\ncontent-type:text/plain\ncontent-length:128\nkey:va\\clue\n\n"s + std::string(128, '.') + '\0';
    }
    const limits bounds;
    stomp::parser p{bounds};
    p.set_version(stomp::version::v1_2);
    p.set_connected();
    std::size_t frames = 0;
    const std::function<bool(const stomp::frame&)> handle = [&](const stomp::frame&) {
        ++frames;
        return true;
    };
    for (auto _ : state) {
        if (p.feed(as_bytes(bytes), handle) != bytes.size()) std::abort();
    }
    if (p.error() || frames != 32 * static_cast<std::size_t>(state.iterations())) std::abort();
}
BENCHMARK(stomp_parse_send);

struct swallow final : websocket::frame_handler {
    std::size_t bytes = 0;
    void on_data(byte_view piece, websocket::message_kind, bool, bool) override { bytes += piece.size(); }
    void on_ping(byte_view) override {}
    void on_pong(byte_view) override {}
    void on_close(std::uint16_t, std::string_view) override {}
};

// A client's masked binary frames in one piece of 64 KiB: the time of all. Unmasking where it lies changes the bytes, but not what
// they cost.
void websocket_decode(benchmark::State& state) {
    const auto payload = static_cast<std::size_t>(state.range(0));
    std::string bytes;
    std::size_t carried = 0;
    while (bytes.size() < 64 * 1024) {
        bytes += '\x82';
        if (payload < 126) bytes += static_cast<char>(0x80U | payload);
        else bytes += "\xFE"s + static_cast<char>(payload >> 8) + static_cast<char>(payload & 0xFF);
        bytes += "\x12\x34\x56\x78";
        bytes.append(payload, '.');
        carried += payload;
    }
    std::vector<std::uint8_t> input;
    websocket::decoder d{1U << 30};
    swallow to;
    for (auto _ : state) {
        input.assign(bytes.begin(), bytes.end());
        d.feed(input, to);
    }
    if (d.error() || to.bytes != carried * static_cast<std::size_t>(state.iterations())) std::abort();
}
BENCHMARK(websocket_decode)->Arg(100)->Arg(1'000)->Arg(16'000);

} // namespace
