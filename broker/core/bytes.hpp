// Borrowed bytes and their two spellings. A *_view borrows and is never stored.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace broker {

using byte_view = std::span<const std::uint8_t>;

[[nodiscard]] inline std::string_view as_text(byte_view bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

[[nodiscard]] inline byte_view as_bytes(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

} // namespace broker
