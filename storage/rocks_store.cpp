#include "storage/rocks_store.hpp"

#include "storage/keys.hpp"

#include <fmt/format.h>

#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/options.h>
#include <rocksdb/slice.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <array>
#include <vector>

namespace broker::storage {

namespace {

constexpr std::string_view format_version = "1";

rocksdb::Slice slice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }
std::string_view view(const rocksdb::Slice& bytes) { return {bytes.data(), bytes.size()}; }

// The first key after every key with this prefix; empty: there is none.
std::string after_prefix(std::string_view prefix) {
    std::string next{prefix};
    while (!next.empty() && static_cast<unsigned char>(next.back()) == 0xFF) next.pop_back();
    if (!next.empty()) ++next.back();
    return next;
}

} // namespace

struct rocks_backend::database {
    std::filesystem::path dir;
    std::unique_ptr<rocksdb::DB> db;
    std::array<rocksdb::ColumnFamilyHandle*, columns> handles{};

    ~database() {
        for (auto* const h : handles) {
            if (h != nullptr) (void)db->DestroyColumnFamilyHandle(h);
        }
        if (db) (void)db->Close();
    }
    [[nodiscard]] rocksdb::ColumnFamilyHandle* of(column c) const { return handles[static_cast<std::size_t>(c)]; }
    [[nodiscard]] storage_error error(std::string_view doing, const rocksdb::Status& s) const {
        return {fmt::format("{}: {}: {}", dir.string(), doing, s.ToString())};
    }
};

rocks_backend::rocks_backend(std::unique_ptr<database> db) : db_{std::move(db)} {}
rocks_backend::~rocks_backend() = default;

result<std::unique_ptr<rocks_backend>, storage_error> rocks_backend::open(const std::filesystem::path& dir) {
    std::error_code ec;
    std::filesystem::create_directories(dir, ec);
    if (ec) {
        return fail(storage_error{fmt::format("data directory {}: cannot create it: {}; choose another with --data-dir "
                                              "or make its parent writable",
                                              dir.string(), ec.message())});
    }
    rocksdb::DBOptions options;
    options.create_if_missing = true;
    options.create_missing_column_families = true;
    options.max_background_jobs = 2;
    options.max_open_files = 512;
    options.max_total_wal_size = 256ULL << 20;
    options.keep_log_file_num = 2;
    options.max_log_file_size = 4 << 20;
    options.recycle_log_file_num = 2;
    options.enable_pipelined_write = false; // one writer
    options.db_write_buffer_size = 96ULL << 20;
    options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;

    rocksdb::BlockBasedTableOptions table;
    table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
    table.block_cache = rocksdb::NewLRUCache(64ULL << 20);
    rocksdb::ColumnFamilyOptions family;
    family.write_buffer_size = 32ULL << 20;
    family.compression = rocksdb::kLZ4Compression;
    family.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));

    std::vector<rocksdb::ColumnFamilyDescriptor> families{{rocksdb::kDefaultColumnFamilyName, family}};
    for (std::size_t i = 0; i != columns; ++i) families.emplace_back(std::string{name(static_cast<column>(i))}, family);

    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    rocksdb::DB* opened = nullptr;
    const auto status = rocksdb::DB::Open(options, dir.string(), families, &handles, &opened);
    if (!status.ok()) {
        const auto why = status.ToString();
        if (why.find("lock") != std::string::npos && why.find("LOCK") != std::string::npos &&
            why.find("ermission") == std::string::npos) {
            return fail(storage_error{fmt::format("data directory {}: in use by another brokerd; stop it or choose "
                                                  "another directory with --data-dir",
                                                  dir.string())});
        }
        return fail(storage_error{fmt::format("data directory {}: {}", dir.string(), why)});
    }
    auto db = std::make_unique<database>();
    db->dir = dir;
    db->db.reset(opened);
    (void)opened->DestroyColumnFamilyHandle(handles[0]);
    for (std::size_t i = 0; i != columns; ++i) db->handles[i] = handles[i + 1];

    std::unique_ptr<rocks_backend> made{new rocks_backend{std::move(db)}};
    const auto format = made->get(column::meta, format_key());
    if (!format) return fail(format.error());
    if (!*format) {
        batch first;
        first.put(column::meta, format_key(), format_version);
        const auto* const group = &first;
        if (auto written = made->write({&group, 1}, true); !written) return fail(written.error());
    } else if (**format != format_version) {
        return fail(storage_error{fmt::format("data directory {}: format {} is not known to this brokerd (it knows {}); "
                                              "use the version that wrote it",
                                              dir.string(), **format, format_version)});
    }
    return made;
}

result<void, storage_error> rocks_backend::write(std::span<const batch* const> group, bool sync) {
    rocksdb::WriteBatch all;
    rocksdb::Status bad;
    for (const auto* const b : group) {
        b->for_each([&](const batch::operation& o) {
            auto* const in = db_->of(o.in);
            rocksdb::Status s;
            switch (o.what) {
            case batch::operation::kind::put: s = all.Put(in, slice(o.key), slice(o.value)); break;
            case batch::operation::kind::erase: s = all.Delete(in, slice(o.key)); break;
            case batch::operation::kind::erase_prefix:
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
    if (!status.ok()) return fail(db_->error("write", status));
    return {};
}

result<std::optional<std::string>, storage_error> rocks_backend::get(column c, std::string_view key) const {
    std::string value;
    const auto status = db_->db->Get(rocksdb::ReadOptions{}, db_->of(c), slice(key), &value);
    if (status.IsNotFound()) return std::nullopt;
    if (!status.ok()) return fail(db_->error("read", status));
    return value;
}

result<void, storage_error> rocks_backend::scan(column c, std::string_view prefix, std::string_view from,
                                                const row_visitor& visit) const {
    const std::unique_ptr<rocksdb::Iterator> it{db_->db->NewIterator(rocksdb::ReadOptions{}, db_->of(c))};
    for (it->Seek(slice(std::max(prefix, from))); it->Valid() && view(it->key()).starts_with(prefix); it->Next()) {
        if (!visit(view(it->key()), view(it->value()))) return {};
    }
    if (!it->status().ok()) return fail(db_->error("scan", it->status()));
    return {};
}

void rocks_backend::recover() { (void)db_->db->Resume(); }

} // namespace broker::storage
