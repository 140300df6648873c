// A store that nobody has open: verified, restored, repaired; and the copy of one that somebody has.
#include "scratch.hpp"

#include "storage/keys.hpp"
#include "storage/maintenance.hpp"
#include "storage/records.hpp"

#include <doctest/doctest.h>

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <thread>

using namespace broker;
using namespace broker::storage;
using test::everything;
using test::scratch;
using test::slowness;
using test::slurp;
using test::spill;
namespace fs = std::filesystem;

namespace {

using rows_as_text = std::map<std::string, std::string>;

const rocks_options quiet{.seal_every = std::chrono::milliseconds{0}};
const keep_going always = [] { return true; };

std::string text(std::mt19937& random, std::size_t size) {
    std::string t;
    while (t.size() != size) t.push_back(static_cast<char>('!' + random() % 90));
    return t;
}

// Everything a broker writes, for sessions and queues of these ids.
void add_rows(backend& to, std::uint64_t from, std::uint64_t count) {
    std::mt19937 random{static_cast<unsigned>(from)};
    for (auto id = from; id != from + count; ++id) {
        batch b;
        std::string value;
        const auto put = [&](column in, std::string_view key) {
            b.put(in, key, value);
            value.clear();
        };
        const auto body = text(random, 100 + random() % 400);
        const auto topic = fmt::format("t/{}", id);
        const message_fields m{.topic = topic, .payload = as_bytes(body)};
        const session_id owner{id};
        const message_id inside{id * 100};
        const message_id shared{id * 100 + 1};
        encode_session({.client_id = fmt::format("client{}", id)}, value);
        put(column::sessions, session_key(owner));
        encode_subscription({}, value);
        put(column::subscriptions, subscription_key(owner, "t/#"));
        encode_entry({.level = qos::at_least_once}, &m, value);
        put(column::entries, entry_key(owner, inside));
        encode_entry({.level = qos::at_least_once, .shared = true}, nullptr, value);
        put(column::entries, entry_key(owner, shared));
        encode_message(m, value);
        put(column::messages, message_key(shared));
        encode_message(m, value);
        put(column::retained, retained_key(topic));
        encode_queue({.name = topic}, value);
        put(column::queues, queue_key(session_id{id + 500'000}));
        encode_entry({.level = qos::at_least_once}, &m, value);
        put(column::queue_entries, queue_entry_key(session_id{id + 500'000}, 4, inside));
        if (id % 3 == 0) b.erase(column::retained, retained_key(fmt::format("t/{}", id - 1)));
        b.put(column::meta, id_lease_key(), encode_id_lease(id * 100 + 100));
        REQUIRE(test::write(to, b));
    }
}

// Two generations in data files, a third in the log; closed, or as a process leaves it that dies.
rows_as_text make(const fs::path& dir, const fs::path& as_left, bool killed) {
    for (std::uint64_t generation = 1; generation != 3; ++generation) {
        auto rows = rocks_backend::open(dir, quiet);
        REQUIRE(rows);
        add_rows(**rows, generation * 1000, 30);
    }
    auto rows = rocks_backend::open(dir, quiet);
    REQUIRE(rows);
    add_rows(**rows, 3000, 30);
    auto expected = everything(**rows);
    if (!killed) rows->reset();
    fs::copy(dir, as_left, fs::copy_options::recursive);
    fs::permissions(as_left, fs::perms::owner_all);
    return expected;
}

rows_as_text rows_in(const fs::path& dir) {
    auto rows = rocks_backend::open(dir, quiet);
    REQUIRE_MESSAGE(rows, rows.error().what);
    std::string why;
    auto found = everything(**rows, &why);
    REQUIRE_MESSAGE(why.empty(), why);
    return found;
}

// Without the rows a repair makes itself.
rows_as_text comparable(rows_as_text rows) {
    rows.erase(fmt::format("meta/{}", id_lease_key()));
    return rows;
}

std::vector<std::string> files_of(const fs::path& dir) {
    std::vector<std::string> names;
    for (const auto& f : fs::directory_iterator{dir}) names.push_back(f.path().filename().string());
    std::ranges::sort(names);
    return names;
}

} // namespace

TEST_CASE("An intact store verifies, and verifying changes nothing") {
    const scratch s;
    const auto expected = make(s.dir / "data", s.dir / "good", true);
    const auto before = files_of(s.dir / "good");
    const auto found = verify_store(s.dir / "good", always);
    REQUIRE_MESSAGE(found, found.error().what);
    for (const auto& w : found->wrong) MESSAGE(w);
    CHECK(found->wrong.empty());
    std::size_t rows = 0;
    for (const auto n : found->rows) rows += n;
    CHECK(rows == expected.size());
    CHECK(files_of(s.dir / "good") == before);
}

TEST_CASE("What is no store, or in use, is refused and named") {
    const scratch s;
    fs::create_directory(s.dir / "empty");
    for (const auto* name : {"empty", "missing"}) {
        const auto found = verify_store(s.dir / name, always);
        REQUIRE(!found);
        CHECK(found.error().what.find(name) != std::string::npos);
    }
}

TEST_CASE("Verification finds a row that is not what was written; entries whose message is gone are noted") {
    const scratch s;
    const auto dir = s.dir / "data";
    {
        auto rows = rocks_backend::open(dir, quiet);
        REQUIRE(rows);
        add_rows(**rows, 1000, 3);
        batch b;
        b.put(column::retained, "a/topic", "no record");
        b.erase(column::messages, message_key(message_id{100001}));
        REQUIRE(test::write(**rows, b));
    }
    const auto found = verify_store(dir, always);
    REQUIRE(found);
    REQUIRE(found->wrong.size() == 1);
    CHECK(found->wrong[0].find("retained a/topic: ") == 0);
    REQUIRE(found->notes.size() == 1);
    CHECK(found->notes[0].find("1 entries refer to messages that are gone") == 0);
}

TEST_CASE("A backup made while writes go on is a store of some moment, whole") {
    const scratch s;
    auto rows = rocks_backend::open(s.dir / "data", quiet);
    REQUIRE(rows);
    add_rows(**rows, 1000, 50);
    const auto before = everything(**rows);
    std::jthread writer{[&](const std::stop_token& stop) {
        for (std::uint64_t id = 10'000; !stop.stop_requested(); id += 5) add_rows(**rows, id, 5);
    }};
    const auto made = (*rows)->back_up(s.dir / "copy");
    writer.request_stop();
    writer.join();
    REQUIRE_MESSAGE(made, made.error().what);
    CHECK(made->files > 2);
    CHECK(made->bytes > 50 * 200);
    CHECK(!fs::exists(s.dir / "copy.partial"));
    CHECK((fs::status(s.dir / "copy").permissions() & fs::perms::all) == fs::perms::owner_all);

    const auto found = verify_store(s.dir / "copy", always);
    REQUIRE_MESSAGE(found, found.error().what);
    CHECK(found->wrong.empty());
    const auto restored = restore_store(s.dir / "copy", s.dir / "restored", always);
    REQUIRE_MESSAGE(restored, restored.error().what);
    const auto copied = rows_in(s.dir / "restored");
    const auto now = everything(**rows);
    for (const auto& [key, value] : before) {
        if (key != fmt::format("meta/{}", id_lease_key())) CHECK(copied.at(key) == value);
    }
    // Batches are whole: every session came with its queue.
    std::size_t sessions = 0;
    std::size_t queues = 0;
    for (const auto& [key, value] : copied) {
        if (!key.starts_with("meta/") && !key.starts_with("retained/")) CHECK(now.at(key) == value);
        sessions += key.starts_with("sessions/") ? 1 : 0;
        queues += key.starts_with("queues/") ? 1 : 0;
    }
    CHECK(sessions == queues);
    CHECK(sessions >= 50);
}

TEST_CASE("A backup that cannot be made leaves nothing and says why") {
    const scratch s;
    auto rows = rocks_backend::open(s.dir / "data", quiet);
    REQUIRE(rows);
    add_rows(**rows, 1000, 5);
    REQUIRE((*rows)->back_up(s.dir / "copy"));
    const auto again = (*rows)->back_up(s.dir / "copy");
    REQUIRE(!again);
    CHECK(again.error().what.find("exists already") != std::string::npos);
    const auto nowhere = (*rows)->back_up(s.dir / "no" / "such" / "place");
    REQUIRE(!nowhere);
    CHECK(nowhere.error().what.find("place") != std::string::npos);
    const auto others = (*rows)->back_up("/proc/copy");
    REQUIRE(!others);
    CHECK(files_of(s.dir) == std::vector<std::string>{"copy", "data"});
}

TEST_CASE("A restore overwrites nothing and takes no damaged backup") {
    const scratch s;
    {
        auto rows = rocks_backend::open(s.dir / "data", quiet);
        REQUIRE(rows);
        add_rows(**rows, 1000, 20);
        REQUIRE((*rows)->back_up(s.dir / "copy"));
    }
    const auto over = restore_store(s.dir / "copy", s.dir / "data", always);
    REQUIRE(!over);
    CHECK(over.error().what.find("not empty") != std::string::npos);
    CHECK(verify_store(s.dir / "data", always)->wrong.empty());

    const auto expected = rows_in(s.dir / "data");
    fs::create_directory(s.dir / "empty");
    REQUIRE(restore_store(s.dir / "copy", s.dir / "empty", always));
    CHECK(rows_in(s.dir / "empty") == expected);

    for (const auto& f : files_of(s.dir / "copy")) {
        if (!f.ends_with(".sst")) continue;
        auto bytes = slurp(s.dir / "copy" / f);
        bytes[bytes.size() / 3] = static_cast<char>(bytes[bytes.size() / 3] ^ 0x10);
        spill(s.dir / "copy" / f, bytes);
        break;
    }
    const auto damaged = restore_store(s.dir / "copy", s.dir / "fresh", always);
    REQUIRE(!damaged);
    CHECK(damaged.error().what.find("damaged") != std::string::npos);
    CHECK(!fs::exists(s.dir / "fresh"));
    CHECK(!fs::exists(s.dir / "fresh.restoring"));
}

TEST_CASE("An interrupted restore or repair leaves nothing") {
    const scratch s;
    make(s.dir / "data", s.dir / "good", false);
    const auto restored = restore_store(s.dir / "good", s.dir / "fresh", [] { return false; });
    CHECK(!restored);
    CHECK(files_of(s.dir) == std::vector<std::string>{"data", "good"});
}

TEST_CASE("Repair leaves an intact store alone") {
    const scratch s;
    make(s.dir / "data", s.dir / "good", true);
    const auto report = repair_store(s.dir / "good", false, always);
    REQUIRE(report);
    CHECK(report->was_intact);
    CHECK(report->set_aside.empty());
    CHECK(files_of(s.dir) == std::vector<std::string>{"data", "good"});
}

// The heart of it: whatever is damaged, the repaired store opens, verifies, and says what it lacks.
TEST_CASE("A repaired store holds what was intact and the report names what is not") {
    const scratch s;
    const auto seed = std::random_device{}();
    MESSAGE("seed ", seed);
    std::mt19937 random{seed};
    std::size_t whole = 0;
    std::size_t partial = 0;
    auto turn = static_cast<int>(random() % slowness);
    for (const bool killed : {true, false}) {
        const auto good = s.dir / (killed ? "killed" : "closed");
        const auto expected = comparable(make(s.dir / (killed ? "data1" : "data2"), good, killed));
        for (const auto& file : files_of(good)) {
            const bool counts = file.ends_with(".sst") || file.ends_with(".log") || file.starts_with("MANIFEST") || file == "CURRENT";
            const auto bytes = slurp(good / file);
            if (!counts || bytes.empty()) continue;
            // Many data files, one log, one MANIFEST: missing, cut, a flipped bit by turns, or all of them.
            const bool many = file.ends_with(".sst");
            const auto first = many ? turn++ / slowness % 3 : 0;
            if (many && turn % slowness != 0) continue;
            for (int i = first; i != (many ? first + 1 : 5); ++i) {
                const auto dir = s.dir / "damaged";
                fs::copy(good, dir, fs::copy_options::recursive);
                fs::permissions(dir, fs::perms::owner_all);
                auto changed = bytes;
                const auto at = random() % bytes.size();
                if (i == 0) fs::remove(dir / file);
                else if (i == 1) changed.resize(at);
                else changed[at] = static_cast<char>(changed[at] ^ (1 << random() % 8));
                if (i != 0) spill(dir / file, changed);
                CAPTURE(file);
                CAPTURE(i);
                CAPTURE(at);
                const auto dry = repair_store(dir, true, always);
                REQUIRE_MESSAGE(dry, dry.error().what);
                CHECK(dry->set_aside.empty());
                const auto report = repair_store(dir, false, always);
                REQUIRE_MESSAGE(report, report.error().what);
                if (report->was_intact) { // a torn tail, or a bit nobody reads
                    fs::remove_all(dir);
                    continue;
                }
                CHECK(dry->lost == report->lost);
                CHECK(fs::exists(report->set_aside / "LOCK"));
                const auto after = verify_store(dir, always);
                REQUIRE_MESSAGE(after, after.error().what);
                CHECK_MESSAGE(after->wrong.empty(), after->wrong.front());
                CHECK(after->rows == report->kept);
                const auto found = comparable(rows_in(dir));
                std::size_t missing = 0;
                std::size_t others = 0;
                for (const auto& [key, value] : expected) {
                    const auto it = found.find(key);
                    if (it == found.end()) ++missing;
                    else CHECK(it->second == value);
                }
                for (const auto& [key, value] : found) others += expected.contains(key) ? 0 : 1;
                const bool guessed = std::ranges::any_of(report->notes, [](const auto& n) { return n.find("guessed") != std::string::npos; });
                if (missing != 0) CHECK_MESSAGE(!report->lost.empty(), fmt::format("{} rows are missing", missing));
                if (others != 0) CHECK((guessed || !report->lost.empty()));
                if (file.starts_with("MANIFEST") || file == "CURRENT") CHECK(missing == 0);
                (missing == 0 ? whole : partial) += 1;
                fs::remove_all(report->set_aside);
                fs::remove_all(dir);
            }
        }
    }
    MESSAGE(whole, " repaired whole, ", partial, " in part");
    CHECK(whole > 5 / slowness);
    CHECK(partial > 5 / slowness);
    CHECK(files_of(s.dir).size() == 4);
}

TEST_CASE("A bad block costs its rows, not the file") {
    const scratch s;
    const auto dir = s.dir / "data";
    {
        auto rows = rocks_backend::open(dir, quiet);
        REQUIRE(rows);
        add_rows(**rows, 1000, 2000 / slowness);
    }
    { auto again = rocks_backend::open(dir, quiet); } // what was in the log is in data files now
    std::string largest;
    for (const auto& f : files_of(dir)) {
        if (f.ends_with(".sst") && (largest.empty() || fs::file_size(dir / f) > fs::file_size(dir / largest))) largest = f;
    }
    auto bytes = slurp(dir / largest);
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
    spill(dir / largest, bytes);
    const auto report = repair_store(dir, false, always);
    REQUIRE_MESSAGE(report, report.error().what);
    CHECK(!report->was_intact);
    REQUIRE(!report->lost.empty());
    CHECK(report->lost.front().find("between") != std::string::npos);
    const auto found = verify_store(dir, always);
    REQUIRE(found);
    CHECK(found->wrong.empty());
    for (std::size_t i = 0; i != columns; ++i) {
        CAPTURE(name(static_cast<column>(i)));
        if (report->kept[i] > 2) CHECK(report->kept[i] > 1200 / slowness);
    }
}

TEST_CASE("After a repair no id is given out twice") {
    const scratch s;
    const auto dir = s.dir / "data";
    {
        auto rows = rocks_backend::open(dir, quiet);
        REQUIRE(rows);
        add_rows(**rows, 1000, 20);
        batch b;
        b.put(column::meta, id_lease_key(), "no record");
        REQUIRE(test::write(**rows, b));
    }
    const auto report = repair_store(dir, false, always);
    REQUIRE(report);
    CHECK(!report->was_intact);
    auto rows = rocks_backend::open(dir, quiet);
    REQUIRE(rows);
    const auto lease = (*rows)->get(column::meta, id_lease_key());
    REQUIRE((lease && *lease));
    CHECK(decode_id_lease(**lease).value() > 1019 * 100 + 1);
}
