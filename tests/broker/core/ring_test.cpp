#include "core/ring.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <random>
#include <string>

using namespace broker;

namespace {

std::deque<std::string> all(const ring<std::string>& r) { return {r.begin(), r.end()}; }

} // namespace

TEST_CASE("a ring does what a deque does, whatever is done to it") {
    for (unsigned seed = 1; seed <= 200; ++seed) {
        CAPTURE(seed);
        std::mt19937 dice{seed};
        ring<std::string> r;
        std::deque<std::string> d;
        for (int step = 0; step != 300; ++step) {
            const auto text = "a text that has memory of its own: " + std::to_string(step);
            switch (dice() % 8) {
            case 0:
            case 1: r.push_back(text), d.push_back(text); break;
            case 2: r.push_front(text), d.push_front(text); break;
            case 3:
            case 4:
                if (!d.empty()) r.pop_front(), d.pop_front();
                break;
            case 5: {
                const auto at = static_cast<std::ptrdiff_t>(dice() % (d.size() + 1));
                r.insert(r.begin() + at, text);
                d.insert(d.begin() + at, text);
                break;
            }
            case 6: {
                const auto odd = [](const std::string& t) { return (t.back() - '0') % 2 != 0; };
                r.erase(std::remove_if(r.begin(), r.end(), odd), r.end());
                std::erase_if(d, odd);
                break;
            }
            default:
                if (dice() % 20 == 0) r.clear(), d.clear();
                break;
            }
            REQUIRE(r.size() == d.size());
            REQUIRE(r.empty() == d.empty());
            REQUIRE(all(r) == d);
            if (!d.empty()) {
                CHECK(r.front() == d.front());
                CHECK(r.back() == d.back());
                const auto i = dice() % d.size();
                CHECK(r[i] == d[i]);
            }
        }
    }
}

TEST_CASE("a ring lets go of what leaves it, and takes over another's") {
    const auto watched = std::make_shared<int>(1);
    ring<std::shared_ptr<int>> r;
    for (int i = 0; i != 10; ++i) r.push_back(watched);
    CHECK(watched.use_count() == 11);
    r.pop_front();
    CHECK(watched.use_count() == 10);
    r.erase(r.begin() + 4, r.end());
    CHECK(watched.use_count() == 5);
    ring<std::shared_ptr<int>> other;
    other.push_back(watched);
    other = std::move(r);
    CHECK(other.size() == 4);
    CHECK(watched.use_count() == 5);
    { const ring<std::shared_ptr<int>> gone{std::move(other)}; }
    CHECK(watched.use_count() == 1);
}
