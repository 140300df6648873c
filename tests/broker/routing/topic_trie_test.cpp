#include "routing/topic_trie.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <thread>

using namespace broker;

namespace {

const limits bounds;

std::string random_levels(std::mt19937& dice, bool wildcards) {
    static const std::vector<std::string> names{"a", "b", "", "$x", "c"};
    std::string text;
    const auto levels = 1 + dice() % 4;
    for (unsigned i = 0; i != levels; ++i) {
        if (i != 0) text += '/';
        const auto pick = dice() % 10;
        if (wildcards && pick == 0 && i + 1 == levels) text += '#';
        else if (wildcards && pick < 3) text += '+';
        else text += names[dice() % names.size()];
    }
    return text.empty() ? "a" : text;
}

} // namespace

TEST_CASE("the trie finds what the definition finds, whatever was inserted and erased") {
    for (unsigned seed = 1; seed <= 150; ++seed) {
        CAPTURE(seed);
        std::mt19937 dice{seed};
        topic_trie trie{2};
        std::vector<std::unique_ptr<slot>> slots;
        for (int i = 0; i != 6; ++i) slots.push_back(std::make_unique<slot>());
        std::set<std::pair<std::string, slot*>> known;
        match_set found;
        for (int step = 0; step != 200; ++step) {
            const auto text = random_levels(dice, true);
            const auto filter = topic_filter::parse(text, bounds);
            REQUIRE(filter);
            auto& who = *slots[dice() % slots.size()];
            if (dice() % 3 != 0) {
                CHECK(trie.insert(*filter, who, {}) == !known.emplace(text, &who).second);
            } else {
                CHECK(trie.erase(*filter, who) == (known.erase({text, &who}) == 1));
            }
            CHECK(trie.subscriptions() == known.size());
            const auto topic = random_levels(dice, false);
            found.clear();
            trie.match(shard_index{0}, topic, found);
            std::multiset<slot*> expected;
            for (const auto& [pattern, to] : known) {
                if (matches(pattern, topic)) expected.insert(to);
            }
            std::multiset<slot*> actual;
            for (const auto& f : found.found) actual.insert(f.to);
            CHECK(actual == expected);
        }
        for (const auto& [text, who] : known) CHECK(trie.erase(*topic_filter::parse(text, bounds), *who));
        CHECK(trie.nodes() == 0); // nothing is left behind
    }
}

TEST_CASE("a shared group picks its members in turn, online ones first") {
    topic_trie trie{1};
    slot a;
    slot b;
    slot away;
    a.online = true;
    b.online = true;
    away.durable = true;
    const auto filter = *topic_filter::parse("$share/g/t", bounds);
    for (auto* s : {&a, &b, &away}) CHECK_FALSE(trie.insert(filter, *s, {}));
    std::map<slot*, int> picked;
    match_set found;
    const auto pick = [&] {
        found.clear();
        trie.match(shard_index{0}, "t", found);
        if (!found.found.empty()) ++picked[found.found[0].to];
        return found.found.size();
    };
    for (int i = 0; i != 30; ++i) CHECK(pick() == 1);
    CHECK(picked[&away] == 0);
    CHECK(picked[&a] >= 10);
    CHECK(picked[&b] >= 10);
    a.online = false;
    b.online = false;
    CHECK(pick() == 1);
    CHECK(picked[&away] == 1);
    away.durable = false;
    CHECK(pick() == 0);
}

TEST_CASE("many subscribers of one filter leave one by one") {
    topic_trie trie{1};
    std::vector<std::unique_ptr<slot>> slots;
    const auto filter = *topic_filter::parse("t", bounds);
    for (int i = 0; i != 5000; ++i) {
        slots.push_back(std::make_unique<slot>());
        CHECK_FALSE(trie.insert(filter, *slots.back(), {}));
    }
    for (auto& s : slots) REQUIRE(trie.erase(filter, *s));
    CHECK(trie.nodes() == 0);
}

TEST_CASE("readers and writers at once") {
    topic_trie trie{2};
    slot who;
    const auto stays = *topic_filter::parse("a/+/c", bounds);
    (void)trie.insert(stays, who, {});
    std::vector<std::thread> readers;
    for (std::uint16_t r = 0; r != 2; ++r) {
        readers.emplace_back([&trie, r] {
            match_set found;
            for (int i = 0; i != 3000; ++i) {
                found.clear();
                trie.match(shard_index{r}, "a/b/c", found);
                if (found.found.empty()) std::abort();
            }
        });
    }
    std::mt19937 dice{7};
    slot other;
    for (int i = 0; i != 1500; ++i) {
        const auto filter = *topic_filter::parse(random_levels(dice, true), bounds);
        (void)trie.insert(filter, other, {});
        (void)trie.erase(filter, other);
    }
    for (auto& r : readers) r.join();
    CHECK(trie.subscriptions() == 1);
}
