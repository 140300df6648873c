// Bytes as a specification prints them: hex("30 05 00 01") → the four bytes.
#pragma once

#include <string>
#include <string_view>

namespace broker::test {

inline std::string hex(std::string_view digits) {
    const auto value = [](char c) { return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10; };
    std::string bytes;
    for (std::size_t i = 0; i + 1 < digits.size();) {
        if (digits[i] == ' ') {
            ++i;
            continue;
        }
        bytes.push_back(static_cast<char>(value(digits[i]) * 16 + value(digits[i + 1])));
        i += 2;
    }
    return bytes;
}

inline std::string to_hex(std::string_view bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const char c : bytes) {
        if (!text.empty()) text.push_back(' ');
        text.push_back(digits[static_cast<unsigned char>(c) >> 4]);
        text.push_back(digits[static_cast<unsigned char>(c) & 15]);
    }
    return text;
}

} // namespace broker::test
