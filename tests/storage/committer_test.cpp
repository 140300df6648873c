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

TEST_CASE("room is seen again although nobody wants anything written") {
    bench b;
    b.disk.set_room(backend::room{.free = 999, .total = 100'000});
    b.put(0, 1);
    CHECK(b.work.run_once());
    CHECK(b.work.trouble().full);
    b.disk.set_room(backend::room{.free = 1300, .total = 100'000});
    CHECK(b.work.next(std::chrono::steady_clock::now()).take == 0);
    CHECK_FALSE(b.work.trouble().any());
    CHECK_FALSE(b.told[0].back().full);
}

TEST_CASE("a store that can be written again, but without room enough, does not say that all is well") {
    bench b;
    b.disk.fail_next_writes(1, storage_error::kind::no_space);
    b.put(0, 1);
    CHECK_FALSE(b.work.run_once());
    CHECK(b.told[1].back().full);
    const auto told = b.told[1].size();
    b.disk.set_room(backend::room{.free = 1100, .total = 100'000}); // enough to go on with, too little to begin again
    CHECK(b.work.run_once());
    CHECK(b.told[0].back().upto == ticket{1});
    CHECK_FALSE(b.work.failed());
    CHECK(b.work.trouble().full);
    for (auto i = told; i != b.told[1].size(); ++i) CHECK(b.told[1][i].full);
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

namespace {

using std::chrono::microseconds;

// Submissions of sessions whose receivers answer.
struct answering : bench {
    std::uint64_t last = 0;

    void put_new(std::uint64_t messages) {
        for (std::uint64_t i = 0; i != messages; ++i) {
            batch b;
            b.put_new(column::entries, entry_key(session_id{1}, message_id{++last}), "x");
            b.require(durability::sync);
            (void)work.submit(shard_index{0}, std::move(b), {});
        }
    }
    void answer(std::uint64_t message) {
        batch b;
        b.erase_answered(column::entries, entry_key(session_id{1}, message_id{message}));
        (void)work.submit(shard_index{1}, std::move(b), {});
    }
    // What was put, and 100 messages a round.
    void answer_all(int rounds) {
        for (std::uint64_t m = 1; rounds != 0; --rounds) {
            for (; m <= last; ++m) answer(m);
            CHECK(work.run_once());
            if (rounds != 1) put_new(100);
        }
    }
    [[nodiscard]] committer::plan next(microseconds after = microseconds{0}) { return work.next(std::chrono::steady_clock::now() + after); }
};

} // namespace

TEST_CASE("what has just come is left to receivers that have answered quickly of late, for a moment") {
    answering b;
    CHECK(b.next().take == 0);
    CHECK(b.next().wait == microseconds{0}); // until there is work
    b.put_new(100);
    CHECK(b.next().take == 100); // nobody has answered so far
    b.answer_all(5);
    CHECK(b.disk.rows(column::entries) == 0);
    const auto before = b.last;
    const auto answered_before = b.told[1].back().upto.value();

    b.put_new(10);
    CHECK(b.next().take == 10); // few: nothing to gain
    b.put_new(90);
    const auto plan = b.next(microseconds{-1}); // this very moment
    CHECK(plan.take == 0);
    CHECK(plan.wait > microseconds{0});
    CHECK(plan.wait <= microseconds{1'010});
    CHECK(b.next(microseconds{1'000}).take == 100); // nobody waits longer

    // The answers are not in the group, and still none of it is written.
    for (std::uint64_t m = before + 1; m <= b.last; ++m) b.answer(m);
    CHECK(b.work.run_once(100));
    CHECK(b.told[0].back().upto == ticket{b.last});
    CHECK(b.told[1].back().upto == ticket{answered_before});
    CHECK(b.disk.rows(column::entries) == 0);
    CHECK(b.work.run_once());
    CHECK(b.told[1].back().upto == ticket{answered_before + 100});
}

TEST_CASE("when receivers stop answering nothing waits for them any more") {
    answering b;
    b.put_new(100);
    b.answer_all(5);
    for (int round = 0; round != 12; ++round) {
        b.put_new(100);
        CHECK(b.work.run_once());
    }
    b.put_new(100);
    CHECK(b.next(microseconds{-1}).take == 100);
}

TEST_CASE("a group that could not be written is written again as it is: its rows may be on disk") {
    answering b;
    b.put_new(3);
    b.disk.fail_next_writes(1);
    CHECK_FALSE(b.work.run_once());
    b.answer(2);
    CHECK(b.next().take == 4);
    CHECK(b.work.run_once());
    CHECK(b.disk.rows(column::entries) == 3);
    CHECK(b.work.run_once());
    CHECK(b.disk.rows(column::entries) == 2);
    CHECK(b.told[0].back().upto == ticket{3});
}
