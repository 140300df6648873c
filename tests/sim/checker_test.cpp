// What the checker must let pass, and what it must not.
#include "sim/checker.hpp"

#include <doctest/doctest.h>

using namespace broker::sim;

namespace {

const std::string group = "$share/g/s/#";

struct shared {
    checker check{broker::time_point{}};
    party_id publisher = check.new_party("publisher", true);
    party_id member = check.new_party("member", true);

    number publish() {
        const auto n = check.new_publication({.topic = "s/0", .level = 1, .publisher = publisher});
        check.routing(n);
        return n;
    }
    bool may_get(number n) {
        check.written(member, {.what = n, .topic = "s/0", .level = 1});
        return check.problems().empty();
    }
};

} // namespace

TEST_CASE("a member of a group may get what another one left behind before it joined") {
    shared s;
    const auto n = s.publish();
    s.check.subscribing(s.member, group, 1);
    CHECK(s.may_get(n));
}

TEST_CASE("and when it has unsubscribed, since it may be on its way to it") { // seed 350266, once
    shared s;
    const auto n = s.publish();
    s.check.subscribing(s.member, group, 1);
    s.check.subscribed(s.member, group, 1);
    s.check.unsubscribing(s.member, group);
    s.check.unsubscribed(s.member, group);
    CHECK(s.may_get(n));
}

TEST_CASE("but not what was published when it had unsubscribed") {
    shared s;
    s.check.subscribing(s.member, group, 1);
    s.check.unsubscribing(s.member, group);
    s.check.unsubscribed(s.member, group);
    CHECK_FALSE(s.may_get(s.publish()));
}

TEST_CASE("nor what no group of its is about") {
    shared s;
    s.check.subscribing(s.member, "$share/g/t/#", 1);
    CHECK_FALSE(s.may_get(s.publish()));
}
