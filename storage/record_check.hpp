// record_check: has a row the form docs/storage-format.md says?
#pragma once

#include "storage/store.hpp"

#include <optional>
#include <string>

namespace broker::storage {

// Nothing: it has. Else what is wrong with it.
[[nodiscard]] std::optional<std::string> defect_of(column in, std::string_view key, std::string_view value);

// A row for people: "entries 00000000000000050000000000000007"; a topic as it is.
[[nodiscard]] std::string row_name(column in, std::string_view key);

} // namespace broker::storage
