#include "storage/rocks_store.hpp"

#include "core/assert.hpp"
#include "storage/keys.hpp"
#include "storage/rocks_database.hpp"

#include <fmt/format.h>

#include <algorithm>

#include <rocksdb/cache.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/sst_file_reader.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <sys/statvfs.h>

namespace broker::storage {

namespace {

constexpr std::size_t block_cache_bytes = 4ULL << 20;
constexpr std::uint64_t reopen_room = 8ULL << 20; // opening writes a MANIFEST, a log, and what the old log holds besides
constexpr std::uint64_t memtables_bytes_max = 16ULL << 20;

// RocksDB would go on by itself when there is room again, on a thread of its own, with a log that has failed: it must not.
class no_recovery final : public rocksdb::EventListener {
public:
    void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, rocksdb::Status, bool* by_itself) override { *by_itself = false; }
};

// RocksDB's messages to itself go nowhere: when a line of its LOG cannot be written, for want of room, the next one ends the process
// (an assertion, compiled into Debian's library).
class silent_logger final : public rocksdb::Logger {
public:
    using rocksdb::Logger::Logv;
    void Logv(const char*, va_list) override {}
};

// Where a session's or queue's last entry went is remembered: the next one goes beside it, without a search from the top. A range
// that is deleted begins with less than a whole key: it is kept in another list, where such a place means nothing.
class by_owner final : public rocksdb::SliceTransform {
public:
    const char* Name() const override { return "brokerd.owner"; }
    rocksdb::Slice Transform(const rocksdb::Slice& key) const override { return {key.data(), owner_size}; }
    bool InDomain(const rocksdb::Slice& key) const override { return key.size() >= whole_key; }

    static constexpr std::size_t whole_key = 16; // of entries, queue_entries and outbound_qos2 at least
};

} // namespace

// --- settings ---

std::string after_prefix(std::string_view prefix) {
    std::string next{prefix};
    while (!next.empty() && static_cast<unsigned char>(next.back()) == 0xFF) next.pop_back();
    if (!next.empty()) ++next.back();
    return next;
}

std::shared_ptr<rocksdb::Cache> block_cache() { return rocksdb::NewLRUCache(block_cache_bytes); }

rocksdb::DBOptions database_options(rocksdb::Env* env) {
    rocksdb::DBOptions options;
    if (env != nullptr) options.env = env;
    options.max_background_jobs = 2;
    options.max_open_files = static_cast<int>(rocks_options{}.open_files);
    options.max_total_wal_size = 256ULL << 20;
    options.info_log = std::make_shared<silent_logger>();
    options.recycle_log_file_num = 0;       // a recycled log's end cannot be told from damage
    options.enable_pipelined_write = false; // one writer
    options.paranoid_checks = true;
    // check_log() has told damage from a torn tail before RocksDB reads a log; what is left to stop at is the tail.
    options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
    options.track_and_verify_wals_in_manifest = true;
    options.manifest_preallocation_size = 64 << 10; // a small disk has better uses for 4 MiB
    options.max_bgerror_resume_count = 0; // recover() opens the store again instead
    options.listeners.push_back(std::make_shared<no_recovery>());
    return options;
}

rocksdb::ColumnFamilyOptions family_options(std::shared_ptr<rocksdb::Cache> cache) {
    rocksdb::BlockBasedTableOptions table;
    table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
    table.block_cache = std::move(cache);
    table.cache_index_and_filter_blocks = true; // memory does not follow the backlog
    table.pin_l0_filter_and_index_blocks_in_cache = true;
    rocksdb::ColumnFamilyOptions family;
    family.write_buffer_size = 16ULL << 20;
    family.compression = rocksdb::kLZ4Compression;
    family.memtable_insert_with_hint_prefix_extractor = std::make_shared<by_owner>();
    family.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
    return family;
}

storage_error::kind kind_of(const rocksdb::Status& s) {
    using kind = storage_error::kind;
    if (s.IsNoSpace()) return kind::no_space;
    if (s.IsCorruption()) return kind::damaged;
    return kind::other;
}

// --- the database ---

rocks_backend::database::~database() {
    if (upkeep_.joinable()) {
        {
            const std::lock_guard lock{mutex_};
            ending_ = true;
            ended_.notify_one();
        }
        db->DisableManualCompaction(); // ends give_back()
        upkeep_.join();
    }
    if (!db) return;
    if (!read_only && writes.load() != sealed_writes_) (void)write_seal();
    for (auto* const h : handles) {
        if (h != nullptr) (void)db->DestroyColumnFamilyHandle(h);
    }
    (void)db->Close();
}

storage_error rocks_backend::database::error(std::string_view doing, const rocksdb::Status& s) const {
    return {fmt::format("{}: {}: {}", dir.string(), doing, s.ToString()), kind_of(s)};
}

bool rocks_backend::database::write_seal() {
    if (failed.load()) return false;
    const auto before = writes.load();
    seal s{.format = std::string{format_version}, .every_group_synced = with.every_group_synced};
    for (std::size_t i = 0; i != columns; ++i) s.columns.emplace_back(name(static_cast<column>(i)));
    // The MANIFEST first: a log that it does not need any more is about to be deleted, and one that it stops to need later makes it longer.
    std::vector<std::string> live;
    if (!db->GetLiveFiles(live, &s.manifest.second, false).ok()) return false;
    for (const auto& file : live) {
        if (file.find("MANIFEST-") != std::string::npos) s.manifest.first = file.substr(1);
    }
    std::uint64_t first_needed = 0;
    if (!db->GetIntProperty(rocksdb::DB::Properties::kMinLogNumberToKeep, &first_needed)) return false;
    // Sizes first, the sync after them: what SEAL says is on disk is.
    rocksdb::VectorLogPtr wals;
    if (!db->GetSortedWalFiles(wals).ok()) return false;
    for (const auto& w : wals) {
        if (w->Type() == rocksdb::kAliveLogFile && w->LogNumber() >= first_needed) {
            s.wals.emplace_back(w->PathName().substr(1), w->SizeFileBytes());
        }
    }
    // An empty group synced, not SyncWAL(): that one does not ask whether an earlier write has failed.
    rocksdb::WriteBatch nothing;
    rocksdb::WriteOptions synced;
    synced.sync = true;
    if (!db->Write(synced, &nothing).ok()) return false;
    const auto to = (dir / seal_name).string();
    const auto fresh = to + ".new";
    std::unique_ptr<rocksdb::Directory> directory;
    if (!rocksdb::WriteStringToFile(env, encode_seal(s), fresh, true).ok() || !env->RenameFile(fresh, to).ok() ||
        !env->NewDirectory(dir.string(), &directory).ok() || !directory->Fsync().ok()) {
        return false;
    }
    sealed_writes_ = before;
    return true;
}

void rocks_backend::database::start_upkeep() {
    if (with.seal_every.count() != 0) upkeep_ = std::thread{[this] { keep_up(); }};
}

void rocks_backend::database::keep_up() {
    std::unique_lock lock{mutex_};
    while (!ended_.wait_for(lock, with.seal_every, [this] { return ending_; })) {
        lock.unlock();
        if (writes.load() != sealed_writes_) (void)write_seal();
        give_back();
        lock.lock();
    }
}

// --- the backend ---

rocks_backend::rocks_backend(std::unique_ptr<database> db) : dir_{db->dir}, with_{db->with}, db_{std::move(db)} {}
rocks_backend::~rocks_backend() = default;

std::vector<std::string> rocks_backend::notes() const {
    const std::shared_lock lock{mutex_};
    return db_ ? db_->notes : std::vector<std::string>{};
}

void rocks_backend::recover() {
    if (db_ && !db_->failed.load(std::memory_order_relaxed)) return;
    const auto left = room_left();
    if (left && left->free < std::min(reopen_room + memtables_bytes(with_, left), left->total / 10)) return;
    const std::unique_lock lock{mutex_};
    db_.reset();
    auto with = with_;
    with.verify_for = std::chrono::milliseconds{0};
    auto again = open_database(dir_, with);
    if (!again) {
        last_ = again.error();
        return;
    }
    db_ = std::move(*again);
}

result<void, storage_error> rocks_backend::write(std::span<const batch* const> group, bool sync) {
    std::shared_lock lock{mutex_};
    if (!db_) return fail(last_);
    if (db_->failed.load(std::memory_order_relaxed)) return fail(last_);
    std::size_t bytes = 0;
    for (const auto* const b : group) bytes += b->bytes();
    rocksdb::WriteBatch all{bytes};
    rocksdb::Status bad;
    for (const auto* const b : group) {
        b->for_each([&](const batch::operation& o) {
            auto* const in = db_->of(o.in);
            rocksdb::Status s;
            switch (o.what) {
            case batch::operation::kind::put: s = all.Put(in, slice(o.key), slice(o.value)); break;
            case batch::operation::kind::erase: s = all.Delete(in, slice(o.key)); break;
            case batch::operation::kind::erase_prefix:
                BROKER_ASSERT(o.key.size() < by_owner::whole_key);
                s = all.DeleteRange(in, slice(o.key), slice(after_prefix(o.key)));
                break;
            }
            if (!s.ok()) bad = s;
        });
    }
    if (!bad.ok()) return fail(db_->error("collecting a batch", bad));
    rocksdb::WriteOptions options;
    options.sync = sync;
    const auto status = db_->db->Write(options, &all);
    db_->writes.fetch_add(1, std::memory_order_relaxed);
    if (status.ok()) return {};
    db_->failed.store(true, std::memory_order_relaxed);
    auto why = db_->error("write", status);
    lock.unlock();
    const std::lock_guard alone{mutex_};
    last_ = why;
    return fail(std::move(why));
}

result<std::optional<std::string>, storage_error> rocks_backend::get(column c, std::string_view key) const {
    const std::shared_lock lock{mutex_};
    if (!db_) return fail(last_);
    std::string value;
    const auto status = db_->db->Get(rocksdb::ReadOptions{}, db_->of(c), slice(key), &value);
    if (status.IsNotFound()) return std::nullopt;
    if (!status.ok()) return fail(db_->error("read", status));
    return value;
}

result<void, storage_error> rocks_backend::scan(column c, std::string_view prefix, std::string_view from,
                                                const row_visitor& visit) const {
    const std::shared_lock lock{mutex_};
    if (!db_) return fail(last_);
    const auto end = after_prefix(prefix);
    const auto bound = slice(end);
    rocksdb::ReadOptions options;
    if (!end.empty()) options.iterate_upper_bound = &bound; // tombstones of the neighbours are not walked over
    const std::unique_ptr<rocksdb::Iterator> it{db_->db->NewIterator(options, db_->of(c))};
    for (it->Seek(slice(std::max(prefix, from))); it->Valid() && view(it->key()).starts_with(prefix); it->Next()) {
        if (!visit(view(it->key()), view(it->value()))) return {};
    }
    if (!it->status().ok()) return fail(db_->error("scan", it->status()));
    return {};
}

// One iterator: making one looks at every file, and what one seek has read the next one finds.
result<void, storage_error> rocks_backend::scan_owners(column c, const row_visitor& visit) const {
    const std::shared_lock lock{mutex_};
    if (!db_) return fail(last_);
    const std::unique_ptr<rocksdb::Iterator> it{db_->db->NewIterator(rocksdb::ReadOptions{}, db_->of(c))};
    it->SeekToFirst();
    while (it->Valid()) {
        if (!visit(view(it->key()), view(it->value()))) return {};
        const auto next = after_prefix(view(it->key()).substr(0, owner_size));
        if (next.empty()) break;
        it->Seek(slice(next));
    }
    if (!it->status().ok()) return fail(db_->error("scan", it->status()));
    return {};
}

std::optional<backend::room> rocks_backend::room_left() const { return room_of(dir_); }

std::optional<backend::room> room_of(const std::filesystem::path& dir) {
    struct statvfs fs {};
    if (::statvfs(dir.c_str(), &fs) != 0) return std::nullopt;
    return backend::room{.free = static_cast<std::uint64_t>(fs.f_bavail) * fs.f_frsize,
                .total = static_cast<std::uint64_t>(fs.f_blocks) * fs.f_frsize};
}

std::size_t memtables_bytes(const rocks_options& with, const std::optional<backend::room>& on) {
    if (with.memtables_bytes != 0) return with.memtables_bytes;
    return on ? std::clamp<std::uint64_t>(on->total / 20, 1ULL << 20, memtables_bytes_max) : memtables_bytes_max;
}

// --- verification ---

result<void, storage_error> verify_file(const rocksdb::Options& with, const std::string& path) {
    rocksdb::SstFileReader file{with};
    auto s = file.Open(path);
    if (s.ok()) s = file.VerifyChecksum();
    if (s.ok()) { // a footer that names another format leaves the checksums right and the rows unreadable
        rocksdb::ReadOptions once;
        once.fill_cache = false;
        const std::unique_ptr<rocksdb::Iterator> row{file.NewIterator(once)};
        for (row->SeekToFirst(); row->Valid();) row->Next();
        s = row->status();
    }
    if (s.ok()) return {};
    return fail(storage_error{fmt::format("{}: {}", path, s.ToString()),
                              s.IsCorruption() ? storage_error::kind::damaged : kind_of(s)});
}

} // namespace broker::storage
