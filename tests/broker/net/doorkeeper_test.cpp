// How many connections are served, and when that is said.
#include "net/doorkeeper.hpp"

#include <doctest/doctest.h>

using namespace broker;

namespace {

struct door {
    alarms raised;
    doorkeeper in;
    explicit door(std::size_t most) : in{most, "that is the limit", raised, [] { return time_point{}; }} {}
    [[nodiscard]] std::vector<std::string> alarm_names() const {
        std::vector<std::string> names;
        for (const auto& a : raised.all()) names.push_back(a.name);
        return names;
    }
};

} // namespace

TEST_CASE("as many as are served, then no more until one leaves") {
    door d{2};
    CHECK(d.in.enter());
    CHECK(d.in.enter());
    CHECK(d.alarm_names().empty());
    CHECK_FALSE(d.in.enter());
    CHECK_FALSE(d.in.enter());
    CHECK(d.in.open() == 2);
    CHECK(d.alarm_names() == std::vector<std::string>{"connections_full"});
    CHECK(d.raised.all()[0].detail == "2 connections are open, more are closed at once: that is the limit");
    d.in.leave();
    CHECK(d.alarm_names().empty());
    CHECK(d.in.enter());
}

TEST_CASE("the alarm stays until a twentieth has gone") {
    door d{100};
    for (int i = 0; i != 100; ++i) CHECK(d.in.enter());
    CHECK_FALSE(d.in.enter());
    for (int i = 0; i != 4; ++i) d.in.leave();
    CHECK(d.alarm_names().size() == 1);
    CHECK(d.in.enter()); // it serves meanwhile
    d.in.leave();
    d.in.leave();
    CHECK(d.alarm_names().empty());
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
    CHECK_FALSE(d.in.enter());
    CHECK(d.in.open() == 0);
}
