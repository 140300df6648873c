// Rates over time, and what may come at once.
#include "core/publish_meter.hpp"
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

TEST_CASE("a publisher waits from when it has used up what may come at once") {
    limits bounds;
    bounds.client_publish_rate = {.amount = 10};
    publish_meter m{bounds};
    m.charge(100, start);
    CHECK_FALSE(m.exhausted());
    m.charge(100, start); // 200 ms worth, of which 150 may be owed
    CHECK(m.exhausted());
    CHECK(m.next() == start + milliseconds{50});
    m.look_again(start + milliseconds{49});
    CHECK(m.exhausted());
    m.look_again(start + milliseconds{50});
    CHECK_FALSE(m.exhausted());
    CHECK_FALSE(m.by_user());
}

TEST_CASE("with limits.rate_action = close only who has not waited is told so") {
    limits bounds;
    bounds.client_publish_rate = {.amount = 10};
    bounds.rate_action = "close";
    publish_meter m{bounds};
    m.charge(1, start);
    m.charge(1, start);
    CHECK_FALSE(m.exhausted());
    m.charge(1, start + milliseconds{50});
    CHECK_FALSE(m.exhausted());
    m.charge(1, start + milliseconds{51});
    CHECK(m.exhausted());
}

TEST_CASE("what a user's connections publish counts for all of them") {
    limits bounds;
    bounds.user_publish_bytes = {.amount = 1'000};
    const auto shared = std::make_shared<publish_rates>(bounds.user_publish_rate, bounds.user_publish_bytes);
    publish_meter a{bounds};
    publish_meter b{bounds};
    a.share(shared);
    b.share(shared);
    a.charge(2'000, start);
    CHECK(a.exhausted());
    CHECK(a.by_user());
    CHECK_FALSE(b.exhausted()); // it has not tried
    b.charge(1, start);
    CHECK(b.exhausted());
    CHECK(b.next() > start + milliseconds{1'700});
}
