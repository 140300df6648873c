// permessage-deflate. The first byte says what: an offer to answer; a client's compressed messages, whole and cut, with the same outcome and
// no more than a piece at once; or bytes to send, which must come back.
#include "core/assert.hpp"
#include "protocols/websocket/deflate.hpp"
#include "protocols/websocket/deflate_offer.hpp"
#include "protocols/websocket/inflate.hpp"

#include <algorithm>
#include <string>

using namespace broker;
using namespace broker::websocket;

namespace {

constexpr std::size_t inflated_max = 300'000;

struct result_of {
    std::string text{};
    bool broken = false;
    bool operator==(const result_of&) const = default;
};

// Two messages, the second one the bytes from `half` on.
result_of inflate_all(inflater& with, byte_view bytes, std::size_t half, std::size_t step) {
    result_of r;
    for (const auto message : {bytes.first(half), bytes.subspan(half)}) {
        with.begin();
        for (std::size_t at = 0;; at += step) {
            auto piece = message.subspan(std::min(at, message.size()), std::min(step, message.size() - std::min(at, message.size())));
            const bool last = at + step >= message.size();
            auto now = inflater::state::more;
            while (now == inflater::state::more) {
                const auto s = with.next(piece, last);
                BROKER_ASSERT(s.piece.size() <= inflate_pool::piece_max);
                r.text += as_text(s.piece);
                now = s.now;
                if (r.text.size() > inflated_max) return {}; // as a connection that has met its limit; where depends on the cut
            }
            BROKER_ASSERT(last ? now != inflater::state::hungry : now != inflater::state::done);
            if (now == inflater::state::broken) return {.text = {}, .broken = true};
            if (last) break;
        }
    }
    return r;
}

void offers(std::string_view text) {
    for (const bool context_takeover : {false, true}) {
        const auto chosen = choose_deflate_offer(text, context_takeover);
        if (!chosen || !*chosen) continue;
        const auto& agreed = **chosen;
        BROKER_ASSERT(agreed.server_window_bits >= 9 && agreed.server_window_bits <= 15);
        BROKER_ASSERT(agreed.client_window_bits >= 8 && agreed.client_window_bits <= 15);
        BROKER_ASSERT(context_takeover || (!agreed.server_keeps_context && !agreed.client_keeps_context));
        BROKER_ASSERT(choose_deflate_offer(deflate_answer(agreed), context_takeover).has_value());
    }
}

void inflates(byte_view bytes, bool keeps_context, std::size_t step) {
    inflate_pool pool;
    const auto half = bytes.size() / 2;
    inflater one{pool, keeps_context, 15};
    const auto whole = inflate_all(one, bytes, half, bytes.size() + 1);
    inflater other{pool, keeps_context, 15};
    BROKER_ASSERT(inflate_all(other, bytes, half, step) == whole);
}

void comes_back(byte_view bytes, std::uint8_t bits) {
    const auto head = bytes.first(bytes.size() / 8);
    const auto payload = bytes.subspan(head.size());
    inflate_pool pool;
    payload_deflater shop;
    if (const auto& made = shop.deflated(make_message({.topic = "t", .payload = payload}), bits)) {
        std::string packet;
        append_stored(packet, head);
        packet += as_text(made->payload());
        append_stored_tail(packet, head.first(head.size() / 2));
        inflater exact{pool, true, bits};
        exact.begin();
        auto input = as_bytes(packet);
        std::string text;
        for (auto now = inflater::state::more; now != inflater::state::done;) {
            const auto s = exact.next(input, true);
            BROKER_ASSERT(s.now == inflater::state::more || s.now == inflater::state::done);
            text += as_text(s.piece);
            now = s.now;
        }
        BROKER_ASSERT(text == std::string{as_text(bytes)} + std::string{as_text(head.first(head.size() / 2))});
    }
    context_deflater context{bits};
    inflater follows{pool, true, bits};
    std::string packet;
    context.deflate(packet, head, payload, {});
    const auto first = packet.size();
    context.deflate(packet, {}, payload, head);
    const auto got = inflate_all(follows, as_bytes(packet), first, 777);
    BROKER_ASSERT(got.text.size() == 2 * bytes.size() || bytes.size() * 2 > inflated_max);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const byte_view input{data + 1, size - 1};
    const std::size_t number = data[0] >> 2;
    switch (data[0] & 3) {
    case 0: offers(as_text(input)); break;
    case 1:
    case 2: inflates(input, (data[0] & 3) == 2, number + 1); break;
    case 3: comes_back(input, static_cast<std::uint8_t>(9 + number % 7)); break;
    }
    return 0;
}
