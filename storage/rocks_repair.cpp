// Repair: what can be read of a damaged store becomes a new one. The rows of the data files first, then every intact group of the
// logs in order: what a log holds that data files hold too ends as it was.
#include "storage/keys.hpp"
#include "storage/maintenance.hpp"
#include "storage/record_check.hpp"
#include "storage/records.hpp"
#include "storage/rocks_database.hpp"
#include "storage/rocks_log.hpp"

#include <fmt/format.h>

#include <rocksdb/env.h>
#include <rocksdb/sst_file_reader.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <system_error>

#include <sys/stat.h>
#include <unistd.h>

namespace broker::storage {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t step_bytes = 4ULL << 20; // written at once
constexpr std::uint64_t lease_reserve = 1'000'000; // ids nobody has seen may have been given out

// Rows of one family, around what cannot be read.
class salvage {
public:
    using row = std::function<void(std::string_view key, std::string_view value)>;
    using gap = std::function<void(std::string_view after, std::string_view before)>; // empty: the beginning, the end

    salvage(rocks_backend::database& from, column in, row found, gap missing)
        : it_{from.db->NewIterator(once(), from.of(in))}, found_{std::move(found)}, missing_{std::move(missing)} {}

    void run() {
        it_->SeekToFirst();
        for (;;) {
            for (; it_->Valid(); it_->Next()) {
                last_ = view(it_->key());
                found_(view(it_->key()), view(it_->value()));
            }
            if (it_->status().ok()) return;
            if (!step_over()) return;
        }
    }

private:
    static rocksdb::ReadOptions once() {
        rocksdb::ReadOptions options;
        options.fill_cache = false;
        return options;
    }

    // To a row that can be read behind the last one: nearby first, then farther and farther. What lies between is read from
    // there backwards, as far as that goes. False: there is none.
    bool step_over() {
        const auto after = last_;
        bool ahead = false;
        for (auto size = after.size(); size != 0 && !ahead; --size) {
            const auto next = after_prefix(std::string_view{after}.substr(0, size));
            if (next.empty()) continue;
            it_->Seek(slice(next));
            ahead = it_->Valid();
        }
        if (!ahead) it_->SeekToLast();
        if (!it_->Valid() || view(it_->key()) <= after) {
            missing_(after, "");
            return false;
        }
        const std::string resume{view(it_->key())};
        std::string before = resume;
        if (!ahead) found_(view(it_->key()), view(it_->value())); // the last row: nothing goes on from it
        for (it_->Prev(); it_->Valid() && view(it_->key()) > after; it_->Prev()) {
            before = view(it_->key());
            found_(view(it_->key()), view(it_->value()));
        }
        missing_(after, before);
        if (!ahead) return false;
        it_->Seek(slice(resume));
        return true;
    }

    std::unique_ptr<rocksdb::Iterator> it_;
    row found_;
    gap missing_;
    std::string last_{};
};

class repair {
public:
    repair(const fs::path& dir, const keep_going& go_on, repair_report& to) : dir_{dir}, work_{dir.string() + ".repair"}, go_on_{go_on}, report_{to} {}
    ~repair() {
        std::error_code ignored;
        if (made_work_) fs::remove_all(work_, ignored);
    }
    repair(const repair&) = delete;
    repair& operator=(const repair&) = delete;

    result<void, storage_error> build() {
        const auto files = examine_files(dir_, go_on_);
        if (!files) return fail(files.error());
        if (auto made = gather(*files); !made) return made;
        auto from = open(*files);
        if (!from) return fail(from.error());
        auto fresh = rocks_backend::open(work_ / "store", {.seal_every = std::chrono::milliseconds{0}, .verify_for = std::chrono::milliseconds{0}});
        if (!fresh) return fail(fresh.error());
        into_ = fresh->get();
        for (std::size_t i = 0; i != columns; ++i) copy_rows(**from, static_cast<column>(i));
        flush();
        for (const auto& wal : files->missing_wals) lost(fmt::format("{}: all that was written in it", wal));
        for (const auto& wal : files->wals) {
            const auto synced = std::ranges::find(files->synced_wals, wal, [](const auto& w) { return w.first; });
            replay(wal, synced == files->synced_wals.end() ? 0 : synced->second);
        }
        flush();
        settle();
        if (lost_more_ != 0) report_.lost.push_back(fmt::format("and {} more", lost_more_));
        if (!wrote_) return fail(wrote_.error());
        return {};
    }

    // The new one takes the old one's place and owner.
    result<void, storage_error> swap() {
        struct stat owner {};
        std::error_code ec;
        if (::stat(dir_.c_str(), &owner) != 0) return refuse(std::generic_category().message(errno));
        if (::geteuid() == 0) {
            for (const auto& f : fs::directory_iterator{work_ / "store", ec}) (void)::lchown(f.path().c_str(), owner.st_uid, owner.st_gid);
            (void)::lchown((work_ / "store").c_str(), owner.st_uid, owner.st_gid);
        }
        auto aside = fs::path{dir_.string() + ".damaged"};
        for (int n = 2; fs::exists(fs::symlink_status(aside, ec)); ++n) aside = fmt::format("{}.damaged.{}", dir_.string(), n);
        fs::rename(dir_, aside, ec);
        if (ec) return refuse(ec.message());
        fs::rename(work_ / "store", dir_, ec);
        if (ec) {
            const auto why = ec.message();
            fs::rename(aside, dir_, ec);
            return refuse(why);
        }
        report_.set_aside = aside;
        return {};
    }

private:
    [[nodiscard]] std::unexpected<storage_error> refuse(std::string_view why) const {
        return fail(storage_error{fmt::format("{}: {}", dir_.string(), why)});
    }

    void lost(std::string what) {
        if (report_.lost.size() < findings_max) report_.lost.push_back(std::move(what));
        else ++lost_more_;
    }

    // The data files under a second name: RocksDB's own repair moves what it cannot use.
    result<void, storage_error> gather(const examined_files& files) {
        if (::mkdir(work_.c_str(), 0700) != 0) {
            return refuse(fmt::format("{}: {}{}", work_.string(), std::generic_category().message(errno),
                                      errno == EEXIST ? "; left by a repair that was interrupted? remove it" : ""));
        }
        made_work_ = true;
        std::error_code ec;
        fs::create_directory(files_, ec);
        for (const auto& f : files.data_files) {
            fs::create_hard_link(dir_ / f, files_ / f, ec);
            if (ec) fs::copy_file(dir_ / f, files_ / f, ec);
            if (ec) return refuse(fmt::format("{}: {}", f, ec.message()));
        }
        if (!files.lists_intact) return {};
        for (const auto& f : fs::directory_iterator{dir_, ec}) {
            const auto file = f.path().filename().string();
            if (file == "CURRENT" || file.starts_with("MANIFEST-")) fs::copy_file(f.path(), files_ / file, ec);
        }
        return {};
    }

    // As the MANIFEST says; else by what the data files say of themselves.
    result<std::unique_ptr<rocks_backend::database>, storage_error> open(const examined_files& files) {
        const auto usable = [&](const std::string& f) {
            rocksdb::SstFileReader file{rocksdb::Options{database_options(nullptr), family_options(nullptr)}};
            return file.Open((files_ / f).string()).ok();
        };
        if (files.lists_intact && std::ranges::all_of(files.wrong_data_files, usable)) {
            auto opened = rocks_backend::database::open_read_only(files_, files.families, false);
            if (opened) return std::move(*opened);
            auto why = opened.error().ToString(); // a data file is missing
            if (const auto at = why.find(files_.string()); at != std::string::npos) why.replace(at, files_.string().size(), dir_.string());
            lost(std::move(why));
        }
        auto options = database_options(nullptr);
        const auto family = family_options(block_cache());
        std::vector<rocksdb::ColumnFamilyDescriptor> families{{rocksdb::kDefaultColumnFamilyName, family}};
        for (std::size_t i = 0; i != columns; ++i) families.emplace_back(std::string{name(static_cast<column>(i))}, family);
        if (const auto s = rocksdb::RepairDB(files_.string(), options, families, family); !s.ok()) return refuse(s.ToString());
        report_.notes.emplace_back("which data files belong to the store had to be guessed: what was erased lately may be back, messages "
                                   "that were acknowledged by their receivers included");
        std::error_code none;
        for (const auto& f : fs::directory_iterator{files_ / "lost", none}) {
            if (f.path().extension() == ".sst") lost(fmt::format("{}: all of its rows", f.path().filename().string()));
        }
        std::vector<std::string> found;
        auto s = rocksdb::DB::ListColumnFamilies(options, files_.string(), &found);
        if (!s.ok()) return refuse(s.ToString());
        auto opened = rocks_backend::database::open_read_only(files_, found, false);
        if (!opened) return refuse(opened.error().ToString());
        return std::move(*opened);
    }

    void copy_rows(rocks_backend::database& from, column in) {
        if (from.of(in) == nullptr) return;
        salvage{from, in, [&](std::string_view key, std::string_view value) { keep(in, key, value); },
                [&](std::string_view after, std::string_view before) {
                    lost(fmt::format("{}: what is between {} and {}", name(in), after.empty() ? "the beginning" : row_name(in, after),
                                     before.empty() ? "the end" : row_name(in, before)));
                }}.run();
    }

    void keep(column in, std::string_view key, std::string_view value) {
        if (const auto defect = defect_of(in, key, value)) return lost(fmt::format("{}: {}", row_name(in, key), *defect));
        pending_.put(in, key, value);
        step();
    }

    void step() {
        if (pending_.bytes() < step_bytes) return;
        flush();
        if (!go_on_() && wrote_) wrote_ = refuse("interrupted");
    }

    void flush() {
        const auto* const group = &pending_;
        if (wrote_ && !pending_.empty()) wrote_ = into_->write({&group, 1}, true);
        pending_.clear();
    }

    // Families are known by their number in a log: they were made in the order of `column`, behind the default one.
    class to_batch final : public rocksdb::WriteBatch::Handler {
    public:
        explicit to_batch(repair& of) : of_{of} {}
        rocksdb::Status PutCF(std::uint32_t family, const rocksdb::Slice& key, const rocksdb::Slice& value) override {
            if (const auto c = in(family)) of_.keep(*c, view(key), view(value));
            return rocksdb::Status::OK();
        }
        rocksdb::Status DeleteCF(std::uint32_t family, const rocksdb::Slice& key) override {
            if (const auto c = in(family)) of_.pending_.erase(*c, view(key));
            return rocksdb::Status::OK();
        }
        rocksdb::Status DeleteRangeCF(std::uint32_t family, const rocksdb::Slice& begin, const rocksdb::Slice&) override {
            if (const auto c = in(family)) of_.pending_.erase_prefix(*c, view(begin)); // a range is always all of a prefix
            return rocksdb::Status::OK();
        }
        void LogData(const rocksdb::Slice&) override {}

    private:
        static std::optional<column> in(std::uint32_t family) {
            if (family == 0 || family > columns) return std::nullopt;
            return static_cast<column>(family - 1);
        }
        repair& of_;
    };

    void replay(const std::string& wal, std::uint64_t synced) {
        std::string bytes;
        if (const auto s = rocksdb::ReadFileToString(rocksdb::Env::Default(), (dir_ / wal).string(), &bytes); !s.ok()) {
            return lost(fmt::format("{}: {}", wal, s.ToString()));
        }
        to_batch into{*this};
        std::size_t unreadable = 0;
        const auto gaps = for_each_record(bytes, [&](std::string_view group) {
            if (!rocksdb::WriteBatch{std::string{group}}.Iterate(&into).ok()) ++unreadable;
            step();
        });
        if (unreadable != 0) lost(fmt::format("{}: {} groups that are not of their form", wal, unreadable));
        if (bytes.size() < synced) lost(fmt::format("{}: what was written behind its first {} bytes; {} were on disk", wal, bytes.size(), synced));
        const auto found = check_log(bytes, {.every_group_synced = true, .numbered = true});
        for (const auto& g : gaps) {
            if (found.what == log_finding::verdict::torn && g.at >= found.at) continue; // was not acknowledged
            lost(fmt::format("{}: what was written in {} bytes at offset {}; something erased there may be back", wal, g.bytes, g.at));
        }
    }

    // What is left over, counted, and made consistent.
    void settle() {
        std::uint64_t highest = 0;
        std::uint64_t without_message = 0;
        for (std::size_t i = 0; wrote_ && i != columns; ++i) {
            const auto in = static_cast<column>(i);
            wrote_ = into_->scan(in, "", "", [&](std::string_view key, std::string_view value) {
                if (in == column::entries && refers_to_nothing(key, value)) {
                    ++without_message;
                    pending_.erase(in, key);
                    return true;
                }
                ++report_.kept[i];
                if (in == column::messages || in == column::sessions || in == column::queues) highest = std::max(highest, decode_session_key(key.substr(0, owner_size)).value_or(session_id{}).value());
                if (in == column::entries) highest = std::max(highest, decode_entry_key(key)->message.value());
                if (in == column::queue_entries) highest = std::max(highest, decode_queue_entry_key(key)->message.value());
                return true;
            });
        }
        // On their own they are what a crash leaves of entries whose receivers have all answered.
        if (without_message != 0 && !report_.lost.empty()) lost(fmt::format("{} entries of sessions: the messages they refer to may be lost", without_message));
        for (const auto in : {column::entries, column::queue_entries}) report_ownerless(in);
        if (const auto lease = into_->get(column::meta, id_lease_key()); !lease || !*lease || decode_id_lease(**lease).value_or(0) <= highest) {
            pending_.put(column::meta, id_lease_key(), encode_id_lease(highest + lease_reserve));
        }
        pending_.erase(column::meta, exact_counts_key()); // the next start counts
        flush();
    }

    bool refers_to_nothing(std::string_view key, std::string_view value) {
        const auto entry = decode_entry(value);
        if (!entry || !entry->shared) return false;
        const auto message = into_->get(column::messages, message_key(decode_entry_key(key)->message));
        return message && !*message;
    }

    // Rows of who is not there are swept at the next start. That is as it should be unless who is not there was lost.
    void report_ownerless(column in) {
        if (report_.lost.empty() || !wrote_) return;
        std::size_t owners = 0;
        wrote_ = into_->scan_owners(in, [&](std::string_view key, std::string_view) {
            bool known = false;
            for (const auto c : {column::sessions, column::queues}) {
                const auto row = into_->get(c, key.substr(0, owner_size));
                known |= row && *row;
            }
            owners += known ? 0 : 1;
            return true;
        });
        if (owners != 0) lost(fmt::format("{}: the messages of {} {} whose records are lost", name(in), owners, in == column::entries ? "sessions" : "queues"));
    }

    const fs::path& dir_;
    const fs::path work_;
    const fs::path files_ = work_ / "files";
    const keep_going& go_on_;
    repair_report& report_;
    bool made_work_ = false;
    rocks_backend* into_ = nullptr;
    batch pending_;
    result<void, storage_error> wrote_{};
    std::size_t lost_more_ = 0;
};

} // namespace

result<repair_report, storage_error> repair_store(const fs::path& dir, bool only_look, const keep_going& go_on) {
    auto found = verify_store(dir, go_on);
    if (!found) return fail(found.error());
    repair_report report{.was_intact = found->wrong.empty(), .wrong = std::move(found->wrong), .notes = std::move(found->notes), .kept = found->rows};
    if (report.was_intact) return report;
    report.kept = {};
    repair work{dir, go_on, report};
    if (auto built = work.build(); !built) return fail(built.error());
    if (only_look) return report;
    if (auto swapped = work.swap(); !swapped) return fail(swapped.error());
    return report;
}

} // namespace broker::storage
