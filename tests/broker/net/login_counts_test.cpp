#include "net/login_counts.hpp"

#include <doctest/doctest.h>

#include <map>
#include <string>

using namespace broker;
using namespace broker::security;

TEST_CASE("a login counts for the method that decided, and for what came of it") {
    login_counts counts;
    counts.count(admitted{.by = method::users});
    counts.count(admitted{.by = method::users});
    counts.count(denied{.by = method::token});
    counts.count(denied{.by = method::token, .expired = true});
    counts.count(denied{.by = method::token, .unknown_key = true, .unavailable = true});
    counts.count(denied{.by = method::anonymous, .proved = true});
    counts.count(denied{}); // nobody recognised it
    counts.count(method::http, login_counts::outcome::unavailable);
    std::map<std::string, std::uint64_t> seen;
    std::size_t all = 0;
    counts.for_each([&](std::string_view by, std::string_view what, std::uint64_t times) {
        ++all;
        if (times != 0) seen[std::string{by} + " " + std::string{what}] = times;
    });
    CHECK(all == 7 * 4);
    CHECK(seen == std::map<std::string, std::uint64_t>{{"users allowed", 2}, {"jwt denied", 1}, {"jwt expired", 1}, {"jwt unavailable", 1},
                                                       {"anonymous denied", 1}, {"none denied", 1}, {"http unavailable", 1}});
}
