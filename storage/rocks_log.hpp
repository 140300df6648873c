// rocks_log: reads a write-ahead log or MANIFEST the way RocksDB will, before RocksDB does, and tells a torn tail from
// damage. RocksDB itself stops quietly at the first bad record, which after a power cut is right and after a flipped bit
// in the middle of acknowledged data loses everything behind it.
//
// Format: blocks of 32 KiB; a record is CRC-32C (masked) of type and payload (4), length (2), type (1), payload; little-
// endian; a logical record (one write group, one version edit) is one `full` or `first`, `middle`..., `last`.
//
// A torn tail is what a group leaves that was being written when the process or the power went, or whose write failed: it is
// behind what is known to be synced, the file ends within it or whole sectors of it are missing (zero), or the next
// intact group, there or in the next log, has the number the torn one would have had: nothing is missing. Every group
// of a write-ahead log begins with the number of its first operation (8) and their count (4). Anything else is damage.
#pragma once

#include "core/result.hpp"
#include "storage/store.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace broker::storage {

struct log_finding {
    enum class verdict : std::uint8_t { intact, torn, damaged } what = verdict::intact;
    std::uint64_t at = 0;      // where the first bad record begins
    std::uint64_t behind = 0;  // bytes from there to the end
    std::uint64_t records = 0; // intact logical records before `at`
    std::uint64_t first = 0;   // write-ahead logs: number of the first operation; 0: none
    std::uint64_t next = 0;    // and what the next group behind the intact ones must have; 0: any
    std::string why{};
};

struct log_facts {
    std::uint64_t synced = 0;       // bytes from the beginning that are known to have been synced
    bool every_group_synced = true; // a group was begun only when the one before it was on disk: a later one proves it
    bool numbered = false;          // a write-ahead log
};
[[nodiscard]] log_finding check_log(std::string_view bytes, const log_facts& known);

// Every intact logical record, in order, whatever is between them; returns what is between.
struct log_gap {
    std::uint64_t at = 0;
    std::uint64_t bytes = 0;
};
[[nodiscard]] std::vector<log_gap> for_each_record(std::string_view bytes, const std::function<void(std::string_view)>& visit);

} // namespace broker::storage
