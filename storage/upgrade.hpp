// upgrade: brings a store that an older brokerd wrote to today's format (docs/storage-format.md).
#pragma once

#include "storage/store.hpp"

namespace broker::storage {

inline constexpr std::string_view format_version = "5";
// Does this brokerd know the format, as it is or after upgrade()?
[[nodiscard]] inline bool knows_format(std::string_view format) {
    return format == format_version || format == "1" || format == "2" || format == "3" || format == "4";
}

// Before anything else reads. In steps that are whole on disk: what is interrupted goes on at the next start.
[[nodiscard]] result<void, storage_error> upgrade(backend& rows);

} // namespace broker::storage
