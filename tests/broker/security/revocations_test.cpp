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
