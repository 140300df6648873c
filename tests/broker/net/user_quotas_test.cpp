// What a user's connections share.
#include "net/user_quotas.hpp"

#include <doctest/doctest.h>

using namespace broker;

TEST_CASE("so many connections of a user, and a session that is taken over counts once") {
    limits bounds;
    bounds.connections_per_user = 2;
    user_quotas q{bounds};
    CHECK(q.any());
    auto a = q.enter("olga", "a");
    auto b = q.enter("olga", "b");
    REQUIRE(a);
    REQUIRE(b);
    CHECK_FALSE(q.enter("olga", "c"));
    CHECK(q.enter("boris", "c"));
    auto again = q.enter("olga", "a");
    CHECK(again);
    a.reset();
    CHECK_FALSE(q.enter("olga", "c"));
    again.reset();
    CHECK(q.enter("olga", "c"));
}

TEST_CASE("a user's rates are one for all his connections, and his alone") {
    limits bounds;
    CHECK_FALSE(user_quotas{bounds}.any());
    bounds.user_publish_rate = {.amount = 10};
    user_quotas q{bounds};
    CHECK(q.any());
    const auto a = q.enter("olga", "a");
    const auto b = q.enter("olga", "b");
    const auto c = q.enter("boris", "a");
    REQUIRE(a->rates());
    CHECK(a->rates() == b->rates());
    CHECK(a->rates() != c->rates());
}
