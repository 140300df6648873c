// base64 (RFC 4648 §4), padded: how HTTP and password files write bytes. Tokens use core/base64url.hpp.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace broker::security {

// Nothing: not base64, or without its padding.
[[nodiscard]] std::optional<std::string> from_base64(std::string_view text);

} // namespace broker::security
