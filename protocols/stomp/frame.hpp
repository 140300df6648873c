// A STOMP frame: command, headers, body. Views borrow from the parser's input and are valid during the handler's call.
#pragma once

#include "core/bytes.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace broker::stomp {

enum class version : std::uint8_t { v1_0, v1_1, v1_2 };
[[nodiscard]] constexpr std::string_view name(version v) {
    return v == version::v1_0 ? "1.0" : v == version::v1_1 ? "1.1" : "1.2";
}

struct frame {
    std::string command{};
    std::vector<std::pair<std::string, std::string>> headers{}; // in order, repeated ones included, unescaped
    byte_view body{};

    // The first of that name [STOMP12 §Repeated Header Entries].
    [[nodiscard]] std::optional<std::string_view> find(std::string_view header) const {
        for (const auto& [key, value] : headers) {
            if (key == header) return value;
        }
        return std::nullopt;
    }
    [[nodiscard]] std::string_view get(std::string_view header) const { return find(header).value_or(""); }
};

} // namespace broker::stomp
