// Headers with a meaning of their own in SEND or MESSAGE: spent by the broker or set by it. They are neither taken from a
// SEND nor copied from a message's user properties, which any publisher chooses: a "content-length" among them would
// move the end of the frame.
#pragma once

#include <string_view>

namespace broker::stomp {

// Beside correlation-id when its bytes were no text.
inline constexpr std::string_view correlation_encoding = "x-correlation-encoding";

[[nodiscard]] bool is_reserved(std::string_view header);

} // namespace broker::stomp
