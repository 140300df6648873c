// How many connections are served, and when that is said.
#include "net/doorkeeper.hpp"

#include <doctest/doctest.h>

using namespace broker;

namespace {

constexpr auto start = time_point{seconds{1'000'000}};

struct door {
    using guest = std::optional<doorkeeper::guest>;
    alarms raised;
    time_point now = start;
    doorkeeper in;
    std::atomic<std::size_t> web{0};
    explicit door(doorkeeper::settings s) : in{std::move(s), raised, [this] { return now; }} {}
    explicit door(std::size_t most) : door{doorkeeper::settings{.most = most, .bounded_by = "that is the limit"}} {}
    guest enter(std::size_t listener_max = 0) { return in.enter(web, listener_max); }
    doorkeeper::verdict from(guest& who, std::string_view address) { return in.comes_from(*who, *security::ip_address::parse(address)); }
    [[nodiscard]] std::vector<std::string> alarm_names() const {
        std::vector<std::string> names;
        for (const auto& a : raised.all()) names.push_back(a.name);
        return names;
    }
};

using verdict = doorkeeper::verdict;

} // namespace

TEST_CASE("as many as are served, then no more until one leaves") {
    door d{2};
    auto a = d.enter();
    const auto b = d.enter();
    CHECK(a);
    CHECK(b);
    CHECK(d.alarm_names().empty());
    CHECK_FALSE(d.enter());
    CHECK_FALSE(d.enter());
    CHECK(d.in.open() == 2);
    CHECK(d.web == 2);
    CHECK(d.alarm_names() == std::vector<std::string>{"connections_full"});
    CHECK(d.raised.all()[0].detail == "2 connections are open, more are closed at once: that is the limit");
    a.reset();
    CHECK(d.alarm_names().empty());
    CHECK(d.enter());
}

TEST_CASE("the alarm stays until a twentieth has gone") {
    door d{100};
    std::vector<door::guest> in;
    for (int i = 0; i != 100; ++i) in.push_back(d.enter());
    CHECK_FALSE(d.enter());
    in.resize(96);
    CHECK(d.alarm_names().size() == 1);
    in.push_back(d.enter()); // it serves meanwhile
    CHECK(in.back());
    in.resize(95);
    CHECK(d.alarm_names().empty());
}

TEST_CASE("a listener's own limit") {
    door d{10};
    auto a = d.enter(1);
    CHECK(a);
    CHECK_FALSE(d.enter(1));
    CHECK(d.alarm_names().empty()); // the others are served
    std::atomic<std::size_t> other{0};
    CHECK(d.in.enter(other, 1));
    a.reset();
    CHECK(d.enter(1));
}

TEST_CASE("so many of an address, of IPv6 of a /64") {
    door d{doorkeeper::settings{.most = 10, .per_address_max = 1}};
    auto a = d.enter();
    auto b = d.enter();
    auto c = d.enter();
    CHECK(d.from(a, "192.0.2.1") == verdict::welcome);
    CHECK(d.from(b, "192.0.2.1") == verdict::too_many);
    CHECK(d.from(b, "192.0.2.2") == verdict::welcome);
    a.reset();
    auto again = d.enter();
    CHECK(d.from(again, "192.0.2.1") == verdict::welcome);
    CHECK(d.from(c, "2001:db8::1") == verdict::welcome);
    auto near = d.enter();
    CHECK(d.from(near, "2001:db8::2") == verdict::too_many);
}

TEST_CASE("who comes again and again is banned for a while") {
    door d{doorkeeper::settings{.most = 10, .flapping = {.amount = 2, .per = milliseconds{60'000}}, .ban_time = seconds{30}}};
    const auto comes = [&](std::string_view address) {
        auto one = d.enter();
        return d.from(one, address);
    };
    CHECK(comes("192.0.2.1") == verdict::welcome);
    CHECK(comes("192.0.2.1") == verdict::welcome);
    CHECK(comes("192.0.2.1") == verdict::banned);
    CHECK(comes("192.0.2.2") == verdict::welcome);
    const auto all = d.in.banned().all(d.now);
    REQUIRE(all.size() == 1);
    CHECK(all[0].whom == "192.0.2.1");
    CHECK(all[0].by_itself);
    CHECK(all[0].why == "more than 2 connections in 60 s (limits.flapping)");
    d.now += seconds{29};
    CHECK(comes("192.0.2.1") == verdict::banned);
    d.now += seconds{1};
    CHECK(comes("192.0.2.1") == verdict::welcome);
}

TEST_CASE("who fails to prove who he is too often is banned for a while") {
    door d{doorkeeper::settings{.most = 10, .failed_logins = {.amount = 2, .per = milliseconds{60'000}}, .ban_time = seconds{30}}};
    const auto who = *security::ip_address::parse("2001:db8::1");
    for (int i = 0; i != 3; ++i) d.in.login_failed(who);
    REQUIRE(d.in.banned().all(d.now).size() == 1);
    CHECK(d.in.banned().all(d.now)[0].whom == "2001:db8::/64");
    auto near = d.enter();
    CHECK(d.from(near, "2001:db8::2") == verdict::banned);
}

TEST_CASE("accepting keeps to its rate") {
    door d{doorkeeper::settings{.most = 10, .accepts = {.amount = 1}}};
    CHECK(d.in.next_accept() <= d.now);
    d.in.accepted(d.now);
    CHECK(d.in.next_accept() == d.now + seconds{1});
}

TEST_CASE("listeners that cannot accept are one alarm, until the last of them can") {
    door d{1};
    d.in.accept_failed("a", "Too many open files");
    d.in.accept_failed("b", "Too many open files");
    CHECK(d.alarm_names() == std::vector<std::string>{"accept_failed"});
    CHECK(d.raised.all()[0].detail == "listener a: a connection waits that cannot be accepted: Too many open files");
    d.in.accepts_again();
    CHECK(d.alarm_names().size() == 1);
    d.in.accepts_again();
    CHECK(d.alarm_names().empty());
}

TEST_CASE("nobody is served when none may be") {
    door d{0};
    CHECK_FALSE(d.enter());
    CHECK(d.in.open() == 0);
}
