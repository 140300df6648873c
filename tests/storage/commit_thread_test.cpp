// The commit thread over RocksDB: from submit to ticket, and an end that leaves nothing unwritten.
#include "storage/commit_thread.hpp"
#include "storage/memory_store.hpp"
#include "storage/rocks_store.hpp"

#include <doctest/doctest.h>

#include <deque>
#include <filesystem>
#include <future>
#include <random>

using namespace broker;
using namespace broker::storage;

namespace {

// Every write fails with the next of these words, then writing works.
class sulking final : public backend {
public:
    explicit sulking(std::deque<std::string> reasons) : reasons_{std::move(reasons)} {}
    result<void, storage_error> write(std::span<const batch* const> group, bool sync) override {
        if (reasons_.empty()) return rows_.write(group, sync);
        const auto why = reasons_.front();
        reasons_.pop_front();
        return fail(storage_error{why});
    }
    result<std::optional<std::string>, storage_error> get(column c, std::string_view key) const override { return rows_.get(c, key); }
    result<void, storage_error> scan(column c, std::string_view prefix, std::string_view from, const row_visitor& visit) const override {
        return rows_.scan(c, prefix, from, visit);
    }

private:
    std::deque<std::string> reasons_;
    memory_backend rows_;
};

} // namespace

TEST_CASE("each reason why writing fails is told once, and when it works again") {
    sulking disk{{"a sync failed", "cannot open file 7", "cannot open file 9"}};
    committer work{disk, durability::sync, {[](completion&&) {}}};
    std::vector<std::string> told;
    std::promise<void> over;
    commit_thread thread{work, [&](const store_trouble& t) {
                             told.push_back(t.any() ? t.what : "over");
                             if (!t.any()) over.set_value();
                         }};
    batch b;
    b.put(column::meta, "row", "value");
    (void)work.submit(shard_index{0}, std::move(b), {});
    REQUIRE(over.get_future().wait_for(std::chrono::seconds{30}) == std::future_status::ready);
    thread.stop();
    CHECK(told == std::vector<std::string>{"a sync failed", "cannot open file 7", "over"});
}

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
