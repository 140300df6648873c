#include "routing/retained.hpp"

#include <doctest/doctest.h>

#include <map>
#include <random>
#include <set>

using namespace broker;

namespace {

message_ptr with_topic(std::string_view topic, time_point expires = never) {
    return make_message({.topic = topic, .payload = as_bytes("x"), .retain = true, .expires_at = expires});
}

} // namespace

TEST_CASE("retained messages are found as the definition says") {
    for (unsigned seed = 1; seed <= 100; ++seed) {
        CAPTURE(seed);
        std::mt19937 dice{seed};
        const limits bounds;
        retained kept{bounds};
        std::set<std::string> known;
        const std::vector<std::string> names{"a", "b", "", "$x"};
        const auto random = [&](bool wildcards) {
            std::string text;
            const auto levels = 1 + dice() % 3;
            for (unsigned i = 0; i != levels; ++i) {
                if (i != 0) text += '/';
                const auto pick = dice() % 8;
                text += wildcards && pick == 0 && i + 1 == levels ? "#" : wildcards && pick < 3 ? "+" : names[dice() % names.size()];
            }
            return text.empty() ? std::string{"a"} : text;
        };
        for (int step = 0; step != 100; ++step) {
            const auto topic = random(false);
            if (dice() % 3 == 0) {
                CHECK(kept.erase(topic) == (known.erase(topic) == 1));
            } else {
                CHECK((kept.set(with_topic(topic)) == retained::outcome::stored) == known.insert(topic).second);
            }
            CHECK(kept.count() == known.size());
            const auto pattern = random(true);
            std::vector<message_ptr> found;
            CHECK_FALSE(kept.match(pattern, time_point{}, found, 1000, 1000));
            // In pieces it is the same walk, also when what it stopped at is gone by then.
            std::vector<message_ptr> pieces;
            std::optional<std::string> after;
            do {
                const auto most = 1 + dice() % 3;
                const auto before = pieces.size();
                after = kept.match(pattern, time_point{}, pieces, most, 1 + dice() % 4, after);
                CHECK(pieces.size() - before <= most);
                if (after && dice() % 4 == 0 && kept.erase(*after)) known.erase(*after);
            } while (after);
            CHECK(pieces == found);
            std::multiset<std::string> actual;
            for (const auto& m : found) actual.emplace(m->topic());
            std::multiset<std::string> expected;
            for (const auto& t : known) {
                if (matches(pattern, t)) expected.insert(t);
            }
            for (const auto& m : found) {
                if (!known.contains(std::string{m->topic()})) expected.emplace(m->topic()); // deleted during the walk
            }
            CAPTURE(pattern);
            CHECK(actual == expected);
        }
    }
}

TEST_CASE("limits are kept, expired messages are not found") {
    limits bounds;
    bounds.retained_messages_max = 2;
    retained kept{bounds};
    CHECK(kept.set(with_topic("a")) == retained::outcome::stored);
    CHECK(kept.set(with_topic("b", from_epoch_ms(10))) == retained::outcome::stored);
    CHECK(kept.set(with_topic("c")) == retained::outcome::refused_count);
    CHECK(kept.set(with_topic("a")) == retained::outcome::replaced);
    CHECK(kept.get("b", from_epoch_ms(9)));
    CHECK_FALSE(kept.get("b", from_epoch_ms(10)));
}
