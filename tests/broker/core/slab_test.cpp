#include "core/slab.hpp"

#include <doctest/doctest.h>

#include <map>
#include <memory>
#include <random>

using namespace broker;

TEST_CASE("a slab: values stay where they are, numbers are given out again") {
    std::mt19937 dice{7};
    slab<std::shared_ptr<int>> s;
    std::map<slab<std::shared_ptr<int>>::number, std::pair<int, std::shared_ptr<int>*>> known;
    for (int step = 0; step != 5'000; ++step) {
        if (known.empty() || dice() % 3 != 0) {
            const auto at = s.add(std::make_shared<int>(step));
            REQUIRE(!known.contains(at));
            known[at] = {step, &s[at]};
        } else {
            const auto which = std::next(known.begin(), static_cast<std::ptrdiff_t>(dice() % known.size()));
            const std::weak_ptr<int> watched{s[which->first]};
            s.erase(which->first);
            CHECK(watched.expired());
            known.erase(which);
        }
    }
    for (const auto& [at, value] : known) {
        CHECK(*s[at] == value.first);
        CHECK(&s[at] == value.second);
    }
    CHECK(known.rbegin()->first < 5'000 / 3 * 2);
}
