// rocks_backend: the store on disk, one RocksDB with one column family per column.
#pragma once

#include "storage/store.hpp"

#include <array>
#include <chrono>
#include <filesystem>
#include <memory>
#include <shared_mutex>

namespace rocksdb {
class Env;
}

namespace broker::storage {

struct rocks_options {
    bool every_group_synced = true; // durability is sync: what is behind the last complete group was never acknowledged
    rocksdb::Env* env = nullptr;    // tests: a disk that fails; null: the real one
    std::size_t open_files = 512; // data files kept open
    std::size_t memtables_bytes = 0; // beyond it data files are written; 0: a twentieth of the disk, at most 16 MiB
    std::chrono::milliseconds seal_every{1000};  // and room looked at; 0: only at opening and closing, and never
    std::uint64_t room_wanted = 0; // bytes: with less, what erased rows take is given back; as the committer's
    std::chrono::milliseconds verify_for{1000};  // checksums of data files looked at before open() returns
};

class rocks_backend final : public backend {
public:
    // Creates what is missing. Refuses in one line that names the path, the reason and what to do: not a directory, not
    // ours, read-only, in use, a newer format, damaged. Recovers exactly what was acknowledged.
    [[nodiscard]] static result<std::unique_ptr<rocks_backend>, storage_error> open(const std::filesystem::path& dir,
                                                                                    const rocks_options& with = {});
    ~rocks_backend() override;

    [[nodiscard]] result<void, storage_error> write(std::span<const batch* const> group, bool sync) override;
    [[nodiscard]] result<std::optional<std::string>, storage_error> get(column c, std::string_view key) const override;
    [[nodiscard]] result<void, storage_error> scan_owners(column c, const row_visitor& visit) const override;
    [[nodiscard]] result<void, storage_error> scan(column c, std::string_view prefix, std::string_view from,
                                                   const row_visitor& visit) const override;
    // Closes the store and opens it as a new process would, if there is room: RocksDB cannot be trusted with a log whose
    // write or sync has failed, while what was acknowledged is on disk and everything else is written again.
    void recover() override;
    [[nodiscard]] std::optional<room> room_left() const override;

    // What opening found worth saying, one line each.
    [[nodiscard]] std::vector<std::string> notes() const;

    // A copy as of now that is a store itself, its files complete on disk when this returns; data files are hard links where
    // the file system allows it. `to` must not exist; it appears when it is complete. Any thread, beside everything else.
    struct backup {
        std::uint64_t files = 0;
        std::uint64_t bytes = 0;
    };
    [[nodiscard]] result<backup, storage_error> back_up(const std::filesystem::path& to) const;

    struct facts {
        std::string format{};
        std::uint64_t data_files = 0;
        std::uint64_t data_bytes = 0;
        std::uint64_t log_bytes = 0;      // write-ahead logs
        std::uint64_t memory_bytes = 0;   // memtables
        std::uint64_t to_compact = 0;     // bytes, estimated
        struct column_facts {
            std::uint64_t rows = 0; // estimated
            std::uint64_t bytes = 0;
        };
        std::array<column_facts, columns> by_column{};
    };
    [[nodiscard]] result<facts, storage_error> look() const;

    struct database; // rocks_database.hpp

private:
    explicit rocks_backend(std::unique_ptr<database> db);
    [[nodiscard]] static result<std::unique_ptr<database>, storage_error> open_database(const std::filesystem::path& dir,
                                                                                        const rocks_options& with);

    const std::filesystem::path dir_;
    const rocks_options with_;
    mutable std::shared_mutex mutex_; // db_ itself: exclusive while it is opened again
    std::unique_ptr<database> db_;    // null: a write failed, and opening again has not succeeded yet
    storage_error last_{}; // why nothing can be written: a write that failed, or then opening again
    friend struct rocks_opening;
};

} // namespace broker::storage
