// The n-th change of the disk fails, for every n of a scripted workload: what was reported durable is there after the
// power goes, groups are there whole or not at all, and nothing was reported that is not so.
#include "failing_disk.hpp"
#include "scratch.hpp"
#include "storage/committer.hpp"

#include <doctest/doctest.h>

#include <fmt/format.h>

#include <atomic>
#include <mutex>
#include <thread>

using namespace broker;
using namespace broker::storage;
using test::failing_disk;
using test::scratch;
using test::slowness;

namespace {

constexpr std::uint64_t groups = 10; // enough for two flushes

// Group n puts three rows in two column families and erases one of group n - 1.
batch group(std::uint64_t n) {
    batch b;
    const std::string body(6000 + n * 100, static_cast<char>('a' + n % 26));
    b.put(column::entries, fmt::format("{:04}a", n), body);
    b.put(column::messages, fmt::format("{:04}", n), body);
    b.put(column::entries, fmt::format("{:04}b", n), "erased by the next");
    if (n > 1) b.erase(column::entries, fmt::format("{:04}b", n - 1));
    b.require(durability::sync);
    return b;
}

struct outcome {
    std::uint64_t durable = 0; // groups reported
    bool recovered = false;    // all were, in the end
    std::uint64_t changes = 0;
    std::string wrong{};
};

// What the commit thread does, without its pauses.
outcome work(rocks_backend& rows, failing_disk& disk) {
    outcome done;
    committer c{rows, durability::sync, {[&](completion&& news) { done.durable = news.upto.value(); }}};
    for (std::uint64_t n = 1; n <= groups; ++n) {
        (void)c.submit(shard_index{0}, group(n), {});
        for (int tries = 0; tries != 2 && !c.idle(); ++tries) (void)c.run_once();
    }
    for (int tries = 0; tries != 6 && !c.idle(); ++tries) (void)c.run_once();
    done.recovered = c.idle();
    done.changes = disk.changes();
    return done;
}

std::string judge(const std::map<std::string, std::string>& rows, std::uint64_t durable) {
    std::uint64_t there = 0;
    for (std::uint64_t n = 1; n <= groups; ++n) {
        const bool a = rows.contains(fmt::format("entries/{:04}a", n));
        const bool m = rows.contains(fmt::format("messages/{:04}", n));
        const bool b = rows.contains(fmt::format("entries/{:04}b", n));
        const bool next = n != groups && rows.contains(fmt::format("messages/{:04}", n + 1));
        if (a != m || b != (a && !next)) return fmt::format("group {} is half there", n);
        if (!a) continue;
        if (there != n - 1) return fmt::format("group {} is there, the one before it is not", n);
        there = n;
        if (rows.at(fmt::format("entries/{:04}a", n)).size() != 6000 + n * 100) return fmt::format("group {} is not whole", n);
    }
    return there < durable ? fmt::format("{} groups were reported, {} are there", durable, there) : "";
}

enum class ending : std::uint8_t { power_cut, killed };

outcome try_one(std::uint64_t at, std::uint64_t times, failing_disk::how what, ending end) {
    const scratch s;
    const auto dir = s.dir / "data";
    const auto disk = std::make_shared<failing_disk>();
    const auto env = rocksdb::NewCompositeEnv(disk);
    const rocks_options with{.env = env.get(), .memtables_bytes = 64 << 10, .seal_every = std::chrono::milliseconds{0},
                             .verify_for = std::chrono::milliseconds{0}};
    outcome done;
    {
        auto rows = rocks_backend::open(dir, with);
        if (!rows) return {.wrong = rows.error().what};
        disk->fail_at(at, times, what);
        done = work(**rows, *disk);
        disk->fail_at(1, ~0ULL >> 1, failing_disk::how::io_error); // nothing is written after the end
    }
    if (end == ending::power_cut) disk->cut_power();
    auto rows = rocks_backend::open(dir, {.seal_every = std::chrono::milliseconds{0}, .verify_for = std::chrono::milliseconds{0}});
    if (!rows) return {.wrong = rows.error().what};
    std::string why;
    done.wrong = judge(test::everything(**rows, &why), done.durable);
    if (done.wrong.empty()) done.wrong = why;
    return done;
}

// Most of the time a try waits for the disk: several at once.
void for_every_change(std::uint64_t times, failing_disk::how what, ending end) {
    const auto changes = try_one(0, 0, what, end).changes;
    REQUIRE(changes > groups * 2);
    std::atomic<std::uint64_t> next{1};
    std::atomic<std::uint64_t> went_on{0};
    std::mutex mutex;
    std::vector<std::string> wrong;
    std::vector<std::jthread> workers;
    for (int i = 0; i != 4; ++i) {
        workers.emplace_back([&] {
            for (auto at = next.fetch_add(slowness); at <= changes; at = next.fetch_add(slowness)) {
                auto done = try_one(at, times, what, end);
                if (done.recovered) ++went_on;
                if (done.recovered && done.durable != groups) done.wrong = "not everything was reported";
                if (done.wrong.empty()) continue;
                const std::lock_guard lock{mutex};
                wrong.push_back(fmt::format("change {}: {}", at, done.wrong));
            }
        });
    }
    workers.clear();
    for (const auto& w : wrong) FAIL_CHECK(w);
    MESSAGE(changes, " changes; writing went on after the failure in ", went_on.load());
    if (times < 100) CHECK(went_on == (changes + slowness - 1) / slowness);
}

constexpr std::uint64_t for_good = ~0ULL >> 1;

} // namespace

TEST_CASE("without a failure every group is durable and there") {
    const auto done = try_one(0, 0, failing_disk::how::io_error, ending::killed);
    CHECK(done.wrong == "");
    CHECK(done.durable == groups);
}
TEST_CASE("one change fails, each in turn") { for_every_change(1, failing_disk::how::io_error, ending::power_cut); }
TEST_CASE("the disk fails for good, then the power goes") {
    for_every_change(for_good, failing_disk::how::io_error, ending::power_cut);
}
TEST_CASE("the disk is full for five changes, from each change on") {
    for_every_change(5, failing_disk::how::no_space, ending::power_cut);
}
TEST_CASE("the disk is full for good, then the process is killed") {
    for_every_change(for_good, failing_disk::how::no_space, ending::killed);
}
