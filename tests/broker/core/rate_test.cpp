// Rates over time, and what may come at once.
#include "core/rate.hpp"

#include <doctest/doctest.h>

using namespace broker;

namespace {

constexpr auto start = time_point{seconds{1'000'000}};

// Somebody who wants as much as he gets, looked at every millisecond for ten seconds.
int taken_in_ten_seconds(const rate& r) {
    rate_meter m{r};
    int taken = 0;
    for (int ms = 0; ms != 10'000; ++ms) {
        while (m.take(start + milliseconds{ms})) ++taken;
    }
    return taken;
}

} // namespace

TEST_CASE("no more than the rate and a quarter of a second's worth") {
    CHECK(taken_in_ten_seconds({.amount = 100}) == 1'024); // the 25th is due at 10 s
    CHECK(taken_in_ten_seconds({.amount = 1}) == 10);
    CHECK(taken_in_ten_seconds({.amount = 30, .per = milliseconds{60'000}}) == 5);
    const auto fast = taken_in_ten_seconds({.amount = 3'000});
    CHECK(fast >= 30'000);
    CHECK(fast <= 30'755);
}

TEST_CASE("what is too much is made up for by waiting") {
    rate_meter m{{.amount = 1'000}};
    m.charge(2'000, start);
    CHECK(m.next() == start + milliseconds{1'751}); // 249 ms may be owed
    m.charge(1'000, start);
    CHECK(m.next() == start + milliseconds{2'751});
    CHECK_FALSE(m.take(start + milliseconds{2'750}));
    CHECK(m.take(start + milliseconds{2'751}));
}

TEST_CASE("time that passes unused is not saved up") {
    rate_meter m{{.amount = 100}};
    int taken = 0;
    while (m.take(start + seconds{3'600})) ++taken;
    CHECK(taken == 25);
}

TEST_CASE("no bound") {
    rate_meter m{{}};
    m.charge(1'000'000'000, start);
    CHECK(m.next() < start);
    CHECK(m.take(start));
}
