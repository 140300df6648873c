// The first byte chooses version, state and where the input is cut; the rest is the stream. Cut or whole, the same frames
// come out, within the limits.
#include "core/assert.hpp"
#include "protocols/stomp/parser.hpp"

#include <string>
#include <vector>

using namespace broker;

namespace {

struct outcome {
    std::vector<std::string> frames{};
    bool failed = false;
    friend bool operator==(const outcome&, const outcome&) = default;
};

outcome run(byte_view stream, std::uint8_t choice, std::size_t piece) {
    limits bounds;
    bounds.stomp_header_line_max = 64;
    bounds.stomp_headers_max = 8;
    bounds.max_message_bytes = 256;
    bounds.connect_bytes_max = 128;
    stomp::parser p{bounds};
    if ((choice & 4) != 0) {
        p.set_version(static_cast<stomp::version>(choice & 3U));
        p.set_connected();
    }
    outcome all;
    while (!stream.empty() && !p.error()) {
        const auto now = stream.first(std::min(piece, stream.size()));
        (void)p.feed(now, [&](const stomp::frame& f) {
            BROKER_ASSERT(f.headers.size() <= bounds.stomp_headers_max);
            BROKER_ASSERT(f.body.size() <= bounds.max_message_bytes);
            std::string text{f.command};
            for (const auto& [name, value] : f.headers) {
                text += '\n';
                text += name;
                text += '\0';
                text += value;
            }
            all.frames.push_back(text + '\0' + std::string{as_text(f.body)});
            return true;
        });
        stream = stream.subspan(now.size());
    }
    all.failed = p.error().has_value();
    return all;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    auto choice = data[0];
    if ((choice & 3) == 3) choice &= 0xFE; // three versions
    const byte_view stream{data + 1, size - 1};
    BROKER_ASSERT(run(stream, choice, size) == run(stream, choice, 1U + (choice >> 3)));
    return 0;
}
