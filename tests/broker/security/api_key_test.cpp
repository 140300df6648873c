#include "security/api_key.hpp"

#include <doctest/doctest.h>

using namespace broker;
using namespace broker::security;

namespace {

const std::string secret(43, 's');

std::string error_of(api_key from) {
    const auto made = make_api_key(std::move(from));
    return made ? "(made)" : made.error();
}

} // namespace

TEST_CASE("a key's text: its name and 43 characters, whatever else the name has in it") {
    for (const auto* const name : {"a", "sensor", "a_b-c.d", "bk_x", "_", "0"}) {
        CAPTURE(name);
        const auto text = new_api_key(name);
        const auto parts = api_key_in(text);
        REQUIRE(parts);
        CHECK(parts->name == name);
        CHECK(parts->secret.size() == 43);
        CHECK(new_api_key(name) != text);
    }
    for (const auto& text : {std::string{}, std::string{"bk_"}, "bk_" + secret, "bk__" + secret, "bk_a" + secret, "bk_a_" + secret.substr(1), "BK_a_" + secret,
                             "bk_a b_" + secret, "bk_a_" + secret.substr(1) + "=", "bk_a_" + secret.substr(1) + "/", "bk_" + std::string(65, 'n') + "_" + secret}) {
        CAPTURE(text);
        CHECK_FALSE(api_key_in(text));
    }
    CHECK(api_key_in("bk_" + std::string(64, 'n') + "_" + secret));
}

TEST_CASE("scopes become rules and roles; what is none is said") {
    const auto made = make_api_key({.name = "k", .scopes = {"publish,retain:a/#", "subscribe:$queue/q", "role:driver", "manage", "manage:clients/#"}});
    REQUIRE(made);
    REQUIRE(made->gives.rules.size() == 4);
    CHECK(text(made->gives.rules[0]) == "allow publish,retain a/#");
    CHECK(text(made->gives.rules[1]) == "allow queue_read $queue/q");
    CHECK(text(made->gives.rules[2]) == "allow manage #");
    CHECK(text(made->gives.rules[3]) == "allow manage clients/#");
    CHECK(made->gives.rules[0].origin == "api key k");
    CHECK(made->gives.roles == std::vector<std::string>{"driver"});
    CHECK(error_of({.name = "k", .scopes = {"publish"}}) == "scope 'publish': write ACTION:FILTER or role:NAME");
    CHECK(error_of({.name = "k", .scopes = {"fly:a"}}).find("scope: rule 'allow fly a': its actions are some of") == 0);
    CHECK(error_of({.name = "k", .scopes = {"publish:a+"}}).find("whole level") != std::string::npos);
    CHECK(error_of({.name = "k", .scopes = std::vector<std::string>(101, "manage")}) == "a key has at most 100 scopes");
    for (const auto& name : {std::string{}, std::string{"a b"}, std::string{"a/b"}, std::string{"a:b"}, std::string{"ä"}, std::string(65, 'n')}) {
        CHECK(error_of({.name = name}).find("a key's name is 1 to 64 letters") == 0);
    }
}

TEST_CASE("keys are found by their secret, and there are not too many of them") {
    api_keys keys;
    const auto digest = digest_of(secret);
    REQUIRE(keys.add({.name = "a", .digest = digest}));
    CHECK_FALSE(keys.add({.name = "a"}));
    const auto a = keys.find("a");
    CHECK(keys.holder_of({.name = "a", .secret = secret}) == a);
    CHECK(keys.holder_of({.name = "b", .secret = secret}) == nullptr);
    CHECK(keys.holder_of({.name = "a", .secret = std::string(43, 't')}) == nullptr);
    CHECK(keys.erase("a"));
    CHECK_FALSE(keys.erase("a"));
    CHECK(keys.holder_of({.name = "a", .secret = secret}) == nullptr);
    CHECK(a->digest == digest); // whoever came with it still has it
    for (std::size_t i = 0; i != api_keys::keys_max; ++i) REQUIRE(keys.add({.name = std::to_string(i)}));
    CHECK(keys.full());
    CHECK_FALSE(keys.add({.name = "one more"}));
}
