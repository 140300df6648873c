// Erased rows keep their room until the files they are in are written anew, which RocksDB does when it has reason to: a backlog that
// filled the disk and was then received gives none, and while durable publications are refused nothing new comes. So with too
// little room, files that hold mostly erased rows are written anew at once; as far as that takes little of what is left.
#include "storage/committer.hpp"
#include "storage/rocks_database.hpp"

#include <rocksdb/table_properties.h>

#include <algorithm>

namespace broker::storage {

namespace {

constexpr std::chrono::seconds weigh_every{5};
constexpr std::uint64_t worthwhile_bytes = 1 << 20;

struct weight {
    std::uint64_t bytes = 0;
    std::uint64_t living = 0;   // of these, at most; ranges that were erased whole are not seen
    std::uint64_t memtable = 0; // bytes, written before

    [[nodiscard]] std::uint64_t gain() const { return bytes - living; }
    [[nodiscard]] bool worthwhile(std::uint64_t free) const {
        return gain() >= worthwhile_bytes && gain() >= bytes / 4 && living + living / 4 + memtable + worthwhile_bytes <= free;
    }
};

weight weigh(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* family) {
    rocksdb::TablePropertiesCollection files;
    if (!db.GetPropertiesOfAllTables(family, &files).ok()) return {};
    weight w;
    std::uint64_t rows = 0;
    std::uint64_t erasures = 0;
    for (const auto& [name, file] : files) {
        w.bytes += file->data_size + file->index_size + file->filter_size;
        rows += file->num_entries - file->num_deletions;
        erasures += file->num_deletions;
    }
    std::uint64_t latest = 0;
    (void)db.GetIntProperty(family, rocksdb::DB::Properties::kNumDeletesActiveMemTable, &latest);
    (void)db.GetIntProperty(family, rocksdb::DB::Properties::kCurSizeActiveMemTable, &w.memtable);
    const auto left = rows - std::min(rows, erasures + latest);
    w.living = rows == 0 ? 0 : static_cast<std::uint64_t>(static_cast<double>(w.bytes) * static_cast<double>(left) / static_cast<double>(rows));
    return w;
}

} // namespace

void rocks_backend::database::give_back() {
    const auto room = with.room_wanted == 0 ? std::nullopt : room_of(dir);
    const auto now = std::chrono::steady_clock::now();
    const auto written = writes.load();
    if (!room || failed.load() || room->free >= room_to_end_trouble(with.room_wanted, room->total) || written == weighed_writes_ ||
        now < weighed_at_ + weigh_every) {
        return;
    }
    weighed_at_ = now;
    weighed_writes_ = written;
    for (auto* const family : handles) {
        const auto left = room_of(dir);
        if (!left || !weigh(*db, family).worthwhile(left->free) || !db->Flush({}, family).ok()) continue;
        rocksdb::CompactRangeOptions beside_others;
        beside_others.exclusive_manual_compaction = false;
        (void)db->CompactRange(beside_others, family, nullptr, nullptr);
    }
}

} // namespace broker::storage
