#include "security/ruling.hpp"

#include <boost/json/serialize.hpp>
#include <doctest/doctest.h>

using namespace broker;
using namespace broker::security;

namespace {

struct bench {
    std::shared_ptr<const rights> may;

    explicit bench(std::initializer_list<std::string_view> rules) {
        policy p{.roles = {{.name = "r"}}, .everybody = {"r"}};
        for (const auto r : rules) p.roles[0].rules.push_back(*parse_rule(r, "r:" + std::to_string(p.roles[0].rules.size() + 1)));
        may = *(*rule_book::make(std::move(p)))->rights_of({.user = "anna", .client_id = "phone"});
    }
    [[nodiscard]] std::string said(action what, const std::string& topic) const {
        const auto r = ruling_on(may.get(), what, topic, limits{});
        return r ? boost::json::serialize(describe(*r)) : r.error();
    }
};

} // namespace

TEST_CASE("a ruling names the rule that decides and where it is written") {
    const bench b{"allow publish,subscribe a/#", "deny publish a/%u", "allow queue_write $queue/jobs"};
    CHECK(b.said(action::publish, "a/b") == R"({"verdict":"allowed","rule":"allow publish,subscribe a/#","origin":"r:1"})");
    CHECK(b.said(action::publish, "a/anna") == R"({"verdict":"denied","rule":"deny publish a/%u","origin":"r:2"})");
    CHECK(b.said(action::publish, "b") == R"({"verdict":"denied","rule":"none: no rule allows it"})");
    CHECK(b.said(action::publish, "$queue/jobs").starts_with(R"({"verdict":"allowed")")); // it is the queue's right
    CHECK(b.said(action::connect, "phone") == R"({"verdict":"allowed","rule":"none: no rule speaks of it"})");
    CHECK(b.said(action::manage, "clients").starts_with(R"({"verdict":"denied")"));
}

TEST_CASE("of a subscription a part may be allowed, of a member of a group all or nothing") {
    const bench b{"allow subscribe a/#", "allow subscribe $share/g/a/#", "deny subscribe a/secret"};
    CHECK(b.said(action::subscribe, "a/b").starts_with(R"({"verdict":"allowed")"));
    const auto part = b.said(action::subscribe, "a/#");
    CHECK(part.starts_with(R"({"verdict":"part","rule":"deny subscribe a/secret","origin":"r:3","note":)"));
    CHECK(b.said(action::subscribe, "$share/g/a/#").starts_with(R"({"verdict":"denied")"));
    CHECK(b.said(action::subscribe, "$share/g/a/b").starts_with(R"({"verdict":"allowed")"));
}

TEST_CASE("what no client may, and what is no topic") {
    const bench b{"allow all #", "allow publish,subscribe $SYS/#"};
    CHECK(b.said(action::publish, "$SYS/x") == R"({"verdict":"denied","rule":"none: topics that begin with $ are the server's"})");
    CHECK(b.said(action::subscribe, "$SYS/x").starts_with(R"({"verdict":"allowed")"));
    CHECK(b.said(action::publish, "a/#") == "'a/#' is no topic name");
    CHECK(b.said(action::subscribe, "a/#/b") == "'a/#/b' is no topic filter");
    CHECK(b.said(action::publish, "") == "'' is no topic name");
}

TEST_CASE("actions have the names that rules have for them") {
    for (std::size_t a = 0; a < actions; ++a) CHECK(action_named(name(static_cast<action>(a))) == static_cast<action>(a));
    CHECK_FALSE(action_named("all")); // several
    CHECK_FALSE(action_named(""));
}

TEST_CASE("without rights everything is allowed that any client may do") {
    const auto said = [](action what, const std::string& topic) { return ruling_on(nullptr, what, topic, limits{})->what; };
    CHECK(said(action::publish, "a") == coverage::all);
    CHECK(said(action::subscribe, "#") == coverage::all);
    CHECK(said(action::publish, "$SYS/a") == coverage::none);
}
