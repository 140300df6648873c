#include "storage/keys.hpp"
#include "storage/maintenance.hpp"
#include "storage/record_check.hpp"
#include "storage/records.hpp"
#include "storage/rocks_database.hpp"

#include <fmt/format.h>

namespace broker::storage {

namespace {

constexpr std::size_t rows_between_questions = 4096;

struct verification {
    rocks_backend::database& db;
    const keep_going& go_on;
    store_findings& found;
    std::size_t more = 0; // findings beyond the bound
    std::size_t looked_at = 0;
    std::size_t answered = 0; // entries whose message is gone: another shard's answer to them was on its way when the server died
    std::string last_message{}; // a key of `messages` that is there

    void wrong(std::string what) {
        if (found.wrong.size() < findings_max) found.wrong.push_back(std::move(what));
        else ++more;
    }

    [[nodiscard]] bool message_is_there(message_id id) {
        auto key = message_key(id);
        if (key == last_message) return true;
        std::string value;
        if (!db.db->Get(rocksdb::ReadOptions{}, db.of(column::messages), slice(key), &value).ok()) return false;
        last_message = std::move(key);
        return true;
    }

    void check(column in, std::string_view key, std::string_view value) {
        ++found.rows[static_cast<std::size_t>(in)];
        if (const auto defect = defect_of(in, key, value)) return wrong(fmt::format("{}: {}", row_name(in, key), *defect));
        if (in != column::entries) return;
        const auto parts = decode_entry_key(key);
        const auto entry = decode_entry(value);
        if (parts && entry && entry->shared && !message_is_there(parts->message)) {
            ++answered;
        }
    }

    // False: asked to end.
    bool check_all(column in) {
        auto* const family = db.of(in);
        if (family == nullptr) return true;
        rocksdb::ReadOptions once;
        once.fill_cache = false;
        const std::unique_ptr<rocksdb::Iterator> it{db.db->NewIterator(once, family)};
        for (it->SeekToFirst(); it->Valid(); it->Next()) {
            check(in, view(it->key()), view(it->value()));
            if (++looked_at % rows_between_questions == 0 && !go_on()) return false;
        }
        if (!it->status().ok()) wrong(db.error(name(in), it->status()).what);
        return true;
    }
};

auto interrupted(const std::filesystem::path& dir) { return fail(storage_error{fmt::format("{}: interrupted", dir.string())}); }

} // namespace

result<store_findings, storage_error> verify_store(const std::filesystem::path& dir, const keep_going& go_on) {
    const auto files = examine_files(dir, go_on);
    if (!files) return fail(files.error());
    store_findings found{.wrong = files->wrong,
                         .notes = files->notes,
                         .files = files->data_files.size() + files->wals.size(),
                         .bytes = files->bytes};
    if (!found.wrong.empty()) return found;
    if (!go_on()) return interrupted(dir);
    auto opened = rocks_backend::database::open_read_only(dir, files->families, true);
    if (!opened) {
        found.wrong.push_back(fmt::format("{}: {}", dir.string(), opened.error().ToString()));
        return found;
    }
    verification v{.db = **opened, .go_on = go_on, .found = found};
    for (std::size_t i = 0; i != columns; ++i) {
        if (!v.check_all(static_cast<column>(i))) return interrupted(dir);
    }
    std::string format;
    if (!(*opened)->db->Get(rocksdb::ReadOptions{}, (*opened)->of(column::meta), slice(format_key()), &format).ok()) {
        v.wrong("meta format: it is missing");
    }
    if (v.answered != 0) found.notes.push_back(fmt::format("{} entries refer to messages that are gone: all their receivers had answered", v.answered));
    if (v.more != 0) found.wrong.push_back(fmt::format("and {} more", v.more));
    return found;
}

} // namespace broker::storage
