#include "core/utf8.hpp"

#include <cstring>

namespace broker {

bool utf8_validator::feed(byte_view bytes) {
    if (failed_) return false;
    const std::uint8_t* at = bytes.data();
    const std::uint8_t* const end = at + bytes.size();
    while (at != end) {
        if (needed_ == 0) {
            // Eight ASCII bytes at a time: nearly all text is ASCII.
            while (end - at >= 8) {
                std::uint64_t word = 0;
                std::memcpy(&word, at, 8);
                if ((word & 0x8080808080808080ULL) != 0) break;
                at += 8;
            }
            if (at == end) break;
            const std::uint8_t lead = *at++;
            if (lead < 0x80) continue;
            lower_ = 0x80;
            upper_ = 0xBF;
            if (lead >= 0xC2 && lead <= 0xDF) {
                needed_ = 1;
            } else if ((lead & 0xF0) == 0xE0) {
                needed_ = 2;
                if (lead == 0xE0) lower_ = 0xA0; // shortest form
                if (lead == 0xED) upper_ = 0x9F; // no surrogates
            } else if (lead >= 0xF0 && lead <= 0xF4) {
                needed_ = 3;
                if (lead == 0xF0) lower_ = 0x90;
                if (lead == 0xF4) upper_ = 0x8F; // nothing above U+10FFFF
            } else {
                failed_ = true;
                return false;
            }
        } else {
            const std::uint8_t next = *at++;
            if (next < lower_ || next > upper_) {
                failed_ = true;
                return false;
            }
            lower_ = 0x80;
            upper_ = 0xBF;
            --needed_;
        }
    }
    return true;
}

bool is_utf8(std::string_view text) {
    utf8_validator validator;
    return validator.feed(as_bytes(text)) && validator.complete();
}

std::string_view utf8_prefix(std::string_view text, std::size_t size) {
    if (text.size() <= size) return text;
    while (size != 0 && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80) --size;
    return text.substr(0, size);
}

} // namespace broker
