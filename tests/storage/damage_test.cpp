// Flipped bits and cut files, every kind of file of a store: opening either refuses and names the file, or every row is
// there as it was.
#include "scratch.hpp"

#include "storage/upgrade.hpp"

#include <doctest/doctest.h>

#include <unistd.h>

#include <fmt/format.h>

#include <algorithm>
#include <random>

using namespace broker;
using namespace broker::storage;
using test::everything;
using test::scratch;
using test::slowness;
using test::slurp;
using test::spill;
namespace fs = std::filesystem;

namespace {

const rocks_options quiet{.seal_every = std::chrono::milliseconds{0}};

void add_rows(backend& to, int from) {
    std::mt19937 random{static_cast<unsigned>(from)};
    for (int i = from; i != from + 60; ++i) {
        batch b;
        std::string value;
        for (auto size = random() % 700; size != 0; --size) value.push_back(static_cast<char>('!' + random() % 90));
        b.put(column::entries, fmt::format("key{:06}", i), value);
        b.put(column::sessions, fmt::format("s{:06}", i), "x");
        if (i % 3 == 0) b.erase(column::entries, fmt::format("key{:06}", i - 1));
        REQUIRE(test::write(to, b));
    }
}

// Two generations in data files, a third in the log. `killed`: as a process leaves it that dies; else closed.
void make(const fs::path& dir, const fs::path& as_left, bool killed) {
    for (int generation = 0; generation != 2; ++generation) {
        auto rows = rocks_backend::open(dir, quiet);
        REQUIRE(rows);
        add_rows(**rows, generation * 1000);
    }
    auto rows = rocks_backend::open(dir, quiet);
    REQUIRE(rows);
    add_rows(**rows, 2000);
    if (!killed) rows->reset();
    fs::copy(dir, as_left, fs::copy_options::recursive);
}

struct tried {
    std::size_t refused = 0;
    std::size_t served = 0;
};

void try_one(const fs::path& good, const std::string& file, std::string_view bytes,
             const std::map<std::string, std::string>& expected, tried& count) {
    const scratch s;
    const auto dir = s.dir / "data";
    fs::create_directory(dir);
    fs::permissions(dir, fs::perms::owner_all);
    for (const auto& f : fs::directory_iterator{good}) {
        const auto name = f.path().filename().string();
        if (name != file) fs::copy_file(f.path(), dir / name);
    }
    spill(dir / file, bytes);
    auto rows = rocks_backend::open(dir, quiet);
    if (!rows) {
        ++count.refused;
        CHECK_MESSAGE(rows.error().what.find(file) != std::string::npos, rows.error().what);
        CHECK(rows.error().what.find('\n') == std::string::npos);
        CHECK_MESSAGE((rows.error().what.find("repair") != std::string::npos || rows.error().what.find("version") != std::string::npos), rows.error().what);
        return;
    }
    ++count.served;
    std::string why;
    const auto found = everything(**rows, &why);
    CHECK_MESSAGE(why.empty(), why);
    CHECK_MESSAGE(found == expected, fmt::format("{} rows of {}", found.size(), expected.size()));
}

void try_all(bool killed, bool cuts) {
    const scratch s;
    const auto good = s.dir / "good";
    make(s.dir / "data", good, killed);
    std::map<std::string, std::string> expected;
    {
        fs::copy(good, s.dir / "copy", fs::copy_options::recursive);
        auto rows = rocks_backend::open(s.dir / "copy", quiet);
        REQUIRE(rows);
        expected = everything(**rows);
        REQUIRE(expected.size() > 250);
    }
    const auto seed = std::random_device{}();
    MESSAGE("seed ", seed);
    std::mt19937 random{seed};
    std::map<std::string, tried> by_kind;
    for (const auto& f : fs::directory_iterator{good}) {
        const auto name = f.path().filename().string();
        const auto bytes = slurp(f.path());
        if (name == "LOCK" || bytes.empty()) continue;
        const bool counts = name.ends_with(".sst") || name.ends_with(".log") || name.starts_with("MANIFEST") || name == "CURRENT" || name == "SEAL";
        for (int i = 0; i != (counts ? std::max(6, 24 / slowness) : std::max(1, 3 / slowness)); ++i) {
            CAPTURE(name);
            auto changed = bytes;
            const auto at = random() % bytes.size();
            CAPTURE(at);
            if (cuts) {
                changed.resize(i == 0 ? 0 : at);
            } else {
                changed[at] = static_cast<char>(changed[at] ^ (1 << random() % 8));
            }
            try_one(good, name, changed, expected, by_kind[name]);
        }
    }
    for (const auto& [name, count] : by_kind) {
        if (name.ends_with(".sst") || name.starts_with("MANIFEST")) CHECK(count.refused != 0);
        if (name.starts_with("OPTIONS") || name == "LOG" || name == "IDENTITY" || name == "SEAL") CHECK(count.refused == 0);
    }
}

} // namespace

TEST_CASE("flipped bits in a store that was closed") { try_all(false, false); }
TEST_CASE("flipped bits in a store whose process was killed") { try_all(true, false); }
TEST_CASE("cut files of a store that was closed") { try_all(false, true); }

// The footer (RocksDB's table format 5): checksum type, two handles, format version, magic number. A wrong version leaves every
// checksum right and the blocks unreadable.
TEST_CASE("every flipped bit of a data file's checksum type and format version") {
    for (const bool killed : {false, true}) {
        const scratch s;
        const auto good = s.dir / "good";
        make(s.dir / "data", good, killed);
        fs::copy(good, s.dir / "copy", fs::copy_options::recursive);
        auto rows = rocks_backend::open(s.dir / "copy", quiet);
        REQUIRE(rows);
        const auto expected = everything(**rows);
        tried count;
        for (const auto& f : fs::directory_iterator{good}) {
            const auto name = f.path().filename().string();
            if (!name.ends_with(".sst")) continue;
            const auto bytes = slurp(f.path());
            for (const std::size_t behind : {53, 12, 11, 10, 9}) {
                for (int bit = 0; bit < 8; bit += std::min(3, slowness)) {
                    CAPTURE(name);
                    CAPTURE(behind);
                    CAPTURE(bit);
                    auto changed = bytes;
                    auto& byte = changed[bytes.size() - behind];
                    byte = static_cast<char>(byte ^ (1 << bit));
                    try_one(good, name, changed, expected, count);
                }
            }
        }
        CHECK(count.refused != 0);
    }
}

TEST_CASE("a missing file is named") {
    const scratch s;
    const auto good = s.dir / "good";
    make(s.dir / "data", good, false);
    for (const auto& f : fs::directory_iterator{good}) {
        const auto file = f.path().filename().string();
        if (!file.ends_with(".sst") && !file.ends_with(".log") && !file.starts_with("MANIFEST") && file != "CURRENT") continue;
        if (fs::file_size(f.path()) == 0) continue;
        CAPTURE(file);
        const scratch other;
        fs::copy(good, other.dir / "data", fs::copy_options::recursive);
        fs::remove(other.dir / "data" / file);
        const auto rows = rocks_backend::open(other.dir / "data", quiet);
        REQUIRE_FALSE(rows);
        CHECK_MESSAGE(rows.error().what.find(file) != std::string::npos, rows.error().what);
    }
}

TEST_CASE("the directory: a file, read-only, somebody else's, missing parents; 0700 when it is ours to make") {
    const scratch s;
    spill(s.dir / "file", "x");
    auto refused = rocks_backend::open(s.dir / "file");
    REQUIRE_FALSE(refused);
    CHECK(refused.error().what.find((s.dir / "file").string() + ": it is a file, not a directory") != std::string::npos);

    fs::create_directory(s.dir / "fixed");
    fs::permissions(s.dir / "fixed", fs::perms::owner_read | fs::perms::owner_exec);
    refused = rocks_backend::open(s.dir / "fixed");
    REQUIRE_FALSE(refused);
    CHECK(refused.error().what.find("it is read-only (mode 0500)") != std::string::npos);

    if (::geteuid() == 0) {
        fs::create_directory(s.dir / "theirs");
        REQUIRE(::chown((s.dir / "theirs").c_str(), 65534, 65534) == 0);
        refused = rocks_backend::open(s.dir / "theirs");
        REQUIRE_FALSE(refused);
        CHECK(refused.error().what.find("it belongs to nobody, brokerd runs as root") != std::string::npos);
    }
    {
        const auto made = rocks_backend::open(s.dir / "a/b/data");
        REQUIRE(made);
        CHECK((fs::status(s.dir / "a/b/data").permissions() & fs::perms::all) == fs::perms::owner_all);
    }
    // A newer format says so before anything else is read.
    auto sealed = slurp(s.dir / "a/b/data/SEAL");
    REQUIRE(sealed.find(fmt::format("format {}\n", format_version)) != std::string::npos);
}

TEST_CASE("a brokerd that died while it created its store is no obstacle") {
    const scratch s;
    fs::create_directory(s.dir / "data");
    spill(s.dir / "data/MANIFEST-000001", "half");
    spill(s.dir / "data/000002.log", "");
    const auto rows = rocks_backend::open(s.dir / "data", quiet);
    CHECK(rows);
}
