#include "storage/rocks_seal.hpp"

#include "storage/crc32c.hpp"

#include <fmt/format.h>

#include <charconv>
#include <iterator>

namespace broker::storage {

namespace {

std::string_view word(std::string_view& line) {
    const auto end = line.find(' ');
    const auto taken = line.substr(0, end);
    line.remove_prefix(end == std::string_view::npos ? line.size() : end + 1);
    return taken;
}

std::uint64_t number(std::string_view text, int base = 10) {
    std::uint64_t value = 0;
    (void)std::from_chars(text.data(), text.data() + text.size(), value, base);
    return value;
}

} // namespace

std::string encode_seal(const seal& s) {
    auto text = fmt::format("brokerd store\nformat {}\nsynced {}\n", s.format, s.every_group_synced ? 1 : 0);
    auto to = std::back_inserter(text);
    for (const auto& c : s.columns) fmt::format_to(to, "column {}\n", c);
    fmt::format_to(to, "manifest {} {}\n", s.manifest.first, s.manifest.second);
    for (const auto& [name, size] : s.wals) fmt::format_to(to, "wal {} {}\n", name, size);
    fmt::format_to(to, "end {:08x}\n", crc32c(text));
    return text;
}

std::optional<seal> decode_seal(std::string_view text) {
    const auto end = text.rfind("end ");
    if (!text.starts_with("brokerd store\n") || end == std::string_view::npos) return std::nullopt;
    if (text.substr(end) != fmt::format("end {:08x}\n", crc32c(text.substr(0, end)))) return std::nullopt;
    seal s;
    for (auto rest = text.substr(0, end); !rest.empty();) {
        const auto newline = rest.find('\n');
        auto line = rest.substr(0, newline);
        rest.remove_prefix(newline == std::string_view::npos ? rest.size() : newline + 1);
        const auto key = word(line);
        if (key == "format") s.format = line;
        if (key == "synced") s.every_group_synced = line == "1";
        if (key == "column") s.columns.emplace_back(line);
        if (key == "manifest" || key == "wal") {
            const std::string name{word(line)};
            const std::pair file{name, number(line)};
            if (key == "wal") {
                s.wals.push_back(file);
            } else {
                s.manifest = file;
            }
        }
    }
    return s;
}

} // namespace broker::storage
