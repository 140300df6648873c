// data_directory: may this process keep a store there?
#pragma once

#include "storage/store.hpp"

#include <filesystem>

namespace broker::storage {

// Creates the directory (0700) and its missing parents. Refuses what is not a directory, is somebody else's or cannot be
// written; the error is one line that names the path, the reason and what to do.
[[nodiscard]] result<void, storage_error> prepare_data_directory(const std::filesystem::path& dir);

// The process that holds the lock file, if it is another one; 0: nobody known.
[[nodiscard]] int lock_holder(const std::filesystem::path& lock_file);

} // namespace broker::storage
