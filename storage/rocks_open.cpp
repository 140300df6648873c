// Opening: what is in the directory is judged before RocksDB may change it.
#include "storage/data_directory.hpp"
#include "storage/keys.hpp"
#include "storage/rocks_database.hpp"
#include "storage/rocks_log.hpp"

#include <fmt/format.h>

#include <rocksdb/env.h>

#include <algorithm>
#include <chrono>

namespace broker::storage {

namespace {

constexpr int looked_at_files = 20; // kept open by a store that is read from one end to the other

bool all_digits(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

bool has_form(std::string_view file, std::string_view before, std::string_view after) {
    return file.size() > before.size() + after.size() && file.starts_with(before) && file.ends_with(after) &&
           all_digits(file.substr(before.size(), file.size() - before.size() - after.size()));
}

} // namespace

struct rocks_opening {
    const std::filesystem::path& dir;
    const rocks_options& with;
    rocksdb::Env* env;
    std::optional<seal> sealed{};
    std::vector<std::string> wals{}; // in order
    std::vector<std::string> manifests{};
    bool has_current = false;
    std::string current{}; // its text
    bool manifest_is_sealed = false; // it is the one SEAL knows, and nothing was added since
    std::vector<std::string> data_files{}; // *.sst
    std::vector<std::string> notes{};

    [[nodiscard]] auto refuse(std::string_view why, std::string_view what_to_do,
                              storage_error::kind kind = storage_error::kind::other) const {
        return fail(storage_error{fmt::format("data directory {}: {}; {}", dir.string(), why, what_to_do), kind});
    }
    [[nodiscard]] auto damaged(std::string_view file, std::string_view why) const {
        return refuse(fmt::format("{} is damaged: {}", (dir / file).string(), why), way_out(), storage_error::kind::damaged);
    }

    [[nodiscard]] bool empty() const { return !has_current && data_files.empty() && wals.empty() && manifests.empty(); }

    result<void, storage_error> look() {
        std::vector<std::string> files;
        if (const auto s = env->GetChildren(dir.string(), &files); !s.ok()) return refuse(s.ToString(), "make it readable");
        std::ranges::sort(files);
        bool has_seal = false;
        for (const auto& f : files) {
            has_seal |= f == seal_name;
            has_current |= f == "CURRENT";
            if (has_form(f, "", ".sst")) data_files.push_back(f);
            if (has_form(f, "", ".log")) wals.push_back(f);
            if (has_form(f, "MANIFEST-", "")) manifests.push_back(f);
        }
        if (!has_seal) {
            if (has_current) notes.push_back(fmt::format("{} is missing; the files are checked without it", (dir / seal_name).string()));
            return {};
        }
        const auto text = read(std::string{seal_name});
        if (!text) return fail(text.error());
        sealed = decode_seal(*text);
        if (!sealed) notes.push_back(fmt::format("{} is damaged; the files are checked without it", (dir / seal_name).string()));
        if (sealed && !knows_format(sealed->format)) return unknown_format(sealed->format);
        return {};
    }

    [[nodiscard]] std::unexpected<storage_error> unknown_format(std::string_view format) const {
        return refuse(fmt::format("format {} is not known to this brokerd (it knows {})", format, format_version),
                      "use the version that wrote it");
    }

    [[nodiscard]] result<std::string, storage_error> read(const std::string& file) const {
        std::string text;
        if (const auto s = rocksdb::ReadFileToString(env, (dir / file).string(), &text); !s.ok()) {
            return refuse(fmt::format("{} cannot be read: {}", (dir / file).string(), s.ToString()),
                          "make it readable, or restore a backup");
        }
        return text;
    }

    // A brokerd that died while creating its first files left nothing anybody relied on.
    result<void, storage_error> tidy_half_made() {
        if (has_current || sealed || !data_files.empty()) return {};
        for (const auto& wal : wals) {
            const auto text = read(wal);
            if (!text) return fail(text.error());
            if (!text->empty()) return {};
        }
        for (const auto* const files : {&wals, &manifests}) {
            for (const auto& f : *files) (void)env->DeleteFile((dir / f).string());
        }
        wals.clear();
        manifests.clear();
        return {};
    }

    result<void, storage_error> check_current_and_manifest() {
        if (!has_current) return damaged("CURRENT", "it is missing, and there are other files of a store");
        auto named = read("CURRENT");
        if (!named) return fail(named.error());
        current = *named;
        if (!named->ends_with('\n') || !has_form(named->substr(0, named->size() - 1), "MANIFEST-", "")) {
            return damaged("CURRENT", "it does not name a MANIFEST");
        }
        named->pop_back();
        std::uint64_t synced = 0;
        if (sealed) {
            // A newer MANIFEST has a higher number; names have leading zeros.
            if (*named < sealed->manifest.first && named->size() <= sealed->manifest.first.size()) {
                return damaged("CURRENT", fmt::format("it names {}, older than {}", *named, sealed->manifest.first));
            }
            if (*named == sealed->manifest.first) synced = sealed->manifest.second;
        }
        if (!std::ranges::binary_search(manifests, *named)) {
            return damaged(*named, "it is missing, and CURRENT names it");
        }
        const auto bytes = read(*named);
        if (!bytes) return fail(bytes.error());
        if (bytes->empty()) return damaged(*named, "it is empty");
        const auto found = check_log(*bytes, {.synced = synced});
        if (found.what == log_finding::verdict::damaged) return damaged(*named, found.why);
        manifest_is_sealed = sealed && *named == sealed->manifest.first && bytes->size() == synced;
        return {};
    }

    // What SEAL names may be gone, but not without the MANIFEST telling.
    [[nodiscard]] std::vector<std::string> missing_wals() const {
        std::vector<std::string> missing;
        if (!manifest_is_sealed) return missing;
        for (const auto& [name, size] : sealed->wals) {
            if (size != 0 && !std::ranges::binary_search(wals, name)) missing.push_back(name);
        }
        return missing;
    }

    result<void, storage_error> check_wals() {
        if (const auto missing = missing_wals(); !missing.empty()) return damaged(missing.front(), "it is missing");
        // A group that was not completely written is followed by nothing, or by one that takes its number: in the next log.
        std::string torn;
        std::uint64_t expected = 0;
        for (const auto& wal : wals) {
            const auto bytes = read(wal);
            if (!bytes) return fail(bytes.error());
            if (bytes->empty() && !sealed_size(wal)) continue;
            const bool synced = sealed ? sealed->every_group_synced : with.every_group_synced;
            const auto found =
                check_log(*bytes, {.synced = sealed_size(wal), .every_group_synced = synced, .numbered = true});
            if (!torn.empty() && synced && found.first != 0 && expected != 0 && found.first != expected) {
                return damaged(torn, "it ends within a record, and a later log goes on behind it");
            }
            if (found.what == log_finding::verdict::damaged) return damaged(wal, found.why);
            if (found.what != log_finding::verdict::torn) continue;
            torn = wal;
            expected = found.next;
            notes.push_back(fmt::format("{}: the last {} bytes are a group that was not completely written; it was {} and "
                                        "is left out ({})",
                                        (dir / wal).string(), found.behind,
                                        synced ? "not acknowledged" : "not synced yet (durability async)", found.why));
        }
        return {};
    }

    [[nodiscard]] std::uint64_t sealed_size(const std::string& wal) const {
        if (!sealed) return 0;
        const auto it = std::ranges::find(sealed->wals, wal, [](const auto& w) { return w.first; });
        return it == sealed->wals.end() ? 0 : it->second;
    }

    result<std::vector<std::string>, storage_error> known_families() const {
        std::vector<std::string> found;
        rocksdb::DBOptions options;
        options.env = env;
        if (const auto s = rocksdb::DB::ListColumnFamilies(options, dir.string(), &found); !s.ok()) {
            return refuse(s.ToString(), "restore a backup, or try `brokerctl store repair`", storage_error::kind::damaged);
        }
        for (const auto& f : found) {
            bool ours = f == rocksdb::kDefaultColumnFamilyName;
            for (std::size_t i = 0; i != columns; ++i) ours |= f == name(static_cast<column>(i));
            if (!ours) {
                return refuse(fmt::format("it holds {}, which this brokerd does not know", f), "use the version that wrote it");
            }
        }
        if (!sealed) return found;
        for (const auto& f : sealed->columns) {
            if (std::ranges::find(found, f) == found.end()) {
                return fail(damaged(sealed->manifest.first, fmt::format("{} is missing from it", f)).error());
            }
        }
        return found;
    }

    [[nodiscard]] std::unexpected<storage_error> in_use(int pid) const {
        return refuse(fmt::format("in use by another brokerd{}", pid != 0 ? fmt::format(" (process {})", pid) : ""),
                      "stop it or choose another directory with --data-dir");
    }

    [[nodiscard]] std::unexpected<storage_error> not_opened(const rocksdb::Status& s) const {
        auto why = s.ToString();
        // A data file that is missing is last looked for under LevelDB's suffix.
        if (const auto at = why.find(".ldb"); at != std::string::npos) why.replace(at, 4, ".sst");
        if (s.IsIOError() && why.find("LOCK") != std::string::npos && why.find("lock") != std::string::npos &&
            why.find("ermission") == std::string::npos) {
            return in_use(0);
        }
        if (s.IsNoSpace()) return refuse(why, "make room on its file system", storage_error::kind::no_space);
        if (!s.IsCorruption() && !s.IsPathNotFound()) return refuse(why, "see the reason");
        // RocksDB blames the MANIFEST, which is intact, for a data file it cannot read.
        if (why.find("MANIFEST") != std::string::npos && why.find(".sst:") == std::string::npos) {
            if (auto intact = verify_all(); !intact) return damaged_store(intact.error().what);
        }
        return damaged_store(why);
    }

    [[nodiscard]] std::unexpected<storage_error> damaged_store(std::string_view why) const {
        return refuse(fmt::format("a file of it is damaged or missing: {}", why), way_out(), storage_error::kind::damaged);
    }
    [[nodiscard]] std::string way_out() const {
        return fmt::format("`brokerctl store repair {}` keeps what is intact and says what is not, or restore a backup",
                           dir.string());
    }

    [[nodiscard]] result<void, storage_error> verify_all() const {
        rocksdb::Options options{database_options(env), family_options(block_cache())};
        for (const auto& f : data_files) {
            if (auto intact = verify_file(options, (dir / f).string()); !intact) return intact;
        }
        return {};
    }

    // An attempt that failed, for want of room for instance, leaves the data files and the MANIFEST it had begun; every other
    // attempt would leave more. Nothing refers to them while CURRENT is what it was.
    void tidy_after_failure() const {
        std::vector<std::string> files;
        const auto now = read("CURRENT");
        if (!has_current || !now || *now != current || !env->GetChildren(dir.string(), &files).ok()) return;
        for (const auto& f : files) {
            const bool data = has_form(f, "", ".sst") && !std::ranges::binary_search(data_files, f);
            const bool manifest = has_form(f, "MANIFEST-", "") && !std::ranges::binary_search(manifests, f);
            if (data || manifest) (void)env->DeleteFile((dir / f).string());
        }
    }

    result<std::unique_ptr<rocks_backend::database>, storage_error> open_database(bool create) const {
        auto options = database_options(env);
        options.max_open_files = static_cast<int>(with.open_files);
        options.db_write_buffer_size = memtables_bytes(with, room_of(dir));
        options.create_if_missing = create;
        options.create_missing_column_families = true; // known_families() has seen to what must be there
        const auto family = family_options(block_cache());
        std::vector<rocksdb::ColumnFamilyDescriptor> families{{rocksdb::kDefaultColumnFamilyName, family}};
        for (std::size_t i = 0; i != columns; ++i) families.emplace_back(std::string{name(static_cast<column>(i))}, family);
        std::vector<rocksdb::ColumnFamilyHandle*> handles;
        rocksdb::DB* opened = nullptr;
        const auto status = rocksdb::DB::Open(options, dir.string(), families, &handles, &opened);
        if (!status.ok()) {
            tidy_after_failure();
            return not_opened(status);
        }
        auto db = std::make_unique<rocks_backend::database>();
        db->dir = dir;
        db->with = with;
        db->env = env;
        db->db.reset(opened);
        (void)opened->DestroyColumnFamilyHandle(handles[0]);
        for (std::size_t i = 0; i != columns; ++i) db->handles[i] = handles[i + 1];
        return db;
    }

    // Data files first, as far as `go_on` says; then what lists them.
    void examine(examined_files& found, const std::function<bool()>& go_on) {
        const rocksdb::Options options{database_options(env), family_options(block_cache())};
        for (const auto& f : data_files) {
            if (!go_on()) return;
            if (auto intact = verify_file(options, (dir / f).string()); !intact) {
                found.wrong.push_back(intact.error().what);
                found.wrong_data_files.push_back(f);
            }
        }
        if (auto checked = check_current_and_manifest(); !checked) {
            found.wrong.push_back(checked.error().what);
            found.lists_intact = false;
        } else if (auto families = known_families(); !families) {
            found.wrong.push_back(families.error().what);
            found.lists_intact = false;
        } else {
            found.families = std::move(*families);
        }
        if (auto checked = check_wals(); !checked) found.wrong.push_back(checked.error().what);
    }

    [[nodiscard]] storage_error judged(const storage_error& e) const {
        return e.why == storage_error::kind::damaged ? damaged_store(e.what).error() : e;
    }

    result<void, storage_error> check_format(rocks_backend::database& db) const {
        std::string format;
        auto* const meta = db.of(column::meta);
        auto status = db.db->Get(rocksdb::ReadOptions{}, meta, slice(format_key()), &format);
        if (status.ok()) {
            if (!knows_format(format)) return unknown_format(format);
            return {};
        }
        if (status.IsNotFound()) {
            if (sealed) return damaged("meta", "the format record is missing");
            rocksdb::WriteOptions synced;
            synced.sync = true;
            status = db.db->Put(synced, meta, slice(format_key()), slice(format_version));
        }
        if (!status.ok()) return fail(judged(db.error("format", status)));
        return {};
    }

    // What fits the time; blocks of the rest are checked when they are read. Compaction, which has begun by now, may not delete a
    // file that is looked at.
    static result<void, storage_error> verify_some(rocks_backend::database& db) {
        const struct kept_files {
            explicit kept_files(rocksdb::DB& of) : db{of} { (void)db.DisableFileDeletions(); }
            ~kept_files() { (void)db.EnableFileDeletions(); }
            kept_files(const kept_files&) = delete;
            kept_files& operator=(const kept_files&) = delete;
            rocksdb::DB& db;
        } kept{*db.db};
        std::vector<rocksdb::LiveFileMetaData> files;
        db.db->GetLiveFilesMetaData(&files);
        const auto options = db.db->GetOptions();
        const auto until = std::chrono::steady_clock::now() + db.with.verify_for;
        for (const auto& f : files) {
            if (std::chrono::steady_clock::now() >= until) break;
            if (auto intact = verify_file(options, f.db_path + f.name); !intact) return intact;
        }
        return {};
    }
};

result<std::unique_ptr<rocks_backend::database>, storage_error> rocks_backend::open_database(
    const std::filesystem::path& dir, const rocks_options& with) {
    if (auto ready = prepare_data_directory(dir); !ready) return fail(ready.error());
    rocks_opening o{.dir = dir, .with = with, .env = with.env != nullptr ? with.env : rocksdb::Env::Default()};
    // In use: its logs are being written, and would look torn.
    if (const int pid = lock_holder(dir / "LOCK"); pid != 0) return o.in_use(pid);
    if (auto looked = o.look(); !looked) return fail(looked.error());
    if (auto tidied = o.tidy_half_made(); !tidied) return fail(tidied.error());
    const bool create = o.empty() && !o.sealed;
    if (!create) {
        if (auto checked = o.check_current_and_manifest(); !checked) return fail(checked.error());
        if (auto families = o.known_families(); !families) return fail(families.error());
        if (auto checked = o.check_wals(); !checked) return fail(checked.error());
    }
    auto opened = o.open_database(create);
    if (!opened) return opened;
    auto& db = **opened;
    db.notes = std::move(o.notes);
    if (auto known = o.check_format(db); !known) return fail(known.error());
    if (auto intact = o.verify_some(db); !intact) return fail(o.judged(intact.error()));
    if (!db.write_seal()) {
        return o.refuse("SEAL cannot be written", "make room on its file system", storage_error::kind::no_space);
    }
    db.start_upkeep();
    return opened;
}

result<examined_files, storage_error> examine_files(const std::filesystem::path& dir, const std::function<bool()>& go_on) {
    const rocks_options with;
    rocks_opening o{.dir = dir, .with = with, .env = rocksdb::Env::Default()};
    std::error_code ec;
    if (!std::filesystem::is_directory(dir, ec)) return o.refuse("there is no such directory", "name the one that is node.data_dir, or a backup");
    if (const int pid = lock_holder(dir / "LOCK"); pid != 0) {
        return o.refuse(fmt::format("brokerd (process {}) has it open", pid), "stop it, or use `brokerctl store verify` without a directory");
    }
    if (auto looked = o.look(); !looked) return fail(looked.error());
    if (o.empty() && !o.sealed) return o.refuse("there is no store in it", "name the directory that is node.data_dir, or a backup");
    examined_files found;
    o.examine(found, go_on);
    found.missing_wals = o.missing_wals();
    if (o.sealed) found.synced_wals = o.sealed->wals;
    for (const auto& f : std::filesystem::directory_iterator{dir, ec}) found.bytes += f.is_regular_file(ec) ? f.file_size(ec) : 0;
    found.data_files = std::move(o.data_files);
    found.wals = std::move(o.wals);
    found.notes = std::move(o.notes);
    return found;
}

result<std::unique_ptr<rocks_backend::database>, rocksdb::Status> rocks_backend::database::open_read_only(
    const std::filesystem::path& files, const std::vector<std::string>& families, bool with_logs) {
    auto options = database_options(nullptr);
    options.max_open_files = looked_at_files;
    options.track_and_verify_wals_in_manifest = with_logs;
    const auto family = family_options(block_cache());
    std::vector<rocksdb::ColumnFamilyDescriptor> wanted;
    for (const auto& f : families) wanted.emplace_back(f, family);
    std::vector<rocksdb::ColumnFamilyHandle*> opened;
    rocksdb::DB* raw = nullptr;
    const auto status = rocksdb::DB::OpenForReadOnly(options, files.string(), wanted, &opened, &raw);
    if (!status.ok()) return fail(status);
    auto db = std::make_unique<database>();
    db->dir = files;
    db->env = rocksdb::Env::Default();
    db->read_only = true;
    db->db.reset(raw);
    for (auto* const h : opened) {
        bool ours = false;
        for (std::size_t i = 0; i != columns && !ours; ++i) {
            if (ours = h->GetName() == name(static_cast<column>(i)); ours) db->handles[i] = h;
        }
        if (!ours) (void)raw->DestroyColumnFamilyHandle(h);
    }
    return db;
}

result<std::unique_ptr<rocks_backend>, storage_error> rocks_backend::open(const std::filesystem::path& dir,
                                                                          const rocks_options& with) {
    auto opened = open_database(dir, with);
    if (!opened) return fail(opened.error());
    return std::unique_ptr<rocks_backend>{new rocks_backend{std::move(*opened)}};
}

} // namespace broker::storage
