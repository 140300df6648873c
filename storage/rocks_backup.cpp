// A copy of the running store, and what there is to say about it.
#include "storage/keys.hpp"
#include "storage/rocks_database.hpp"
#include "storage/rocks_log.hpp"

#include <fmt/format.h>

#include <rocksdb/env.h>
#include <rocksdb/utilities/checkpoint.h>

#include <sys/stat.h>

namespace broker::storage {

namespace fs = std::filesystem;

namespace {

struct copying {
    const fs::path& to;
    const fs::path partial;
    rocksdb::Env* env;

    [[nodiscard]] auto refuse(std::string_view why) const {
        std::error_code ignored;
        fs::remove_all(partial, ignored);
        return fail(storage_error{fmt::format("backup {}: {}", to.string(), why)});
    }

    // What of each log is complete is named, so that a copy that is cut off later is known for what it is.
    [[nodiscard]] result<rocks_backend::backup, std::string> seal_files(const fs::path& in, seal s) const {
        rocks_backend::backup made;
        for (const auto& f : fs::directory_iterator{in}) {
            const auto file = f.path().filename().string();
            ++made.files;
            made.bytes += f.file_size();
            if (file.starts_with("MANIFEST-")) s.manifest = {file, f.file_size()};
            if (!file.ends_with(".log")) continue;
            std::string bytes;
            if (const auto read = rocksdb::ReadFileToString(env, f.path().string(), &bytes); !read.ok()) return fail(read.ToString());
            const auto found = check_log(bytes, {.every_group_synced = s.every_group_synced, .numbered = true});
            if (found.what == log_finding::verdict::damaged) return fail(fmt::format("{}: {}", file, found.why));
            s.wals.emplace_back(file, found.what == log_finding::verdict::torn ? found.at : bytes.size());
        }
        if (const auto wrote = rocksdb::WriteStringToFile(env, encode_seal(s), (in / seal_name).string(), true); !wrote.ok()) return fail(wrote.ToString());
        return made;
    }

    [[nodiscard]] bool sync(const fs::path& directory) const {
        std::unique_ptr<rocksdb::Directory> opened;
        return env->NewDirectory(directory.string(), &opened).ok() && opened->Fsync().ok();
    }
};

} // namespace

result<rocks_backend::backup, storage_error> rocks_backend::back_up(const fs::path& to) const {
    const std::shared_lock lock{mutex_};
    if (!db_) return fail(last_);
    const copying work{.to = to, .partial = to.string() + ".partial", .env = db_->env};
    std::error_code ec;
    if (fs::exists(fs::symlink_status(to, ec))) return fail(storage_error{fmt::format("backup {}: it exists already; choose another name", to.string())});
    // Nobody else looks in while RocksDB makes its files.
    if (::mkdir(work.partial.c_str(), 0700) != 0) {
        const bool left = errno == EEXIST;
        return fail(storage_error{fmt::format("backup {}: {}{}", work.partial.string(), std::generic_category().message(errno),
                                              left ? "; left by a backup that was interrupted? remove it" : "; make its parent writable for brokerd, or choose another")});
    }
    const auto files = work.partial / "store";
    rocksdb::Checkpoint* raw = nullptr;
    auto status = rocksdb::Checkpoint::Create(db_->db.get(), &raw);
    const std::unique_ptr<rocksdb::Checkpoint> checkpoint{raw};
    if (status.ok()) status = checkpoint->CreateCheckpoint(files.string());
    if (!status.ok()) return work.refuse(status.ToString());
    fs::permissions(files, fs::perms::owner_all, ec);
    seal s{.format = std::string{format_version}, .every_group_synced = with_.every_group_synced};
    for (std::size_t i = 0; i != columns; ++i) s.columns.emplace_back(name(static_cast<column>(i)));
    const auto made = work.seal_files(files, std::move(s));
    if (!made) return work.refuse(made.error());
    if (!work.sync(files)) return work.refuse("its directory cannot be synced");
    fs::rename(files, to, ec);
    if (ec) return work.refuse(ec.message());
    fs::remove(work.partial, ec);
    if (!work.sync(fs::absolute(to).parent_path())) return work.refuse("the directory it is in cannot be synced");
    return *made;
}

result<rocks_backend::facts, storage_error> rocks_backend::look() const {
    const std::shared_lock lock{mutex_};
    if (!db_) return fail(last_);
    facts f;
    std::string format;
    if (db_->db->Get(rocksdb::ReadOptions{}, db_->of(column::meta), slice(format_key()), &format).ok()) f.format = format;
    std::vector<rocksdb::LiveFileMetaData> files;
    db_->db->GetLiveFilesMetaData(&files);
    f.data_files = files.size();
    for (std::size_t i = 0; i != columns; ++i) {
        auto& c = f.by_column[i];
        auto* const family = db_->handles[i];
        for (const auto& file : files) {
            if (file.column_family_name != name(static_cast<column>(i))) continue;
            c.bytes += file.size;
        }
        f.data_bytes += c.bytes;
        (void)db_->db->GetIntProperty(family, rocksdb::DB::Properties::kEstimateNumKeys, &c.rows);
        std::uint64_t value = 0;
        if (db_->db->GetIntProperty(family, rocksdb::DB::Properties::kCurSizeAllMemTables, &value)) f.memory_bytes += value;
        if (db_->db->GetIntProperty(family, rocksdb::DB::Properties::kEstimatePendingCompactionBytes, &value)) f.to_compact += value;
    }
    rocksdb::VectorLogPtr wals;
    if (db_->db->GetSortedWalFiles(wals).ok()) {
        for (const auto& w : wals) f.log_bytes += w->SizeFileBytes();
    }
    return f;
}

} // namespace broker::storage
