// A connection does whatever the input says, beside a well-behaved subscriber to everything. What either of them is sent
// parses, and after an ERROR the connection is over.
#include "core/assert.hpp"
#include "protocols/stomp/engine.hpp"
#include "protocols/stomp/parser.hpp"
#include "support/test_node.hpp"

using namespace broker;

namespace {

std::unique_ptr<engine> make(const engine_context& with, time_point now) { return stomp::make_engine(with, now); }

// Server frames, read with the same grammar; true when the last one is an ERROR.
bool check_output(std::string_view bytes) {
    const limits bounds;
    stomp::parser p{bounds};
    p.set_version(stomp::version::v1_0); // what is escaped stays so: only the frames matter
    p.set_connected();
    bool error = false;
    (void)p.feed(as_bytes(bytes), [&](const stomp::frame& f) {
        BROKER_ASSERT(!error);
        error = f.command == "ERROR";
        BROKER_ASSERT(error || f.command == "CONNECTED" || f.command == "MESSAGE" || f.command == "RECEIPT");
        return true;
    });
    BROKER_ASSERT(!p.error());
    return error;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    limits bounds;
    bounds.max_message_bytes = 64 * 1024;
    bounds.max_subscriptions_per_client = 16;
    test::test_node node{1, bounds};
    test::test_client watcher{node, 0, make};
    using namespace std::string_literals;
    watcher.receive("CONNECT\naccept-version:1.2\nhost:h\n\n\0SUBSCRIBE\nid:all\ndestination:#\n\n\0"s);
    {
        test::test_client c{node, 0, make};
        std::string sent;
        // Cut in two, so that partial frames meet a turn's end.
        for (const auto piece : {byte_view{data, size / 2}, byte_view{data + size / 2, size - size / 2}}) {
            if (!c.closed()) c.receive(as_text(piece));
            sent += c.sent();
        }
        const bool error = check_output(sent);
        BROKER_ASSERT(!error || c.closed());
        node.advance(seconds{1});
    }
    BROKER_ASSERT(!check_output(watcher.sent()));
    BROKER_ASSERT(!watcher.closed());
    return 0;
}
