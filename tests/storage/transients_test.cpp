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
    for (std::size_t i = 0; i != steps.size(); ++i) {
        steps[i](batches[i]);
        group.push_back(&batches[i]);
    }
    batch lasting;
    const bool changed = without_transients(group, lasting);
    std::size_t operations = 0;
    for (const auto& b : batches) operations += b.operations();
    const std::vector<const batch*> only{&lasting};
    const auto found = after(changed ? std::span<const batch* const>{only} : std::span<const batch* const>{group});
    CHECK(found == after(group));
    return {.operations = changed ? lasting.operations() : operations, .found = found};
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

TEST_CASE("what is left asks for the same durability") {
    batch b;
    b.put_new(column::entries, "a", "1");
    b.erase(column::entries, "a");
    b.put(column::entries, "b", "2");
    b.require(durability::sync);
    const batch* const group[]{&b};
    batch lasting;
    REQUIRE(without_transients(group, lasting));
    CHECK(lasting.required() == durability::sync);
}

TEST_CASE("any sequence leaves the same rows") {
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
                    switch (roll(8)) {
                    case 0: b.put(column::entries, key, value), ++puts[key]; break;
                    case 1: b.erase_prefix(column::entries, key); break;
                    case 2: case 3: case 4: b.erase(column::entries, key); break;
                    default:
                        if (puts[key]++ == 0) b.put_new(column::entries, key, value);
                    }
                }
            });
        }
        (void)written(steps);
    }
}
