// stamp: the beginning of every payload: which message it is and when it was due. Hexadecimal digits, since STOMP over WebSocket may
// be text: run (6), publisher (6), number (8), nanoseconds since the run began (12).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace broker::cli::bench {

inline constexpr std::size_t stamp_size = 32;

struct stamp {
    std::uint32_t run = 0;
    std::uint32_t publisher = 0;
    std::uint32_t number = 0;
    std::uint64_t due_ns = 0;
};

// Writes stamp_size characters.
inline void write_stamp(const stamp& s, char* to) {
    const auto put = [&to](std::uint64_t value, unsigned digits) {
        for (unsigned i = digits; i != 0; --i) *to++ = "0123456789abcdef"[(value >> (4 * (i - 1))) & 0xF];
    };
    put(s.run, 6);
    put(s.publisher, 6);
    put(s.number, 8);
    put(s.due_ns, 12);
}

// Nothing: the payload is somebody else's.
inline std::optional<stamp> read_stamp(std::string_view payload) {
    if (payload.size() < stamp_size) return std::nullopt;
    bool wrong = false;
    const auto get = [&](unsigned digits) {
        std::uint64_t value = 0;
        for (unsigned i = 0; i != digits; ++i) {
            const char c = payload[i];
            wrong |= !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'));
            value = value << 4 | (static_cast<std::uint64_t>(c <= '9' ? c - '0' : c - 'a' + 10) & 0xF);
        }
        payload.remove_prefix(digits);
        return value;
    };
    stamp s;
    s.run = static_cast<std::uint32_t>(get(6));
    s.publisher = static_cast<std::uint32_t>(get(6));
    s.number = static_cast<std::uint32_t>(get(8));
    s.due_ns = get(12);
    if (wrong) return std::nullopt;
    return s;
}

} // namespace broker::cli::bench
