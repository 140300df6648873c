#include "security/revocations.hpp"

#include <doctest/doctest.h>

using namespace broker;
using namespace broker::security;

namespace {
time_point at(std::int64_t s) { return from_epoch_ms(s * 1'000); }
} // namespace

TEST_CASE("tokens are revoked by id, by user and by time of issue") {
    revocations r;
    CHECK_FALSE(r.revoked("anna", "1", at(100)));
    CHECK_FALSE(r.revoked("anna", "", std::nullopt));
    CHECK(r.revoke_id("1", at(500)));
    CHECK(r.revoked("anna", "1", at(100)));
    CHECK_FALSE(r.revoked("anna", "2", at(100)));
    CHECK_FALSE(r.revoked("anna", "", at(100)));

    r.revoke_user("bert", at(200));
    CHECK(r.revoked("bert", "3", at(199)));
    CHECK_FALSE(r.revoked("bert", "3", at(200))); // what is issued from then on is good
    CHECK(r.revoked("bert", "3", std::nullopt)); // it may be an old one
    CHECK_FALSE(r.revoked("anna", "3", at(199)));
    r.revoke_user("bert", at(100)); // never takes back
    CHECK(r.revoked("bert", "3", at(199)));

    r.revoke_all(at(50));
    CHECK(r.revoked("anna", "9", at(49)));
    CHECK_FALSE(r.revoked("anna", "9", at(50)));
    CHECK(r.revoked("bert", "9", at(199)));
    CHECK(r.size() == 3);
}

TEST_CASE("an id is forgotten when its token would have expired") {
    revocations r;
    CHECK(r.revoke_id("1", at(500)));
    CHECK(r.revoke_id("2", never));
    CHECK(r.revoke_id("1", at(600))); // the later one counts
    r.forget_expired(at(550));
    CHECK(r.revoked("", "1", at(0)));
    r.forget_expired(at(601));
    CHECK_FALSE(r.revoked("", "1", at(0)));
    CHECK(r.revoked("", "2", at(0)));
}

TEST_CASE("what is revoked is listed in one order, from any place in it") {
    using enum revocations::kind;
    revocations r;
    const auto names = [&](const std::optional<revocations::entry>& after, std::size_t count_max, time_point now = at(100)) {
        std::string text;
        for (const auto& e : r.list(after, count_max, now)) text += (e.what == everybody ? "*" : e.what == user ? "u" : "t") + e.name + " ";
        return text;
    };
    CHECK(names(std::nullopt, 10).empty());
    CHECK(r.revoke_id("b", at(500)));
    CHECK(r.revoke_id("a", never));
    r.revoke_user("b", at(1));
    r.revoke_user("a", at(2));
    CHECK(names(std::nullopt, 10) == "ua ub ta tb ");
    r.revoke_all(at(3));
    CHECK(names(std::nullopt, 10) == "* ua ub ta tb "); // everybody has no name
    CHECK(names(std::nullopt, 0).empty());
    CHECK(names(std::nullopt, 2) == "* ua ");
    CHECK(names(revocations::entry{.what = everybody}, 2) == "ua ub ");
    CHECK(names(revocations::entry{.what = user, .name = "a"}, 2) == "ub ta ");
    CHECK(names(revocations::entry{.what = user, .name = "gone"}, 2) == "ta tb ");
    CHECK(names(revocations::entry{.what = token, .name = "a"}, 2) == "tb ");
    CHECK(names(revocations::entry{.what = token, .name = "b"}, 2).empty());
    CHECK(names(std::nullopt, 10, at(501)) == "* ua ub ta "); // its token has expired
    const auto all = r.list(std::nullopt, 10, at(100));
    CHECK(all[0].at == at(3));
    CHECK(all[1].at == at(2));
    CHECK(all[4].at == at(500));
}
