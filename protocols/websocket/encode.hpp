// Frames from server to client: never masked (RFC 6455 §5.1), never fragmented.
#pragma once

#include "core/outbox.hpp"

#include <string_view>

namespace broker::websocket {

// outbox::frame_header: FIN set, the kind as opcode and RSV1, the shortest length form (RFC 6455 §5.2).
std::size_t frame_header(std::uint8_t* to, frame_kind kind, std::size_t payload_size);

// Control frames (RFC 6455 §5.5); payloads are at most 125 bytes, a longer reason is cut between characters.
void append_ping(outbox& out, byte_view payload);
void append_pong(outbox& out, byte_view payload);
void append_close(outbox& out, std::uint16_t code, std::string_view reason);

} // namespace broker::websocket
