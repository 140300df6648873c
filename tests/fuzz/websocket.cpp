// A client's frames, whole and cut where the first byte says: the same messages, the same failure, never more than the
// limit.
#include "core/assert.hpp"
#include "protocols/websocket/decode.hpp"

#include <algorithm>
#include <string>
#include <vector>

using namespace broker;

namespace {

constexpr std::size_t message_max = 300;

struct recorder : websocket::frame_handler {
    std::string finished; // messages and control frames that ended: pieces depend on the cut
    std::string message;
    bool open = false;

    void on_data(byte_view piece, websocket::message_kind kind, bool begins, bool ends) override {
        BROKER_ASSERT(begins == !open);
        if (begins) message = kind == websocket::message_kind::text ? "T" : "B";
        message += as_text(piece);
        BROKER_ASSERT(message.size() <= message_max + 1);
        open = !ends;
        if (ends) finished += message + '|';
    }
    void on_ping(byte_view p) override { control('i', as_text(p)); }
    void on_pong(byte_view p) override { control('o', as_text(p)); }
    void on_close(std::uint16_t code, std::string_view reason) override {
        control('c', std::to_string(code));
        control('r', reason);
    }
    void control(char what, std::string_view payload) {
        BROKER_ASSERT(payload.size() <= 125);
        finished += what;
        finished += payload;
    }
};

// Takes no more than it must: what is compressed comes piece by piece.
struct reluctant final : recorder {
    [[nodiscard]] bool takes_more() const override { return false; }
};

void feed(websocket::decoder& d, std::span<std::uint8_t> bytes, recorder& to, websocket::inflater* inflate) {
    for (websocket::decoder::rest left{bytes}; left;) left = d.feed(*left, to, inflate);
}

// Whole and in pieces. With compression what was wrong first may depend on the cut: too much, or not deflate's.
void same(const std::vector<std::uint8_t>& input, std::size_t step, bool compressed) {
    websocket::inflate_pool pool;
    websocket::inflater for_one{pool, false, 15};
    websocket::inflater for_many{pool, false, 15};

    recorder whole;
    websocket::decoder one{message_max};
    auto copy = input;
    feed(one, copy, whole, compressed ? &for_one : nullptr);

    reluctant pieces;
    websocket::decoder many{message_max};
    copy = input;
    for (std::size_t at = 0; at < copy.size(); at += step) {
        feed(many, std::span{copy}.subspan(at, std::min(step, copy.size() - at)), pieces, compressed ? &for_many : nullptr);
    }
    BROKER_ASSERT(whole.finished == pieces.finished);
    BROKER_ASSERT(one.closed() == many.closed());
    BROKER_ASSERT((one.error() == nullptr) == (many.error() == nullptr));
    BROKER_ASSERT(!one.error() || compressed || (one.error()->code == many.error()->code && one.error()->what == many.error()->what));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::size_t step = data[0] == 0 ? 1 : data[0];
    const std::vector<std::uint8_t> input{data + 1, data + size};
    same(input, step, false);
    same(input, step, true);
    return 0;
}
