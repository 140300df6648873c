// rocks_database: what rocks_store.cpp and rocks_open.cpp share. RocksDB's own headers stay behind these files.
#pragma once

#include "storage/rocks_seal.hpp"
#include "storage/rocks_store.hpp"
#include "storage/upgrade.hpp"

#include <rocksdb/db.h>
#include <rocksdb/options.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace broker::storage {

[[nodiscard]] inline rocksdb::Slice slice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }
[[nodiscard]] inline std::string_view view(const rocksdb::Slice& bytes) { return {bytes.data(), bytes.size()}; }

// The first key after every key with this prefix; empty: there is none.
[[nodiscard]] std::string after_prefix(std::string_view prefix);

// Process-wide settings and those of every column family; `env` may be null.
[[nodiscard]] rocksdb::DBOptions database_options(rocksdb::Env* env);
[[nodiscard]] rocksdb::ColumnFamilyOptions family_options(std::shared_ptr<rocksdb::Cache> cache);
[[nodiscard]] std::shared_ptr<rocksdb::Cache> block_cache();
[[nodiscard]] storage_error::kind kind_of(const rocksdb::Status& s);

// A data file: its blocks match their checksums and its rows can be read; the error names the file.
[[nodiscard]] result<void, storage_error> verify_file(const rocksdb::Options& with, const std::string& path);

// The file system `dir` is on.
[[nodiscard]] std::optional<backend::room> room_of(const std::filesystem::path& dir);
// What memtables may hold, all column families together; opening again after a failure needs as much room.
[[nodiscard]] std::size_t memtables_bytes(const rocks_options& with, const std::optional<backend::room>& on);

// What the files of a store are that nobody has open, judged as a start judges them; nothing is changed.
struct examined_files {
    std::vector<std::string> data_files{};
    std::vector<std::string> wals{}; // in order
    std::vector<std::string> missing_wals{};
    std::vector<std::pair<std::string, std::uint64_t>> synced_wals{}; // as SEAL says
    std::vector<std::string> families{};
    std::vector<std::string> notes{};
    std::vector<std::string> wrong{};
    bool lists_intact = true;        // CURRENT and the MANIFEST; what follows from them is judged only then
    std::vector<std::string> wrong_data_files{};
    std::uint64_t bytes = 0;
};
// Refuses what is no store, is in use or of an unknown format. Ends early when `go_on` says so.
[[nodiscard]] result<examined_files, storage_error> examine_files(const std::filesystem::path& dir, const std::function<bool()>& go_on);

struct rocks_backend::database {
    std::filesystem::path dir;
    rocks_options with;
    rocksdb::Env* env = nullptr; // never null
    std::unique_ptr<rocksdb::DB> db;
    std::array<rocksdb::ColumnFamilyHandle*, columns> handles{};
    std::vector<std::string> notes;
    bool read_only = false; // no SEAL is written

    database() = default;
    ~database();
    database(const database&) = delete;
    database& operator=(const database&) = delete;

    [[nodiscard]] rocksdb::ColumnFamilyHandle* of(column c) const { return handles[static_cast<std::size_t>(c)]; }
    [[nodiscard]] storage_error error(std::string_view doing, const rocksdb::Status& s) const;

    // To look at: these families of those it may have. `files` may be a store without its logs.
    [[nodiscard]] static result<std::unique_ptr<database>, rocksdb::Status> open_read_only(
        const std::filesystem::path& files, const std::vector<std::string>& families, bool with_logs);

    // Syncs the log and writes SEAL. False: it could not; the old one still holds.
    bool write_seal();
    void start_upkeep(); // SEAL and give_back(), now and then, on a thread of its own
    // With too little room: what erased rows take, as far as that needs little. Takes as long as it takes.
    void give_back();

    std::atomic<std::uint64_t> writes{0};
    std::atomic<bool> failed{false}; // a write: nothing more is written before recover()

private:
    void keep_up();

    std::uint64_t weighed_writes_ = 0;
    std::chrono::steady_clock::time_point weighed_at_{};
    std::mutex mutex_;
    std::condition_variable ended_;
    bool ending_ = false;
    std::uint64_t sealed_writes_ = ~0ULL;
    std::thread upkeep_;
};

} // namespace broker::storage
