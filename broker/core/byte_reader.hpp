// byte_reader: a big-endian cursor with a sticky error. Read a whole structure, then ask once whether it was all there:
// reads past the end give zero or empty values and set failed().
#pragma once

#include "core/bytes.hpp"

namespace broker {

class byte_reader {
public:
    explicit byte_reader(byte_view bytes) : rest_{bytes} {}

    [[nodiscard]] bool empty() const { return rest_.empty(); }
    [[nodiscard]] bool failed() const { return failed_; }
    [[nodiscard]] bool finished() const { return rest_.empty() && !failed_; } // consumed exactly
    [[nodiscard]] std::size_t remaining() const { return rest_.size(); }

    std::uint8_t u8() { return static_cast<std::uint8_t>(big_endian(1)); }
    std::uint16_t u16() { return static_cast<std::uint16_t>(big_endian(2)); }
    std::uint32_t u32() { return static_cast<std::uint32_t>(big_endian(4)); }
    std::uint64_t u64() { return big_endian(8); }
    byte_view take(std::size_t size) {
        if (size > rest_.size()) {
            fail();
            return {};
        }
        const auto taken = rest_.first(size);
        rest_ = rest_.subspan(size);
        return taken;
    }
    byte_view rest() { return take(rest_.size()); }
    std::string_view text16() { return as_text(take(u16())); } // two-byte length, then that many bytes
    std::string_view text32() { return as_text(take(u32())); }
    void fail() {
        failed_ = true;
        rest_ = {};
    }

private:
    std::uint64_t big_endian(std::size_t size) {
        std::uint64_t value = 0;
        for (const auto byte : take(size)) value = value << 8 | byte;
        return value;
    }

    byte_view rest_;
    bool failed_ = false;
};

} // namespace broker
