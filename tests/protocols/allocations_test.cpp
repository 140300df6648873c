// What a message costs in allocations, once everything has the size it needs: one for the message, none for a delivery of QoS 0.
#include "protocols/mqtt/engine.hpp"
#include "protocols/stomp/engine.hpp"
#include "support/test_node.hpp"
#include "support/wire.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstdlib>
#include <deque>
#include <new>

using namespace broker;
using namespace broker::test;

namespace {

thread_local bool counting = false;
thread_local std::size_t allocations = 0;

void* allocate(std::size_t size, std::size_t alignment) {
    if (counting) ++allocations;
    auto* const at = alignment <= alignof(std::max_align_t) ? std::malloc(size)
                                                            : std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
    if (at == nullptr) throw std::bad_alloc{};
    return at;
}

} // namespace

void* operator new(std::size_t size) { return allocate(size, 1); }
void* operator new[](std::size_t size) { return allocate(size, 1); }
void* operator new(std::size_t size, std::align_val_t alignment) { return allocate(size, static_cast<std::size_t>(alignment)); }
void* operator new[](std::size_t size, std::align_val_t alignment) { return allocate(size, static_cast<std::size_t>(alignment)); }
void operator delete(void* at) noexcept { std::free(at); }
void operator delete[](void* at) noexcept { std::free(at); }
void operator delete(void* at, std::size_t) noexcept { std::free(at); }
void operator delete[](void* at, std::size_t) noexcept { std::free(at); }
void operator delete(void* at, std::align_val_t) noexcept { std::free(at); }
void operator delete[](void* at, std::align_val_t) noexcept { std::free(at); }
void operator delete(void* at, std::size_t, std::align_val_t) noexcept { std::free(at); }
void operator delete[](void* at, std::size_t, std::align_val_t) noexcept { std::free(at); }

namespace {

constexpr int subscribers = 20;
constexpr int messages = 64; // in one piece

// What the transport does with the outbox, without keeping the bytes.
std::size_t take_away(test_client& of) {
    std::size_t size = 0;
    std::array<byte_view, 64> views;
    auto& out = of.out();
    while (!out.empty()) {
        std::size_t now = 0;
        const auto n = out.gather(views);
        for (std::size_t i = 0; i != n; ++i) now += views[i].size();
        out.consume(now);
        size += now;
    }
    out.end_turn();
    return size;
}

struct fan_out {
    test_node node;
    std::deque<test_client> to;
    test_client from;

    fan_out(test_client::maker make, const std::string& hello, const std::string& wish) : from{node, 0, make} {
        from.receive(hello);
        for (int i = 0; i != subscribers; ++i) {
            auto& one = to.emplace_back(node, 0, make);
            one.receive(hello);
            one.receive(wish);
        }
        for (auto& one : to) (void)take_away(one);
        (void)take_away(from);
    }
    // A turn as a shard's thread runs it. The bytes a subscriber got.
    std::size_t turn(const std::string& bytes) {
        from.get().on_bytes(as_bytes(bytes), node.now());
        std::size_t got = 0;
        for (auto& one : to) {
            got = take_away(one);
            one.get().on_writable(node.now());
        }
        (void)take_away(from);
        node.shard().end_turn(node.now(), [](std::size_t, std::vector<mail>&) {});
        return got;
    }
    // Allocations for each message, seen over many of them.
    double cost(const std::string& message) {
        std::string all;
        for (int i = 0; i != messages; ++i) all += message;
        for (int i = 0; i != 4; ++i) CHECK(turn(all) >= messages * 16); // everything gets the size it needs
        allocations = 0;
        counting = true;
        for (int i = 0; i != 16; ++i) (void)turn(all);
        counting = false;
        return static_cast<double>(allocations) / (16.0 * messages);
    }
};

} // namespace

TEST_CASE("the counter counts") {
    counting = true;
    allocations = 0;
    delete new int{1};
    counting = false;
    CHECK(allocations == 1);
}

TEST_CASE("MQTT, QoS 0: one allocation a message, whoever receives it") {
    for (const auto* const hello : {"10: 'MQTT' 04 02 0000 ''", "10: 'MQTT' 05 02 0000 [] ''"}) {
        CAPTURE(hello);
        const bool v5 = std::string_view{hello}.find("05") != std::string_view::npos;
        fan_out f{mqtt::make_engine, wire(hello), wire(v5 ? "82: 0001 [] 'bench/+/t' 00" : "82: 0001 'bench/+/t' 00")};
        CHECK(f.cost(wire(v5 ? "30: 'bench/a/t' [] 61*100" : "30: 'bench/a/t' 61*100")) <= 1.02);
    }
}

TEST_CASE("STOMP, ack:auto: one allocation a message, whoever receives it") {
    using namespace std::string_literals;
    fan_out f{stomp::make_engine, "CONNECT\naccept-version:1.2\nhost:h\nheart-beat:0,0\n\n\0"s, "SUBSCRIBE\nid:1\ndestination:/topic/bench\n\n\0"s};
    CHECK(f.cost("SEND\ndestination:/topic/bench\n\n" + std::string(100, 'a') + "\0"s) <= 1.02);
}
