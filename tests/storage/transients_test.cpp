#include "storage/memory_store.hpp"
#include "storage/transients.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <random>

using namespace broker;
using namespace broker::storage;

namespace {

using rows = std::map<std::string, std::string>;

rows after(std::span<const batch* const> group) {
    memory_backend disk;
    batch before;
    before.put(column::entries, "old", "before");
    const batch* const first[]{&before};
    REQUIRE(disk.write(first, false));
    REQUIRE(disk.write(group, false));
    rows found;
    for (const auto c : {column::entries, column::messages}) {
        REQUIRE(disk.scan(c, "", "", [&](std::string_view key, std::string_view value) {
            found[std::string{name(c)} + "/" + std::string{key}] = value;
            return true;
        }));
    }
    return found;
}

struct outcome {
    std::size_t operations = 0; // that are written
    rows found{};
};

outcome written(const std::vector<std::function<void(batch&)>>& steps) {
    std::vector<batch> batches(steps.size());
    std::vector<const batch*> group;
    std::vector<batch*> open;
    for (std::size_t i = 0; i != steps.size(); ++i) {
        steps[i](batches[i]);
        group.push_back(&batches[i]);
        open.push_back(&batches[i]);
    }
    const auto found = after(group);
    transients known;
    for (auto& b : batches) (void)known.add(b);
    (void)known.close(open);
    CHECK(known.unanswered() == 0);
    CHECK(after(group) == found);
    outcome o{.found = found};
    for (const auto& b : batches) {
        std::size_t of_this = 0;
        b.for_each([&](const batch::operation&) { ++of_this; });
        CHECK(b.nothing_left() == (of_this == 0));
        o.operations += of_this;
    }
    return o;
}

} // namespace

TEST_CASE("a new key that is erased in the same group is not written") {
    const auto got = written({[](batch& b) { b.put_new(column::entries, "a", "1"); b.put_new(column::entries, "b", "2"); },
                              [](batch& b) { b.erase(column::entries, "a"); }});
    CHECK(got.operations == 1);
    CHECK(got.found == rows{{"entries/b", "2"}, {"entries/old", "before"}});
    CHECK(written({[](batch& b) { b.put_new(column::entries, "a", "1"); b.erase(column::entries, "a"); }}).operations == 0);
}

TEST_CASE("a key that may have been there before is erased") {
    CHECK(written({[](batch& b) { b.put(column::entries, "old", "1"); b.erase(column::entries, "old"); }}).found == rows{});
    CHECK(written({[](batch& b) { b.erase(column::entries, "old"); }}).found == rows{});
    CHECK(written({[](batch& b) { b.put_new(column::messages, "old", "1"); b.erase(column::entries, "old"); }}).found == rows{{"messages/old", "1"}});
}

TEST_CASE("what is put again is erased, and what is put behind the erasure stays") {
    CHECK(written({[](batch& b) { b.put_new(column::entries, "a", "1"); b.put(column::entries, "a", "2"); b.erase(column::entries, "a"); }}).operations == 3);
    CHECK(written({[](batch& b) { b.put_new(column::entries, "a", "1"); b.put_new(column::entries, "a", "2"); b.erase(column::entries, "a"); }}).operations == 3);
    CHECK(written({[](batch& b) { b.put_new(column::entries, "a", "1"); b.erase(column::entries, "a"); b.put(column::entries, "a", "2"); }}).found ==
          rows{{"entries/a", "2"}, {"entries/old", "before"}});
}

TEST_CASE("what its receiver answers in a later group is not written; what somebody else erases there is") {
    const auto write = [](bool answered) {
        batch first;
        first.put_new(column::entries, "a", "1");
        first.put_new(column::entries, "b", "1");
        batch second;
        if (answered) second.erase_answered(column::entries, "a");
        else second.erase(column::entries, "a");
        transients known;
        const auto start = transients::time{} + std::chrono::milliseconds{5};
        (void)known.add(first, start);
        const auto found = known.add(second, start + std::chrono::milliseconds{2});
        CHECK(found.count == (answered ? 1U : 0U));
        if (answered) CHECK(found.after == std::chrono::milliseconds{2});
        batch* const one[]{&first};
        batch* const two[]{&second};
        CHECK(known.close(one) == (answered ? 1U : 2U));
        CHECK(known.unanswered() == 0);
        CHECK(known.close(two) == 0);
        CHECK(second.nothing_left() == answered);
        const batch* const both[]{&first, &second};
        return after(both);
    };
    CHECK(write(true) == rows{{"entries/b", "1"}, {"entries/old", "before"}});
    CHECK(write(true) == write(false));
}

TEST_CASE("what may be on disk already is erased there, answered or not") {
    batch first;
    first.put_new(column::entries, "a", "1");
    transients known;
    (void)known.add(first);
    batch* const one[]{&first};
    CHECK(known.close(one) == 1); // and writing it fails, or is ambiguous: it is tried again as it is
    batch second;
    second.erase_answered(column::entries, "a");
    CHECK(known.add(second).count == 0);
    CHECK(!first.nothing_left());
    CHECK(!second.nothing_left());
}

TEST_CASE("any sequence leaves the same rows, however it is cut into groups") {
    const auto seed = std::random_device{}();
    MESSAGE("seed ", seed);
    std::mt19937 dice{seed};
    const auto roll = [&](int n) { return static_cast<int>(dice() % static_cast<unsigned>(n)); };
    for (int round = 0; round != 2'000; ++round) {
        std::map<std::string, int> puts; // put_new is for keys that were never there
        std::vector<std::function<void(batch&)>> steps;
        for (int i = roll(6); i >= 0; --i) {
            steps.emplace_back([&](batch& b) {
                for (int k = roll(12); k >= 0; --k) {
                    const auto key = std::string(1, static_cast<char>('a' + roll(4)));
                    const auto value = std::to_string(roll(100));
                    switch (roll(9)) {
                    case 0: b.put(column::entries, key, value), ++puts[key]; break;
                    case 1: b.erase_prefix(column::entries, key); break;
                    case 2: case 3: b.erase(column::entries, key); break;
                    case 4: case 5: b.erase_answered(column::entries, key); break;
                    default:
                        if (puts[key]++ == 0) b.put_new(column::entries, key, value);
                    }
                }
            });
        }
        (void)written(steps);
        puts.clear();
        std::vector<batch> batches(steps.size());
        std::vector<const batch*> all;
        for (std::size_t i = 0; i != steps.size(); ++i) {
            steps[i](batches[i]);
            all.push_back(&batches[i]);
        }
        const auto expected = after(all);
        transients known;
        std::size_t added = 0;
        std::size_t closed = 0;
        while (closed != batches.size()) {
            if (added != batches.size() && (added == closed || roll(2) == 0)) {
                (void)known.add(batches[added++]);
                continue;
            }
            std::vector<batch*> group;
            for (int n = roll(static_cast<int>(added - closed)); n >= 0; --n) group.push_back(&batches[closed++]);
            (void)known.close(group);
        }
        CHECK(known.unanswered() == 0);
        CHECK(after(all) == expected);
    }
}
