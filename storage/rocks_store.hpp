// rocks_backend: the store on disk, one RocksDB with one column family per column.
#pragma once

#include "storage/store.hpp"

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
    std::size_t memtables_bytes = 0; // beyond it data files are written; 0: a twentieth of the disk, at most 48 MiB
    std::chrono::milliseconds seal_every{1000};  // 0: only at opening and closing
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

private:
    struct database;
    explicit rocks_backend(std::unique_ptr<database> db);
    [[nodiscard]] static result<std::unique_ptr<database>, storage_error> open_database(const std::filesystem::path& dir,
                                                                                        const rocks_options& with);
    [[nodiscard]] storage_error closed() const;

    const std::filesystem::path dir_;
    const rocks_options with_;
    mutable std::shared_mutex mutex_; // db_ itself: exclusive while it is opened again
    std::unique_ptr<database> db_;    // null: a write failed, and opening again has not succeeded yet
    storage_error::kind last_kind_ = storage_error::kind::other; // of a write that failed
    std::string why_closed_;
    friend struct rocks_opening;
};

} // namespace broker::storage
