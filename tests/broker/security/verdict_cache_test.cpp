#include "security/verdict_cache.hpp"

#include <doctest/doctest.h>

#include <random>

using namespace broker::security;

namespace {

std::shared_ptr<const rights> rights_with(std::string_view line) {
    policy p;
    p.roles = {{.name = "r", .rules = {*parse_rule(line, "")}}};
    p.everybody = {"r"};
    return *(*rule_book::make(p))->rights_of({.user = "u"});
}

} // namespace

TEST_CASE("a cached verdict is the verdict, for every action and topic") {
    const auto r = rights_with("allow publish,retain a/+/b");
    verdict_cache cache{r};
    std::mt19937 random{7};
    for (int i = 0; i < 20'000; ++i) {
        const auto topic = "a/" + std::to_string(random() % 100) + (random() % 2 == 0 ? "/b" : "/c");
        const auto a = static_cast<action>(random() % actions);
        const auto asked = cache.verdict_on(a, topic);
        const auto is = r->verdict_on(a, topic);
        REQUIRE(asked.allowed == is.allowed);
        REQUIRE(asked.by == is.by);
    }
    const std::string long_topic = "a/" + std::string(1'000, 'x') + "/b";
    CHECK(cache.verdict_on(action::publish, long_topic).allowed);
    CHECK_FALSE(cache.verdict_on(action::publish, "").allowed);
}

TEST_CASE("changed rights count at once") {
    verdict_cache cache{rights_with("allow publish a")};
    CHECK(cache.verdict_on(action::publish, "a").allowed);
    cache.replace(rights_with("deny publish a"));
    CHECK_FALSE(cache.verdict_on(action::publish, "a").allowed);
    cache.replace(rights_with("allow publish a"));
    CHECK(cache.verdict_on(action::publish, "a").allowed);
}
