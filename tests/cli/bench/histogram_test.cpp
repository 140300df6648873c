#include "cli/bench/histogram.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

using broker::cli::bench::histogram;
using namespace std::chrono_literals;

TEST_CASE("percentiles are at most 0.8 % above the truth, from nanoseconds to minutes") {
    const auto seed = std::random_device{}();
    INFO("seed " << seed);
    std::mt19937_64 random{seed};
    std::uniform_real_distribution<double> exponent{0, 11.9}; // 1 ns to 13 minutes
    histogram h;
    std::vector<std::int64_t> all;
    for (int i = 0; i != 20'000; ++i) {
        all.push_back(static_cast<std::int64_t>(std::pow(10.0, exponent(random))));
        h.add(std::chrono::nanoseconds{all.back()});
    }
    std::ranges::sort(all);
    CHECK(h.count() == all.size());
    CHECK(h.maximum().count() == all.back());
    for (const double share : {0.0001, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1.0}) {
        const auto at = static_cast<std::size_t>(std::ceil(share * static_cast<double>(all.size()))) - 1;
        CHECK(h.percentile(share).count() >= all[at]);
        CHECK(static_cast<double>(h.percentile(share).count()) <= 1.008 * static_cast<double>(all[at]) + 1);
    }
}

TEST_CASE("small durations are exact, and the edges hold") {
    histogram h;
    CHECK(h.percentile(0.5) == 0ns);
    h.add(-5ns);
    CHECK(h.percentile(1) == 0ns);
    for (int i = 1; i != 256; ++i) h.add(std::chrono::nanoseconds{i});
    CHECK(h.percentile(0.5) == 127ns);
    CHECK(h.percentile(0) == 0ns);
    CHECK(h.percentile(1) == 255ns);
    h.add(24h); // beyond its range
    CHECK(h.maximum() == 24h);
    CHECK(h.percentile(1) > 18min);
}

TEST_CASE("two are added") {
    histogram a;
    histogram b;
    for (int i = 0; i != 100; ++i) a.add(1us);
    for (int i = 0; i != 100; ++i) b.add(1ms);
    a.add(b);
    CHECK(a.count() == 200);
    CHECK(a.percentile(0.5) < 1.01us);
    CHECK(a.percentile(0.51) >= 1ms);
    CHECK(a.maximum() == 1ms);
}
