// UTF-8 as RFC 3629 defines it: shortest forms only, no surrogates, nothing above U+10FFFF.
#pragma once

#include "core/bytes.hpp"

namespace broker {

// Checks text that arrives in pieces. After feed() returned false the validator stays false.
class utf8_validator {
public:
    // False as soon as no continuation could make the text valid.
    [[nodiscard]] bool feed(byte_view bytes);

    // True when the text so far is valid and does not end inside a character.
    [[nodiscard]] bool complete() const { return !failed_ && needed_ == 0; }

    void reset() { *this = utf8_validator{}; }

private:
    std::uint8_t needed_ = 0;   // continuation bytes still to come
    std::uint8_t lower_ = 0x80; // bounds of the next continuation byte
    std::uint8_t upper_ = 0xBF;
    bool failed_ = false;
};

[[nodiscard]] bool is_utf8(std::string_view text);

// At most `size` bytes from the front of valid text, not cut inside a character.
[[nodiscard]] std::string_view utf8_prefix(std::string_view text, std::size_t size);

} // namespace broker
