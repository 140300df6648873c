// The commit thread over RocksDB: from submit to ticket, and an end that leaves nothing unwritten.
#include "storage/commit_thread.hpp"
#include "storage/rocks_store.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <future>
#include <random>

using namespace broker;
using namespace broker::storage;

TEST_CASE("tickets come in order after the rows are there; stop() writes what is pending") {
    const auto dir = std::filesystem::temp_directory_path() / ("brokerd-commit-" + std::to_string(std::random_device{}()));
    constexpr std::uint64_t batches = 500;
    {
        auto rows = rocks_backend::open(dir);
        REQUIRE(rows);
        std::mutex mutex;
        std::condition_variable changed;
        std::uint64_t durable = 0;
        bool in_order = true;
        committer work{**rows, durability::sync, {[&](completion&& c) {
                           const std::lock_guard lock{mutex};
                           in_order &= c.upto.value() > durable;
                           durable = c.upto.value();
                           changed.notify_one();
                       }}};
        commit_thread thread{work, [](const store_trouble& t) { CHECK_FALSE(t.any()); }};
        const auto put = [&](std::uint64_t i) {
            batch b;
            b.put(column::meta, "row" + std::to_string(i), "value");
            return work.submit(shard_index{0}, std::move(b), {});
        };
        for (std::uint64_t i = 1; i <= batches; ++i) CHECK(put(i).value() == i);
        {
            std::unique_lock lock{mutex};
            REQUIRE(changed.wait_for(lock, std::chrono::seconds{30}, [&] { return durable == batches; }));
            CHECK(in_order);
        }
        CHECK((*rows)->get(column::meta, "row500")->has_value());
        (void)put(batches + 1);
        thread.stop();
        CHECK(durable == batches + 1);
    }
    {
        auto rows = rocks_backend::open(dir);
        REQUIRE(rows);
        CHECK((*rows)->get(column::meta, "row501")->has_value());
    }
    std::filesystem::remove_all(dir);
}
