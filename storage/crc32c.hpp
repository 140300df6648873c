// crc32c: the CRC of RFC 3720 appendix B.4, of records and of RocksDB's logs; by the processor's instruction where there is one.
#pragma once

#include <cstdint>
#include <string_view>

namespace broker::storage {

// `before`: the CRC of what came before these bytes.
[[nodiscard]] std::uint32_t crc32c(std::string_view bytes, std::uint32_t before = 0);

// The same without the instruction.
[[nodiscard]] std::uint32_t crc32c_by_table(std::string_view bytes, std::uint32_t before = 0);

} // namespace broker::storage
