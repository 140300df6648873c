// Header escaping [STOMP12 §Value Encoding]: none in 1.0; \n \c \\ in 1.1; also \r in 1.2. CONNECT and CONNECTED are
// never escaped.
#pragma once

#include "protocols/stomp/frame.hpp"

namespace broker::stomp {

// Nothing: an undefined escape sequence.
[[nodiscard]] std::optional<std::string> unescape(std::string_view text, version v);
void append_escaped(std::string& to, std::string_view text, version v);

} // namespace broker::stomp
