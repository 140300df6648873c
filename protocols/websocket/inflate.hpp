// Messages of a client that are compressed with permessage-deflate (RFC 7692 §7.2.2), inflated in pieces of a bounded size.
// What an inflate stream costs: about 7 KiB, and its window of 2^bits bytes from the first output on.
#pragma once

#include "core/bytes.hpp"
#include "core/compression.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

namespace broker::websocket {

struct inflate_stream; // zlib's
struct inflate_stream_end {
    void operator()(inflate_stream* s) const;
};
using inflate_stream_ptr = std::unique_ptr<inflate_stream, inflate_stream_end>;

// Streams with the largest window for connections that keep none between messages, and the buffer all inflate into. Of one shard.
class inflate_pool {
public:
    static constexpr std::size_t piece_max = 16 * 1024;
    static constexpr std::size_t spare_max = 16;

    [[nodiscard]] inflate_stream_ptr take(); // as new
    void give_back(inflate_stream_ptr s);
    [[nodiscard]] std::span<std::uint8_t> piece() { return piece_; }
    [[nodiscard]] compression_traffic& traffic() { return traffic_; }
    [[nodiscard]] std::size_t spare() const { return spare_.size(); }

private:
    std::vector<inflate_stream_ptr> spare_;
    std::array<std::uint8_t, piece_max> piece_{};
    compression_traffic traffic_{};
};

// One connection's. Holds a stream while a message is under way; between messages only if it keeps its context.
class inflater {
public:
    // The pool outlives it. `window_bits`: at least those of the client.
    inflater(inflate_pool& pool, bool keeps_context, std::uint8_t window_bits) : pool_{pool}, window_bits_{window_bits}, keeps_context_{keeps_context} {}
    inflater(const inflater&) = delete;
    inflater& operator=(const inflater&) = delete;
    ~inflater();

    void begin(); // a message

    enum class state : std::uint8_t {
        more,   // at once, if next() is called again, even without input
        hungry, // the input is used up
        done,   // the message has ended
        broken  // it is not what deflate writes, or ends inside a block
    };
    struct step {
        state now = state::hungry;
        byte_view piece{}; // in the pool's buffer, until anybody's next step; at most piece_max
    };
    // Takes from the front of `input` until a piece is full. `last`: the message ends behind it.
    [[nodiscard]] step next(byte_view& input, bool last);
    [[nodiscard]] std::uint64_t message_bytes() const { return message_bytes_; } // inflated so far of the one begun last

private:
    [[nodiscard]] step go_on(byte_view& input, bool last);
    void end();

    inflate_pool& pool_;
    inflate_stream_ptr stream_;
    std::uint64_t message_bytes_ = 0;
    std::uint8_t window_bits_;
    bool keeps_context_;
    bool ended_ = false; // the last block was a final one: others may follow
    std::uint8_t tail_used_ = 0;
};

} // namespace broker::websocket
