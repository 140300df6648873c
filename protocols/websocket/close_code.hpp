// WebSocket close codes (RFC 6455 §7.4) for the causes of a close.
#pragma once

#include "core/close_reason.hpp"

#include <cstdint>
#include <string>

namespace broker::websocket {

[[nodiscard]] std::uint16_t close_code_of(close_cause cause);
// What a browser shows as CloseEvent.reason: the cause's token, never more than fits a close frame.
[[nodiscard]] std::string close_text_of(const close_reason& why);
// May a peer send this code? RFC 6455 §7.4.1, §7.4.2.
[[nodiscard]] bool is_valid_close_code(std::uint16_t code);

} // namespace broker::websocket
