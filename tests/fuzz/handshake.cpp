// An HTTP request, whole and cut where the first byte says: the same answer.
#include "core/assert.hpp"
#include "net/handshake.hpp"

#include <algorithm>

using namespace broker;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    limits bounds;
    bounds.handshake_bytes_max = 1024;
    const byte_view input{data + 1, size - 1};
    const auto cut = std::min<std::size_t>(data[0] * 4U, input.size());

    const handshake_policy policy{.compression = {.enabled = true}};
    handshake whole{bounds, policy};
    whole.feed(input);
    handshake pieces{bounds, policy};
    pieces.feed(input.first(cut));
    const bool early = pieces.state() != handshake::outcome::need_more;
    pieces.feed(input.subspan(cut));

    BROKER_ASSERT(whole.state() == pieces.state());
    BROKER_ASSERT(whole.response() == pieces.response());
    BROKER_ASSERT(whole.subprotocol() == pieces.subprotocol());
    auto behind = pieces.take_pipelined();
    if (early && pieces.state() == handshake::outcome::accepted) behind += as_text(input.subspan(cut));
    BROKER_ASSERT(whole.take_pipelined() == behind);
    return 0;
}
