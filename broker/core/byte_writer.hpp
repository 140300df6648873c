// byte_writer: appends big-endian values to a string the caller owns.
#pragma once

#include "core/bytes.hpp"

namespace broker {

class byte_writer {
public:
    explicit byte_writer(std::string& to) : to_{to} {}

    byte_writer& u8(std::uint8_t v) { return big_endian(v, 1); }
    byte_writer& u16(std::uint16_t v) { return big_endian(v, 2); }
    byte_writer& u32(std::uint32_t v) { return big_endian(v, 4); }
    byte_writer& u64(std::uint64_t v) { return big_endian(v, 8); }
    byte_writer& raw(std::string_view bytes) {
        to_.append(bytes);
        return *this;
    }
    byte_writer& raw(byte_view bytes) { return raw(as_text(bytes)); }
    byte_writer& text16(std::string_view text) { return u16(static_cast<std::uint16_t>(text.size())).raw(text); }
    byte_writer& text32(std::string_view text) { return u32(static_cast<std::uint32_t>(text.size())).raw(text); }

private:
    byte_writer& big_endian(std::uint64_t value, unsigned size) {
        for (unsigned shift = size * 8; shift != 0; shift -= 8) to_.push_back(static_cast<char>(value >> (shift - 8)));
        return *this;
    }

    std::string& to_;
};

} // namespace broker
