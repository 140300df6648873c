// Messages to clients, compressed with permessage-deflate (RFC 7692 §7.2.1).
//
// Without context takeover a message is put together of deflate blocks that do not refer to each other:
//
//   stored block      the packet's head, which differs between receivers (packet identifier, subscription)
//   deflate blocks    the payload, compressed once for all receivers with the same window (payload_deflater)
//   stored block      the packet's tail, if it has one (STOMP's NUL)
//
// The last block is an empty stored one without its length, which the receiver adds. Lengths are left out in the parts too: the empty
// block that ends the payload's becomes the tail's by getting another length.
#pragma once

#include "core/message.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <string>

namespace broker::websocket {

struct deflate_stream; // zlib's
struct deflate_stream_end {
    void operator()(deflate_stream* s) const;
};
using deflate_stream_ptr = std::unique_ptr<deflate_stream, deflate_stream_end>;

// Payloads, for all connections of a shard. Keeps the last one for each size of window.
class payload_deflater {
public:
    // A message whose payload is m's, as blocks of which the last is an empty stored one without its length. Null: that is not smaller.
    // A window of 2^window_bits bytes (9 to 15) is enough to read it.
    [[nodiscard]] const message_ptr& deflated(const message_ptr& m, std::uint8_t window_bits);

private:
    static constexpr std::size_t windows = 7; // of 2^9 to 2^15 bytes
    struct known {
        deflate_stream_ptr stream{};
        message_ptr of{}; // held, so that its address names it
        message_ptr made{};
    };
    std::array<known, windows> known_;
    std::string scratch_;
};

// Appends stored blocks of these bytes, each whole.
void append_stored(std::string& to, byte_view bytes);
// What follows deflated blocks that end in an empty stored one without its length: that one gets these bytes, and such a one follows.
void append_stored_tail(std::string& to, byte_view bytes);

// One connection's stream with context takeover: about 38 KiB with context_window_bits.
class context_deflater {
public:
    explicit context_deflater(std::uint8_t window_bits);
    // Appends the message that consists of these parts.
    void deflate(std::string& to, byte_view head, byte_view payload, byte_view tail);

private:
    deflate_stream_ptr stream_;
};

} // namespace broker::websocket
