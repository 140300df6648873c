// A STOMP frame: command, headers, body. Everything borrows from the parser and its input and is valid during the
// handler's call.
#pragma once

#include "core/bytes.hpp"

#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace broker::stomp {

enum class version : std::uint8_t { v1_0, v1_1, v1_2 };
inline constexpr std::size_t versions = 3;
[[nodiscard]] constexpr std::string_view name(version v) {
    return v == version::v1_0 ? "1.0" : v == version::v1_1 ? "1.1" : "1.2";
}

struct frame {
    std::string_view command{};
    std::vector<std::pair<std::string_view, std::string_view>> headers{}; // in order, repeated ones included, unescaped
    byte_view body{};

    // The first of that name [STOMP12-REPEAT-1].
    [[nodiscard]] std::optional<std::string_view> find(std::string_view header) const {
        for (const auto& [key, value] : headers) {
            if (key == header) return value;
        }
        return std::nullopt;
    }
    [[nodiscard]] std::string_view get(std::string_view header) const { return find(header).value_or(""); }
};

} // namespace broker::stomp
