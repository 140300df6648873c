// rocks_seal: a small file beside the store's, "SEAL", that says what was on disk when it was written: about every second
// while something changes, and at the end. Files may have grown or been replaced since, but what it names must be there.
// Without it a log that was cut off at the end of a record looks like one that was never longer, and a missing CURRENT
// like an empty directory.
//
//   brokerd store
//   format 1
//   synced 1                        every group was synced before the next was begun
//   column meta                     one line per column family
//   manifest MANIFEST-000005 1234   bytes synced
//   wal 000012.log 5678             one line per write-ahead log
//   end 0123abcd                    CRC-32C of the lines before
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace broker::storage {

inline constexpr std::string_view seal_name = "SEAL";

struct seal {
    std::string format{};
    bool every_group_synced = false;
    std::vector<std::string> columns{};
    std::pair<std::string, std::uint64_t> manifest{}; // name, bytes
    std::vector<std::pair<std::string, std::uint64_t>> wals{};
};

[[nodiscard]] std::string encode_seal(const seal& s);
// Nothing: it is damaged. A newer format's other lines are skipped.
[[nodiscard]] std::optional<seal> decode_seal(std::string_view text);

} // namespace broker::storage
