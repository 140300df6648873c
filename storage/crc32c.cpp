#include "storage/crc32c.hpp"

#include <array>
#include <cstddef>
#include <cstring>

namespace broker::storage {

namespace {

using crc_tables = std::array<std::array<std::uint32_t, 256>, 8>;

constexpr crc_tables make_tables() {
    crc_tables t{};
    for (std::uint32_t i = 0; i != 256; ++i) {
        auto c = i;
        for (int bit = 0; bit != 8; ++bit) c = (c >> 1) ^ ((c & 1) != 0 ? 0x82F6'3B78U : 0U);
        t[0][i] = c;
    }
    for (std::size_t i = 0; i != 256; ++i) {
        for (std::size_t n = 1; n != 8; ++n) t[n][i] = (t[n - 1][i] >> 8) ^ t[0][t[n - 1][i] & 0xFF];
    }
    return t;
}
constexpr crc_tables tables = make_tables();

std::uint32_t little_32(const char* at) {
    std::uint32_t value = 0;
    for (int i = 3; i >= 0; --i) value = value << 8 | static_cast<std::uint8_t>(at[i]);
    return value;
}

#ifdef __x86_64__
[[gnu::target("sse4.2")]] std::uint32_t by_instruction(std::string_view bytes, std::uint32_t before) {
    std::uint64_t crc = ~before;
    const auto* at = bytes.data();
    auto left = bytes.size();
    for (; left >= 8; left -= 8, at += 8) {
        std::uint64_t eight = 0;
        std::memcpy(&eight, at, 8);
        crc = __builtin_ia32_crc32di(crc, eight);
    }
    auto rest = static_cast<std::uint32_t>(crc);
    for (; left != 0; --left, ++at) rest = __builtin_ia32_crc32qi(rest, static_cast<std::uint8_t>(*at));
    return ~rest;
}

const bool has_instruction = __builtin_cpu_supports("sse4.2");
#endif

} // namespace

std::uint32_t crc32c(std::string_view bytes, std::uint32_t before) {
#ifdef __x86_64__
    if (has_instruction) return by_instruction(bytes, before);
#endif
    return crc32c_by_table(bytes, before);
}

std::uint32_t crc32c_by_table(std::string_view bytes, std::uint32_t before) {
    auto crc = ~before;
    const auto* at = bytes.data();
    auto left = bytes.size();
    for (; left >= 8; left -= 8, at += 8) {
        const auto low = crc ^ little_32(at);
        const auto high = little_32(at + 4);
        crc = tables[7][low & 0xFF] ^ tables[6][low >> 8 & 0xFF] ^ tables[5][low >> 16 & 0xFF] ^ tables[4][low >> 24] ^
              tables[3][high & 0xFF] ^ tables[2][high >> 8 & 0xFF] ^ tables[1][high >> 16 & 0xFF] ^ tables[0][high >> 24];
    }
    for (; left != 0; --left, ++at) crc = crc >> 8 ^ tables[0][(crc ^ static_cast<std::uint8_t>(*at)) & 0xFF];
    return ~crc;
}

} // namespace broker::storage
