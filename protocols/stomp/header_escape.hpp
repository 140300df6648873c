// Header escaping: none in 1.0; \n \c \\ in 1.1 [STOMP11-ENC-1]; also \r in 1.2 [STOMP12-ENC-1]. CONNECT and CONNECTED
// are never escaped.
#pragma once

#include "protocols/stomp/frame.hpp"

#include <string>

namespace broker::stomp {

// Appends the plain text. False: an undefined escape sequence; what was appended means nothing.
[[nodiscard]] bool append_unescaped(std::string& to, std::string_view text, version v);

// How a header fared on its way to a receiver of this version.
enum class written : std::uint8_t {
    exact,
    altered, // the value had what the version cannot say: a space each
    dropped, // so had the name: as another name it could mean something else
};

// "name:value\n". Whatever the two hold, the receiver sees this one header or none.
written append_header(std::string& to, std::string_view name, std::string_view value, version v);

} // namespace broker::stomp
