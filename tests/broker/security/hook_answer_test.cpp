#include "security/hook_answer.hpp"

#include <doctest/doctest.h>

using namespace broker;
using namespace broker::security;

namespace {
using verdict = hook_answer::verdict;
time_point at(std::int64_t s) { return from_epoch_ms(s * 1'000); }
} // namespace

TEST_CASE("answers: result alone, and everything") {
    CHECK(parse_hook_answer(R"({"result":"deny"})")->what == verdict::deny);
    CHECK(parse_hook_answer(R"({"result":"ignore","user":7})")->what == verdict::ignore); // nobody reads on
    const auto plain = parse_hook_answer(R"({"result":"allow","more":[{}]})");
    REQUIRE(plain);
    CHECK(plain->what == verdict::allow);
    CHECK(plain->user.empty());
    CHECK(plain->expires == never);
    const auto full = parse_hook_answer(R"({"result":"allow","user":"anna","roles":["driver"],"scope":"brokerd:publish:a openid",
                                            "acl":{"sub":["in/#"]},"expires_at":1800000000})");
    REQUIRE(full);
    CHECK(full->user == "anna");
    CHECK(full->rights.roles == std::vector<std::string>{"driver"});
    CHECK(full->rights.rules.size() == 2);
    CHECK(full->expires == at(1'800'000'000));
}

TEST_CASE("what is no answer") {
    for (const auto* const bad :
         {"", "allow", "[]", "null", "{}", R"({"result":"ALLOW"})", R"({"result":true})", R"({"result":null})", R"({"result":"allow","user":""})",
          R"({"result":"allow","user":null})", R"({"result":"allow","user":"a\u0000b"})", R"({"result":"allow","roles":7})", R"({"result":"allow","acl":"all"})",
          R"({"result":"allow","expires_at":"soon"})", R"({"result":"allow","expires_at":-1})", R"({"result":"allow"} x)",
          R"({"result":"allow","x":[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]})"}) {
        CAPTURE(bad);
        CHECK_FALSE(parse_hook_answer(bad));
    }
}

TEST_CASE("answers are remembered for a moment, for the same question alone") {
    hook_cache c{seconds{10}, 3};
    c.put("anna:pw", {.what = verdict::allow, .user = "anna"}, at(0));
    c.put("anna:no", {.what = verdict::deny}, at(0));
    CHECK(c.find("anna:pw", at(9))->user == "anna");
    CHECK(c.find("anna:no", at(9))->what == verdict::deny);
    CHECK_FALSE(c.find("anna:pw", at(10)));
    CHECK_FALSE(c.find("anna:p", at(1)));
    c.put("short", {.what = verdict::allow, .expires = at(3)}, at(1));
    CHECK(c.find("short", at(2)));
    CHECK_FALSE(c.find("short", at(3))); // not beyond its own end
}

TEST_CASE("how many are remembered has a bound; what is put again stays") {
    hook_cache c{seconds{10}, 3};
    for (const auto* const q : {"a", "b", "c", "d"}) c.put(q, {}, at(1));
    CHECK(c.size() == 3);
    CHECK_FALSE(c.find("a", at(1)));
    CHECK(c.find("d", at(1)));
    c.put("b", {.what = verdict::allow}, at(5));
    c.put("e", {}, at(6));
    c.put("f", {}, at(6));
    CHECK(c.find("b", at(6))->what == verdict::allow);
    CHECK(c.size() == 3);
    c.put("g", {}, at(100));
    CHECK(c.size() == 1); // the others were over
    hook_cache none{seconds{0}};
    none.put("a", {}, at(1));
    CHECK_FALSE(none.find("a", at(1)));
    CHECK(none.size() == 0);
}
