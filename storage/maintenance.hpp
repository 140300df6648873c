// maintenance: a store that no brokerd has open is looked at, restored from a backup, repaired. (The running broker's own is
// copied by rocks_backend::back_up(), and what it copied can be looked at here.) Paths in errors; nothing of the original is
// ever changed or deleted.
#pragma once

#include "storage/store.hpp"

#include <array>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace broker::storage {

using row_counts = std::array<std::uint64_t, columns>;
using keep_going = std::function<bool()>; // asked now and then; false ends the work early, as if it had failed

struct store_findings {
    std::vector<std::string> wrong{}; // one line each, at most findings_max and how many more
    std::vector<std::string> notes{}; // normal after a crash
    row_counts rows{};                // counted unless files are damaged
    std::uint64_t files = 0;
    std::uint64_t bytes = 0;
};
inline constexpr std::size_t findings_max = 100;

// Every checksum, every record's form, and that what entries refer to is there. Refuses a directory that holds no store, is in
// use, or is of an unknown format.
[[nodiscard]] result<store_findings, storage_error> verify_store(const std::filesystem::path& dir, const keep_going& go_on);

// Where the running broker's store is copied to be verified, inside its directory; removed by whoever is done with it, and at a
// start.
[[nodiscard]] std::filesystem::path verified_copy(const std::filesystem::path& dir);
void remove_verified_copy(const std::filesystem::path& dir);

// Copies a backup that verifies to `dir`, which must not exist or be empty; it appears when it is complete on disk. Run by
// root, it belongs to the backup's owner.
[[nodiscard]] result<store_findings, storage_error> restore_store(const std::filesystem::path& backup, const std::filesystem::path& dir,
                                                                  const keep_going& go_on);

struct repair_report {
    bool was_intact = false;
    std::vector<std::string> wrong{}; // what verification found
    std::vector<std::string> lost{};  // what could not be kept, one line each; as bounded as `wrong`
    std::vector<std::string> notes{};
    row_counts kept{};
    std::filesystem::path set_aside{}; // where the damaged one is now; empty: nothing was changed
};
// Builds a store of everything that can be read and checks out, and puts it in the place of the damaged one, which is kept
// under another name. `only_look`: says what it would do.
[[nodiscard]] result<repair_report, storage_error> repair_store(const std::filesystem::path& dir, bool only_look, const keep_going& go_on);

} // namespace broker::storage
