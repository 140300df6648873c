// A connection does whatever the input says, beside a well-behaved subscriber to everything with a persistent session.
// What either of them is sent are whole packets that a server may send.
#include "core/assert.hpp"
#include "protocols/mqtt/engine.hpp"
#include "support/test_node.hpp"

#include <algorithm>

using namespace broker;

namespace {

void check_output(std::string_view bytes) {
    constexpr std::string_view server_packets = "\x2\x3\x4\x5\x6\x7\x9\xb\xd\xe\xf";
    while (!bytes.empty()) {
        BROKER_ASSERT(server_packets.find(static_cast<char>(static_cast<std::uint8_t>(bytes[0]) >> 4)) != std::string_view::npos);
        std::size_t remaining = 0;
        std::size_t at = 1;
        for (bool more = true; more; ++at) {
            BROKER_ASSERT(at < bytes.size() && at < 5);
            const auto b = static_cast<std::uint8_t>(bytes[at]);
            remaining |= static_cast<std::size_t>(b & 0x7F) << (7 * (at - 1));
            more = (b & 0x80) != 0;
        }
        BROKER_ASSERT(at + remaining <= bytes.size());
        bytes.remove_prefix(at + remaining);
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    limits bounds;
    bounds.max_message_bytes = 64 * 1024;
    bounds.max_subscriptions_per_client = 16;
    test::test_node node{1, bounds};
    test::test_client watcher{node, 0, mqtt::make_engine};
    using namespace std::string_literals;
    watcher.receive("\x10\x0d\x00\x04MQTT\x04\x00\x00\x00\x00\x01w\x82\x06\x00\x01\x00\x01#\x02"s);
    {
        test::test_client c{node, 0, mqtt::make_engine};
        const byte_view input{data + 1, size - 1};
        const std::size_t step = data[0] == 0 ? input.size() : data[0]; // partial packets meet a turn's end
        for (std::size_t at = 0; at < input.size() && !c.closed(); at += step) {
            c.receive(as_text(input.subspan(at, std::min(step, input.size() - at))));
            check_output(c.sent());
        }
        node.advance(seconds{100});
        check_output(c.sent());
    }
    node.settle();
    check_output(watcher.sent());
    BROKER_ASSERT(!watcher.closed() || watcher.closed_because() == "taken_over"); // by its own client id
    node.crash_and_recover(); // what it left in the store can be read
    return 0;
}
