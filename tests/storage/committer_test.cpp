#include "storage/committer.hpp"
#include "storage/keys.hpp"
#include "storage/memory_store.hpp"
#include "storage/records.hpp"

#include <doctest/doctest.h>

using namespace broker;
using namespace broker::storage;

namespace {

struct bench {
    memory_backend disk;
    std::vector<completion> told[2];
    committer work{disk, durability::sync,
                   {[this](completion&& c) { told[0].push_back(std::move(c)); },
                    [this](completion&& c) { told[1].push_back(std::move(c)); }},
                   1000};

    ticket put(std::uint16_t shard, std::uint64_t message, std::vector<load_request> loads = {}) {
        batch b;
        const message_fields body{.topic = "t"};
        std::string value;
        encode_entry({}, &body, value);
        b.put(column::entries, entry_key(session_id{1}, message_id{message}), value);
        b.require(durability::sync);
        return work.submit(shard_index{shard}, std::move(b), std::move(loads));
    }
};

} // namespace

TEST_CASE("tickets count per shard; one group covers what both submitted") {
    bench b;
    CHECK(b.put(0, 1) == ticket{1});
    CHECK(b.put(0, 2) == ticket{2});
    CHECK(b.put(1, 3) == ticket{1});
    CHECK(b.told[0].empty());
    CHECK(b.work.run_once());
    REQUIRE(b.told[0].size() == 1);
    CHECK(b.told[0][0].upto == ticket{2});
    CHECK(b.told[1][0].upto == ticket{1});
    CHECK(b.disk.rows(column::entries) == 3);
    CHECK(b.work.pending_bytes() == 0);
    CHECK_FALSE(b.work.run_once());
}

TEST_CASE("a group whose new entries are all erased in it is durable without a write") {
    bench b;
    b.disk.fail_next_writes(1); // none is asked for
    batch put;
    put.put_new(column::entries, entry_key(session_id{1}, message_id{1}), "x");
    put.require(durability::sync);
    batch answered;
    answered.erase(column::entries, entry_key(session_id{1}, message_id{1}));
    answered.require(durability::sync);
    (void)b.work.submit(shard_index{0}, std::move(put), {});
    (void)b.work.submit(shard_index{1}, std::move(answered), {});
    CHECK(b.work.run_once());
    CHECK(b.told[0].back().upto == ticket{1});
    CHECK(b.told[1].back().upto == ticket{1});
    CHECK(b.disk.rows(column::entries) == 0);
    CHECK(b.work.pending_bytes() == 0);
}

TEST_CASE("after a failed write nothing is acknowledged until the same group succeeds") {
    bench b;
    b.disk.fail_next_writes(2);
    b.put(0, 1);
    CHECK_FALSE(b.work.run_once());
    CHECK(b.work.failed());
    REQUIRE(b.told[0].size() == 1);
    CHECK(b.told[0][0].failed);
    CHECK(b.told[0][0].upto == ticket{0});
    b.put(0, 2);
    CHECK_FALSE(b.work.run_once());
    CHECK(b.told[0].size() == 1); // said once
    while (b.work.run_once()) {}
    CHECK_FALSE(b.work.failed());
    CHECK_FALSE(b.told[0].back().failed);
    CHECK(b.told[0].back().upto == ticket{2});
    CHECK(b.disk.rows(column::entries) == 2);
}

TEST_CASE("a load sees what any shard submitted before it") {
    bench b;
    b.put(1, 5);
    b.put(0, 6, {{.of = session_id{1}, .from = message_id{0}, .messages_max = 1, .bytes_max = 1000}});
    b.put(1, 7);
    CHECK(b.work.run_once());
    REQUIRE(b.told[0].back().loaded.size() == 1);
    CHECK(b.told[0].back().loaded[0].entries.size() == 1);
    CHECK(b.told[0].back().loaded[0].more);
}

TEST_CASE("with too little room durable publications are refused, while what is written is acknowledged") {
    bench b;
    b.disk.set_room(backend::room{.free = 5000, .total = 100'000});
    b.put(0, 1);
    CHECK(b.work.run_once());
    CHECK_FALSE(b.work.trouble().any());
    b.disk.set_room(backend::room{.free = 999, .total = 100'000});
    b.put(0, 2); // an acknowledgement, which makes room
    CHECK(b.work.run_once());
    CHECK(b.work.trouble().full);
    CHECK_FALSE(b.work.failed());
    CHECK(b.told[0].back().upto == ticket{2});
    CHECK(b.told[0].back().failed);
    CHECK(b.told[0].back().full);
    CHECK(b.told[1].back().full); // every shard refuses
    b.disk.set_room(backend::room{.free = 1100, .total = 100'000}); // not yet: it would flicker
    CHECK_FALSE(b.work.run_once());
    CHECK(b.work.trouble().full);
    b.disk.set_room(backend::room{.free = 1300, .total = 100'000});
    CHECK_FALSE(b.work.run_once());
    CHECK_FALSE(b.work.trouble().any());
    CHECK_FALSE(b.told[1].back().failed);
}

TEST_CASE("a tenth of a small disk is room enough") {
    bench b;
    b.disk.set_room(backend::room{.free = 150, .total = 1000});
    b.put(0, 1);
    CHECK(b.work.run_once());
    CHECK_FALSE(b.work.trouble().any());
}

TEST_CASE("a write that fails for want of room says so; what only reads waits for the store as well") {
    bench b;
    b.disk.fail_next_writes(3, storage_error::kind::no_space);
    b.put(0, 1);
    CHECK_FALSE(b.work.run_once());
    CHECK(b.work.trouble().failed);
    CHECK(b.work.trouble().full);
    (void)b.work.submit(shard_index{1}, {}, {{.of = session_id{1}, .from = message_id{0}, .messages_max = 9, .bytes_max = 1000}});
    CHECK_FALSE(b.work.run_once());
    CHECK_FALSE(b.work.run_once());
    CHECK(b.told[1].size() == 1);
    while (b.work.run_once()) {}
    CHECK_FALSE(b.work.trouble().any());
    REQUIRE(b.told[1].back().loaded.size() == 1);
    CHECK(b.told[1].back().loaded[0].entries.size() == 1);
}
