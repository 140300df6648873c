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

TEST_CASE("a shared group picks its members in turn: who has room, else who is online, else who is durable") {
    topic_trie trie{1};
    slot a;
    slot b;
    slot away;
    for (auto* s : {&a, &b}) {
        s->online = true;
        s->room = true;
    }
    away.durable = true;
    const auto filter = *topic_filter::parse("$share/g/t", bounds);
    for (auto* s : {&a, &b, &away}) CHECK_FALSE(trie.insert(filter, *s, {}));
    std::map<slot*, int> picked;
    match_set found;
    const auto pick = [&] {
        found.clear();
        trie.match(shard_index{0}, "t", found);
        CHECK(found.found.empty());
        if (!found.shared.empty()) ++picked[found.shared[0].to];
        return found.shared.size();
    };
    for (int i = 0; i != 30; ++i) CHECK(pick() == 1);
    CHECK(picked == std::map<slot*, int>{{&a, 15}, {&b, 15}});
    a.room = false;
    picked.clear();
    for (int i = 0; i != 30; ++i) CHECK(pick() == 1);
    CHECK(picked == std::map<slot*, int>{{&b, 30}});
    b.room = false; // nobody has room: they are equals again
    picked.clear();
    for (int i = 0; i != 30; ++i) CHECK(pick() == 1);
    CHECK(picked == std::map<slot*, int>{{&a, 15}, {&b, 15}});
    a.online = false;
    b.online = false;
    picked.clear();
    CHECK(pick() == 1);
    CHECK(picked[&away] == 1);
    away.durable = false;
    CHECK(pick() == 0);
}

TEST_CASE("turns stay fair when a member in between has no room") {
    topic_trie trie{1};
    std::vector<std::unique_ptr<slot>> slots;
    const auto filter = *topic_filter::parse("$share/g/t", bounds);
    for (int i = 0; i != 4; ++i) {
        slots.push_back(std::make_unique<slot>());
        slots.back()->online = true;
        slots.back()->room = i != 1;
        CHECK_FALSE(trie.insert(filter, *slots.back(), {}));
    }
    std::map<slot*, int> picked;
    for (int i = 0; i != 30; ++i) {
        match_set found;
        trie.match(shard_index{0}, "t", found);
        REQUIRE(found.shared.size() == 1);
        ++picked[found.shared[0].to];
    }
    CHECK(picked == std::map<slot*, int>{{slots[0].get(), 10}, {slots[2].get(), 10}, {slots[3].get(), 10}});
}

TEST_CASE("several groups and plain subscriptions on one filter each get the message") {
    topic_trie trie{1};
    slot one;
    slot two;
    one.durable = true;
    two.durable = true;
    for (const auto* const text : {"t/#", "$share/g/t/#", "$share/h/t/#"}) {
        for (auto* s : {&one, &two}) CHECK_FALSE(trie.insert(*topic_filter::parse(text, bounds), *s, {}));
    }
    match_set found;
    trie.match(shard_index{0}, "t/x", found);
    CHECK(found.found.size() == 2);
    CHECK(found.shared.size() == 2);
    CHECK(trie.subscriptions() == 2);
    CHECK(trie.shared_subscriptions() == 4);
    CHECK(one.plain_filters == 1);

    // Who may take what another member does not keep.
    const auto of = found.shared[0].of;
    const auto other = trie.choose(shard_index{0}, *of, &one, false);
    REQUIRE(other);
    CHECK(other->to == &two);
    CHECK_FALSE(trie.choose(shard_index{0}, *of, &one, true)); // only the offline
    CHECK(trie.erase(*topic_filter::parse(of->filter(), bounds), two));
    CHECK_FALSE(trie.choose(shard_index{0}, *of, &one, false));
    CHECK(trie.erase(*topic_filter::parse(of->filter(), bounds), one));
    CHECK_FALSE(trie.choose(shard_index{0}, *of, nullptr, false)); // the group is gone
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
