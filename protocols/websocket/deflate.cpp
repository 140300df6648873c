#include "protocols/websocket/deflate.hpp"

#include "core/assert.hpp"

#include <zlib.h>

#include <algorithm>
#include <bit>
#include <new>

namespace broker::websocket {

struct deflate_stream : z_stream {};

namespace {

constexpr int level = 3; // of JSON: half the time of zlib's default, and an eighth more bytes
constexpr std::size_t lookahead = 262; // of zlib: it does not refer to the window's last bytes
constexpr std::size_t stored_max = 0xFFFF;
constexpr std::size_t length_size = 4; // of a stored block: LEN and NLEN, RFC 1951 §3.2.4

deflate_stream_ptr make_stream(int window_bits, int memory_level) {
    auto made = std::make_unique<deflate_stream>();
    if (deflateInit2(made.get(), level, Z_DEFLATED, -window_bits, memory_level, Z_DEFAULT_STRATEGY) != Z_OK) throw std::bad_alloc{};
    return deflate_stream_ptr{made.release()};
}

// Appends what zlib makes of these bytes; at least `room` bytes at once.
void run(z_stream& z, std::string& to, byte_view from, int flush, std::size_t room) {
    z.next_in = const_cast<Bytef*>(from.data()); // zlib does not write there
    z.avail_in = static_cast<uInt>(from.size());
    do {
        const auto before = to.size();
        to.resize(before + room);
        z.next_out = reinterpret_cast<Bytef*>(to.data() + before);
        z.avail_out = static_cast<uInt>(room);
        (void)deflate(&z, flush); // fails only for want of room
        to.resize(to.size() - z.avail_out);
    } while (z.avail_out == 0);
}

void append_length(std::string& to, std::size_t size) {
    to += static_cast<char>(size & 0xFF);
    to += static_cast<char>(size >> 8);
    to += static_cast<char>(~size & 0xFF);
    to += static_cast<char>(~size >> 8 & 0xFF);
}

} // namespace

void deflate_stream_end::operator()(deflate_stream* s) const {
    deflateEnd(s);
    delete s;
}

const message_ptr& payload_deflater::deflated(const message_ptr& m, std::uint8_t window_bits) {
    const auto payload = m->payload();
    // No window larger than what there is: what was made for a small one serves receivers with a large one too.
    const auto bits = std::clamp(static_cast<int>(std::bit_width(payload.size() + lookahead)), 9, static_cast<int>(window_bits));
    auto& k = known_[static_cast<std::size_t>(bits - 9)];
    if (k.of == m) return k.made;
    if (k.stream) deflateReset(k.stream.get());
    else k.stream = make_stream(bits, std::clamp(bits - 6, 5, 8)); // room for as many symbols as the window has bytes, up to zlib's default
    scratch_.clear();
    run(*k.stream, scratch_, payload, Z_SYNC_FLUSH, std::min<std::size_t>(payload.size() + 64, 64 * 1024));
    BROKER_DEBUG_ASSERT(scratch_.ends_with(std::string_view("\x00\x00\xFF\xFF", length_size)));
    k.of = m;
    k.made = scratch_.size() < payload.size()
                 ? make_message({.payload = as_bytes(std::string_view{scratch_}.substr(0, scratch_.size() - length_size))})
                 : message_ptr{};
    return k.made;
}

void append_stored(std::string& to, byte_view bytes) {
    for (std::size_t at = 0; at < bytes.size(); at += stored_max) {
        const auto part = bytes.subspan(at, std::min(stored_max, bytes.size() - at));
        to += '\0'; // not the last block, stored, the rest of the byte unused
        append_length(to, part.size());
        to += as_text(part);
    }
}

void append_stored_tail(std::string& to, byte_view bytes) {
    BROKER_DEBUG_ASSERT(bytes.size() <= stored_max);
    append_length(to, bytes.size());
    to += as_text(bytes);
    to += '\0';
}

context_deflater::context_deflater(std::uint8_t window_bits) : stream_{make_stream(window_bits, 5)} {}

void context_deflater::deflate(std::string& to, byte_view head, byte_view payload, byte_view tail) {
    const auto room = std::min<std::size_t>(head.size() + payload.size() + tail.size() + 64, 64 * 1024);
    run(*stream_, to, head, Z_NO_FLUSH, room);
    run(*stream_, to, payload, Z_NO_FLUSH, room);
    run(*stream_, to, tail, Z_SYNC_FLUSH, room);
    BROKER_DEBUG_ASSERT(to.ends_with(std::string_view("\x00\x00\xFF\xFF", length_size)));
    to.resize(to.size() - length_size);
}

} // namespace broker::websocket
