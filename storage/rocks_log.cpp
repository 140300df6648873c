#include "storage/rocks_log.hpp"

#include "storage/crc32c.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <optional>

namespace broker::storage {

namespace {

constexpr std::size_t block_size = 32 * 1024;
constexpr std::size_t header_size = 7;
constexpr std::size_t sector = 512;

enum type : std::uint8_t { zero = 0, full = 1, first = 2, middle = 3, last = 4, recycled_from = 5, recycled_to = 8, compression = 9 };

std::uint32_t little_32(const char* at) {
    std::uint32_t value = 0;
    for (int i = 3; i >= 0; --i) value = value << 8 | static_cast<std::uint8_t>(at[i]);
    return value;
}

constexpr std::uint32_t unmask(std::uint32_t masked) {
    const auto rotated = masked - 0xA282'EAD8U;
    return rotated >> 17 | rotated << 15;
}

struct fragment {
    std::uint8_t what = zero;
    std::size_t size = 0; // header included
};

class reader {
public:
    explicit reader(std::string_view bytes) : bytes_{bytes} {}

    // The intact record that begins at `at`.
    [[nodiscard]] std::optional<fragment> read(std::size_t at) const {
        if (bytes_.size() - at < header_size || block_end(at) - at < header_size) return std::nullopt;
        const auto size = header_size + length(at);
        const auto kind = static_cast<std::uint8_t>(bytes_[at + 6]);
        if (kind == zero || kind > compression || at + size > block_end(at) || at + size > bytes_.size()) return std::nullopt;
        if (crc32c(bytes_.substr(at + 6, size - 6)) != unmask(little_32(bytes_.data() + at))) return std::nullopt;
        return fragment{.what = kind, .size = size};
    }
    // Where the next record begins when one ends at `at`: the rest of a block that holds no header is padding.
    [[nodiscard]] std::size_t next(std::size_t at) const {
        const auto left = block_end(at) - at;
        return left < header_size ? std::min(at + left, bytes_.size()) : at;
    }
    [[nodiscard]] std::size_t length(std::size_t at) const {
        return static_cast<std::uint8_t>(bytes_[at + 4]) | static_cast<std::size_t>(static_cast<std::uint8_t>(bytes_[at + 5])) << 8;
    }
    [[nodiscard]] static std::size_t block_end(std::size_t at) { return at / block_size * block_size + block_size; }

    // The next intact record behind the bad one at `bad` that begins a group; the size of the log: none. The bad one's length
    // may be what is bad, so the rest of its block is searched byte by byte; later blocks begin with a record.
    [[nodiscard]] std::size_t next_group(std::size_t bad) const {
        const auto end = std::min(block_end(bad), bytes_.size());
        for (auto at = bad + 1; at < end; ++at) {
            if (const auto f = read(at); f && begins_group(*f)) return at;
        }
        for (auto at = block_end(bad); at < bytes_.size(); at = block_end(at)) {
            for (auto in = at; in < std::min(block_end(at), bytes_.size());) {
                const auto f = read(in);
                if (!f) break;
                if (begins_group(*f)) return in;
                in = next(in + f->size);
            }
        }
        return bytes_.size();
    }

    // Number and count at the beginning of a group's payload, which may be spread over fragments.
    struct numbers {
        std::uint64_t first = 0;
        std::uint64_t count = 0;
    };
    [[nodiscard]] std::optional<numbers> numbers_at(std::size_t at) const {
        std::string head;
        while (at < bytes_.size()) {
            const auto f = read(at);
            if (!f) return std::nullopt;
            head.append(bytes_.substr(at + header_size, std::min<std::size_t>(f->size - header_size, 12)));
            if (head.size() >= 12) {
                return numbers{.first = little_32(head.data()) | std::uint64_t{little_32(head.data() + 4)} << 32,
                               .count = little_32(head.data() + 8)};
            }
            at = next(at + f->size);
        }
        return std::nullopt;
    }

    // A sector, or what [from, to) has of one, is all zeros: it never reached the disk.
    [[nodiscard]] bool sector_missing(std::size_t from, std::size_t to) const {
        while (from < to) {
            const auto end = std::min(from / sector * sector + sector, to);
            const auto part = bytes_.substr(from, end - from);
            if (part.size() >= header_size && std::ranges::all_of(part, [](char c) { return c == 0; })) return true;
            from = end;
        }
        return false;
    }

    // The record at `at` reaches to the end of the file and only its length is wrong.
    [[nodiscard]] bool only_length_is_wrong(std::size_t at) const {
        if (bytes_.size() > block_end(at) || bytes_.size() - at < header_size) return false;
        return crc32c(bytes_.substr(at + 6)) == unmask(little_32(bytes_.data() + at));
    }

private:
    static bool begins_group(const fragment& f) { return f.what == full || f.what == first; }

    std::string_view bytes_;
};

} // namespace

log_finding check_log(std::string_view bytes, const log_facts& known) {
    using verdict = log_finding::verdict;
    if (bytes.size() < known.synced) {
        return {.what = verdict::damaged,
                .at = bytes.size(),
                .why = fmt::format("it is cut off: {} bytes, {} were on disk", bytes.size(), known.synced)};
    }
    const reader log{bytes};
    log_finding found;
    std::size_t at = 0;
    std::size_t group = 0; // where the logical record under way began
    bool within = false;
    const auto bad = [&](verdict what, std::string why) {
        found.what = what;
        found.at = group;
        found.behind = bytes.size() - group;
        found.why = std::move(why);
        return found;
    };
    while (at < bytes.size()) {
        const auto f = log.read(at);
        if (!f) break;
        if (f->what >= recycled_from && f->what <= recycled_to) return found; // its end is the old content: not ours to judge
        const bool begins = f->what == full || f->what == first || f->what == compression;
        if (begins == within) break; // out of place: its other parts are missing
        at = log.next(at + f->size);
        within = f->what == first || f->what == middle;
        if (within) continue;
        if (known.numbered) {
            const auto n = log.numbers_at(group);
            if (n && found.first == 0) found.first = n->first;
            if (n) found.next = n->first + n->count;
        }
        ++found.records;
        group = at;
    }
    if (at >= bytes.size()) {
        if (!within) return found;
        if (group < known.synced) return bad(verdict::damaged, fmt::format("the record at offset {} has no end", group));
        return bad(verdict::torn, "the file ends within a record");
    }
    const auto damage = [&](std::string_view why) {
        return bad(verdict::damaged, fmt::format("the record at offset {} {}", at, why));
    };
    if (at < known.synced) return damage("fails its checksum, and it was on disk");
    const auto behind = std::min<std::size_t>(reader::block_end(at), bytes.size());
    const bool short_header = bytes.size() - at < header_size;
    const bool runs_over = !short_header && at + header_size + log.length(at) > bytes.size();
    const bool missing = log.sector_missing(at, behind);
    // An intact record that is out of place is itself the next group.
    const auto later = log.read(at) ? at : log.next_group(at);
    if (later != bytes.size()) {
        const auto n = known.numbered ? log.numbers_at(later) : std::nullopt;
        if (n && found.next != 0 && n->first == found.next) return bad(verdict::torn, "a write failed");
        if (known.every_group_synced || !missing) return damage("fails its checksum, and later ones are intact");
    }
    if (log.only_length_is_wrong(at)) return damage("has a wrong length");
    if (short_header || runs_over) return bad(verdict::torn, "the file ends within a record");
    if (missing) return bad(verdict::torn, "sectors of the last record were never written");
    return damage("fails its checksum");
}

std::vector<log_gap> for_each_record(std::string_view bytes, const std::function<void(std::string_view)>& visit) {
    const reader log{bytes};
    std::vector<log_gap> gaps;
    std::string record;
    std::size_t begin = 0; // of the record under way
    bool within = false;
    const auto lost_until = [&](std::size_t end) {
        if (!gaps.empty() && gaps.back().at + gaps.back().bytes == begin) gaps.back().bytes += end - begin;
        else gaps.push_back({.at = begin, .bytes = end - begin});
        begin = end;
        within = false;
    };
    for (std::size_t at = 0; at < bytes.size();) {
        const auto f = log.read(at);
        const bool begins = f && (f->what == full || f->what == first);
        const bool goes_on = f && (f->what == middle || f->what == last);
        if (f && f->what == compression) {
            at = begin = log.next(at + f->size);
            continue;
        }
        if (!(within ? goes_on : begins)) {
            // What is out of place but begins a record is the next one.
            at = begins ? at : log.next_group(at);
            lost_until(at);
            continue;
        }
        if (!within) record.clear();
        record.append(bytes.substr(at + header_size, f->size - header_size));
        at = log.next(at + f->size);
        within = f->what == first || f->what == middle;
        if (within) continue;
        visit(record);
        begin = at;
    }
    if (within) lost_until(bytes.size());
    return gaps;
}

} // namespace broker::storage
