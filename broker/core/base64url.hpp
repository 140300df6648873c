// base64url without padding (RFC 4648 §5): bytes as text that survives every header and URL.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace broker {

[[nodiscard]] std::string base64url(std::string_view bytes);
// Nothing: not base64url.
[[nodiscard]] std::optional<std::string> from_base64url(std::string_view text);

} // namespace broker
