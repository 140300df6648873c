// Who is not let in, and what makes it so by itself.
#include "security/bans.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace broker;
using namespace broker::security;

namespace {

constexpr auto start = time_point{seconds{1'000'000}};

ip_address ip(std::string_view text) {
    const auto a = ip_address::parse(text);
    REQUIRE_MESSAGE(a, text);
    return *a;
}

std::vector<std::string> listed(const bans& b, time_point now = start) {
    std::vector<std::string> words;
    for (const auto& one : b.all(now)) words.push_back(std::string{name(one.what)} + " " + one.whom);
    return words;
}

} // namespace

TEST_CASE("addresses and networks, in any spelling") {
    bans b;
    REQUIRE(b.add({.whom = "192.0.2.7"}, start));
    REQUIRE(b.add({.whom = "10.1.0.0/16"}, start));
    REQUIRE(b.add({.whom = "2001:DB8:0::/64"}, start));
    REQUIRE(b.add({.whom = "2001:db9::1"}, start));
    for (const auto* const in : {"192.0.2.7", "::ffff:192.0.2.7", "10.1.2.3", "2001:db8::5", "2001:db8:0:0:ffff::", "2001:db9::1"}) CHECK_MESSAGE(b.banned(ip(in), start), in);
    for (const auto* const out : {"192.0.2.8", "10.2.0.1", "2001:db8:0:1::1", "2001:db9::2"}) CHECK_MESSAGE(!b.banned(ip(out), start), out);
    CHECK(listed(b) == std::vector<std::string>{"address 10.1.0.0/16", "address 192.0.2.7", "address 2001:db8::/64", "address 2001:db9::1"});
    CHECK(b.remove(ban_kind::address, "192.0.2.7/32"));
    CHECK_FALSE(b.remove(ban_kind::address, "192.0.2.7"));
    CHECK(b.remove(ban_kind::address, "2001:db8::/64"));
    CHECK(b.remove(ban_kind::address, "10.1.0.0/16"));
    CHECK_FALSE(b.remove(ban_kind::address, "nonsense"));
    CHECK(listed(b) == std::vector<std::string>{"address 2001:db9::1"});
    CHECK(b.add({.whom = "ten"}, start).error() == "network 'ten': write 10.0.0.0/8, 2001:db8::/32 or an address");
}

TEST_CASE("users and client ids, each for itself") {
    bans b;
    CHECK_FALSE(b.has_names());
    REQUIRE(b.add({.what = ban_kind::user, .whom = "olga"}, start));
    CHECK(b.has_names());
    CHECK(b.banned(ban_kind::user, "olga", start));
    CHECK_FALSE(b.banned(ban_kind::client_id, "olga", start));
    CHECK(b.add({.what = ban_kind::client_id}, start).error() == "nobody is named");
    CHECK(b.remove(ban_kind::user, "olga"));
    CHECK_FALSE(b.has_names());
}

TEST_CASE("a ban ends, and another one of the same replaces it") {
    bans b;
    REQUIRE(b.add({.whom = "192.0.2.7", .until = start + seconds{10}}, start));
    CHECK(b.banned(ip("192.0.2.7"), start + seconds{9}));
    CHECK_FALSE(b.banned(ip("192.0.2.7"), start + seconds{10}));
    CHECK(listed(b, start + seconds{10}).empty());
    REQUIRE(b.add({.whom = "192.0.2.7", .until = start + seconds{99}}, start));
    CHECK(b.all(start).size() == 1);
    CHECK(b.banned(ip("192.0.2.7"), start + seconds{98}));
}

TEST_CASE("there is a bound, and those that have ended make room") {
    bans b;
    for (std::size_t i = 0; i != bans::most; ++i) REQUIRE(b.add({.what = ban_kind::user, .whom = std::to_string(i), .until = start + seconds{5}}, start));
    CHECK(b.add({.what = ban_kind::user, .whom = "one more"}, start).error() == "100000 bans are there already, which is as many as can be");
    CHECK(b.add({.what = ban_kind::user, .whom = "one more"}, start + seconds{5}));
    CHECK(b.all(start + seconds{5}).size() == 1);
}

TEST_CASE("offences: more than so many in so long") {
    offences o{{.amount = 3, .per = milliseconds{60'000}}};
    const auto again = [&](std::string_view who, int second) { return o.again(ip(who), start + seconds{second}); };
    CHECK_FALSE(again("192.0.2.1", 0));
    CHECK_FALSE(again("192.0.2.1", 10));
    CHECK_FALSE(again("192.0.2.2", 10));
    CHECK_FALSE(again("192.0.2.1", 20));
    CHECK(again("192.0.2.1", 59));
    CHECK_FALSE(again("192.0.2.1", 59)); // the count begins anew
    CHECK_FALSE(again("2001:db8::1", 0)); // of IPv6 a /64 is one
    CHECK_FALSE(again("2001:db8::2", 0));
    CHECK_FALSE(again("2001:db8::3", 0));
    CHECK(again("2001:db8::4", 0));
    for (int i = 0; i != 3; ++i) CHECK_FALSE(again("192.0.2.3", 0));
    CHECK_FALSE(again("192.0.2.3", 60)); // the minute is over
    for (int i = 0; i != 10; ++i) CHECK_FALSE(again("127.0.0.1", 0));
    offences nothing{{}};
    for (int i = 0; i != 10; ++i) CHECK_FALSE(nothing.again(ip("192.0.2.1"), start));
}
