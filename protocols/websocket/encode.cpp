#include "protocols/websocket/encode.hpp"

#include "core/assert.hpp"

#include <array>
#include <cstring>

namespace broker::websocket {

namespace {

constexpr std::uint8_t fin = 0x80;
constexpr std::size_t control_payload_max = 125;

void append_control(outbox& out, std::uint8_t opcode, byte_view payload) {
    BROKER_ASSERT(payload.size() <= control_payload_max);
    std::array<std::uint8_t, 2 + control_payload_max> frame{};
    frame[0] = static_cast<std::uint8_t>(fin | opcode);
    frame[1] = static_cast<std::uint8_t>(payload.size());
    if (!payload.empty()) std::memcpy(frame.data() + 2, payload.data(), payload.size());
    out.append_raw(std::span{frame}.first(2 + payload.size()));
}

} // namespace

std::size_t frame_header(std::uint8_t* to, frame_kind kind, std::size_t payload_size) {
    to[0] = static_cast<std::uint8_t>(fin | static_cast<std::uint8_t>(kind));
    if (payload_size < 126) {
        to[1] = static_cast<std::uint8_t>(payload_size);
        return 2;
    }
    const std::size_t length_bytes = payload_size <= 0xFFFF ? 2 : 8;
    to[1] = length_bytes == 2 ? 126 : 127;
    for (std::size_t i = 0; i != length_bytes; ++i) {
        to[2 + i] = static_cast<std::uint8_t>(payload_size >> (8 * (length_bytes - 1 - i)));
    }
    return 2 + length_bytes;
}

void append_ping(outbox& out, byte_view payload) { append_control(out, 0x9, payload); }
void append_pong(outbox& out, byte_view payload) { append_control(out, 0xA, payload); }

void append_close(outbox& out, std::uint16_t code, std::string_view reason) {
    auto size = std::min(reason.size(), control_payload_max - 2);
    while (size != 0 && size != reason.size() && (static_cast<unsigned char>(reason[size]) & 0xC0) == 0x80) --size;
    std::array<std::uint8_t, control_payload_max> payload{};
    payload[0] = static_cast<std::uint8_t>(code >> 8);
    payload[1] = static_cast<std::uint8_t>(code & 0xFF);
    if (size != 0) std::memcpy(payload.data() + 2, reason.data(), size);
    append_control(out, 0x8, std::span{payload}.first(2 + size));
}

} // namespace broker::websocket
