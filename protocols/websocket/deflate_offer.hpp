// Negotiation of permessage-deflate: a client's Sec-WebSocket-Extensions (RFC 6455 §9.1) and what is answered (RFC 7692 §5, §7.1).
#pragma once

#include "core/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace broker::websocket {

// Windows of connections that keep their context: 4 KiB instead of 32, so that a connection costs little.
inline constexpr std::uint8_t context_window_bits = 12;

// What was agreed on. "Keeps context": messages refer to what earlier ones of that direction held (context takeover).
struct deflate_agreement {
    bool server_keeps_context = false;
    bool client_keeps_context = false;
    std::uint8_t server_window_bits = 15; // 9 to 15: our messages refer no further back than 2^bits bytes
    std::uint8_t client_window_bits = 15; // 8 to 15: the client's
    bool server_bits_asked = false;       // the offer named them: so does the answer
    bool client_bits_asked = false;

    bool operator==(const deflate_agreement&) const = default;
};

// The first acceptable offer of permessage-deflate in the header's value (of several headers: joined by commas). Offers with parameters that
// are unknown, repeated or out of range are declined, as is a server window of 2^8 bytes, which zlib cannot keep to; other extensions are
// passed over. Fails with the broken rule when the value is no list of extensions.
[[nodiscard]] result<std::optional<deflate_agreement>, std::string_view> choose_deflate_offer(std::string_view header, bool context_takeover);

// The value of the answer's Sec-WebSocket-Extensions.
[[nodiscard]] std::string deflate_answer(const deflate_agreement& agreed);

} // namespace broker::websocket
