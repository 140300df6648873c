#include "security/rights.hpp"

#include "core/topic.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

using namespace broker::security;

namespace {

policy policy_of(std::initializer_list<std::string_view> lines) {
    policy p;
    p.roles.push_back({.name = "everybody"});
    p.everybody = {"everybody"};
    for (const auto line : lines) {
        auto r = parse_rule(line, "everybody");
        REQUIRE_MESSAGE(r, line);
        p.roles[0].rules.push_back(*r);
    }
    return p;
}

std::shared_ptr<const rights> rights_of(policy p, const identity& who = {.user = "anna", .client_id = "phone"}) {
    const auto book = rule_book::make(std::move(p));
    REQUIRE(book);
    const auto made = (*book)->rights_of(who);
    REQUIRE(made);
    return *made;
}

std::string said(const rights& r, action a, std::string_view topic) {
    const auto v = r.verdict_on(a, topic);
    return (v.allowed ? "yes" : "no") + (v.by == nullptr ? std::string{} : ": " + text(*v.by));
}

std::string said(const rights& r, std::string_view filter) {
    const auto v = r.verdict_on_subscription(filter);
    const std::string what = v.what == coverage::all ? "all" : v.what == coverage::part ? "part" : "none";
    return v.by == nullptr ? what : what + ": " + text(*v.by);
}

} // namespace

TEST_CASE("deny beats allow, the rest is denied once any rule exists, and the verdict names the rule") {
    const auto r = rights_of(policy_of({"allow publish a/#", "deny publish a/secret/#", "allow publish a/secret/open", "deny publish a/+/x",
                                        "allow subscribe b"}));
    CHECK(said(*r, action::publish, "a") == "yes: allow publish a/#");
    CHECK(said(*r, action::publish, "a/b/c") == "yes: allow publish a/#");
    CHECK(said(*r, action::publish, "a/secret") == "no: deny publish a/secret/#");
    CHECK(said(*r, action::publish, "a/secret/open") == "no: deny publish a/secret/#");
    CHECK(said(*r, action::publish, "a/secret/x") == "no: deny publish a/secret/#"); // the first of two
    CHECK(said(*r, action::publish, "a/b/x") == "no: deny publish a/+/x");
    CHECK(said(*r, action::publish, "b") == "no");
    CHECK(said(*r, action::subscribe, "b") == "yes: allow subscribe b");
    CHECK(said(*r, action::subscribe, "b/c") == "no");
    CHECK(said(*r, action::retain, "a") == "no");
}

TEST_CASE("without any rule everything is allowed but managing; deny_by_default turns it round") {
    const auto open = rights_of({});
    CHECK(said(*open, action::publish, "a") == "yes");
    CHECK(said(*open, action::connect, "x") == "yes");
    CHECK(said(*open, action::manage, "clients") == "no");
    CHECK(said(*open, "#") == "all");
    CHECK(said(*open, "$share/g/#") == "all");
    const auto closed = rights_of({.deny_by_default = true});
    CHECK(said(*closed, action::publish, "a") == "no");
    CHECK(said(*closed, action::connect, "x") == "yes"); // no rule speaks of connecting
    CHECK(said(*closed, "#") == "none");
}

TEST_CASE("rules of somebody else restrict everybody") {
    policy p;
    p.roles.push_back({.name = "driver", .rules = {*parse_rule("allow publish a", "")}});
    p.users["bert"] = {"driver"};
    CHECK(said(*rights_of(p), action::publish, "a") == "no");
    CHECK(said(*rights_of(p, {.user = "bert"}), action::publish, "a") == "yes: allow publish a");
    CHECK(said(*rights_of(p, {.user = "carl", .roles = {"driver", "unheard_of"}}), action::publish, "a") == "yes: allow publish a");
}

TEST_CASE("connect is judged once a rule speaks of it") {
    const auto r = rights_of(policy_of({"allow connect %u/+", "allow connect anna"}), {.user = "anna", .client_id = "anna"});
    CHECK(r->verdict_on(action::connect, "anna").allowed);
    CHECK(r->verdict_on(action::connect, "anna/phone").allowed);
    CHECK_FALSE(r->verdict_on(action::connect, "bert").allowed);
}

TEST_CASE("'#' and '+' in front cover no topics of the server, $SYS has to be named") {
    const auto r = rights_of(policy_of({"allow subscribe #", "allow subscribe +/x", "allow publish $SYS/#"}));
    CHECK(said(*r, action::subscribe, "$SYS/x") == "no");
    CHECK(said(*r, action::publish, "$SYS/x") == "yes: allow publish $SYS/#");
    CHECK(said(*r, "$SYS/#") == "none");
    CHECK(said(*r, "#") == "all: allow subscribe #");
}

TEST_CASE("queues have rights of their own") {
    const auto r = rights_of(policy_of({"allow all #", "allow queue_read $queue/jobs/#", "deny queue_read $queue/jobs/private"}));
    CHECK(rights::publishing_to("$queue/jobs") == action::queue_write);
    CHECK(rights::publishing_to("jobs") == action::publish);
    CHECK(said(*r, action::queue_write, "$queue/jobs") == "no");
    CHECK(said(*r, action::queue_read, "$queue/jobs") == "yes: allow queue_read $queue/jobs/#");
    CHECK(said(*r, "$queue/jobs/a") == "all: allow queue_read $queue/jobs/#");
    CHECK(said(*r, "$queue/jobs/private") == "none: deny queue_read $queue/jobs/private");
    CHECK(said(*r, "$queue/other") == "none");
}

TEST_CASE("a shared subscription needs its filter's rights, and rules on the group count") {
    const auto r = rights_of(policy_of({"allow subscribe a/#", "deny subscribe $share/billing/#", "allow subscribe $share/workers/b/#",
                                        "deny subscribe $share/+/a/private"}));
    CHECK(said(*r, "$share/any/a/b") == "all: allow subscribe a/#");
    CHECK(said(*r, "$share/billing/a/b") == "none: deny subscribe $share/billing/#");
    CHECK(said(*r, "$share/workers/b/c") == "all: allow subscribe $share/workers/b/#");
    CHECK(said(*r, "$share/others/b/c") == "none");
    CHECK(said(*r, "b/c") == "none");
    CHECK(said(*r, "$share/any/a/#") == "part: deny subscribe $share/+/a/private");
    CHECK(said(*r, "a/private") == "all: allow subscribe a/#");
    CHECK_FALSE(r->verdict_on(action::subscribe, "b/c").allowed);
}

TEST_CASE("what is left of a wildcard subscription is exact, over unions too") {
    const auto r = rights_of(policy_of({"allow subscribe a", "allow subscribe a/+/#", "deny subscribe x/y", "allow subscribe x/+", "deny subscribe x/+/#",
                                        "allow subscribe +/m", "allow subscribe %u/inbox"}));
    CHECK(said(*r, "a/#") == "all: allow subscribe a"); // "a" and everything below it
    CHECK(said(*r, "x/#") == "none: deny subscribe x/y"); // what is allowed of it is denied
    CHECK(said(*r, "+/m") == "part: deny subscribe x/+/#");
    CHECK(said(*r, "b/m") == "all: allow subscribe +/m");
    CHECK(said(*r, "anna/+") == "part");
    CHECK(said(*r, "anna/inbox") == "all: allow subscribe %u/inbox");
    CHECK(said(*r, "bert/inbox") == "none");
    CHECK(said(*r, "#") == "part: deny subscribe x/y");
}

TEST_CASE("a policy that contradicts itself is refused") {
    const auto why = [](policy p) { return rule_book::make(std::move(p)).error(); };
    CHECK(why({.roles = {{.name = "a"}, {.name = "a"}}}) == "role 'a' is defined twice");
    CHECK(why({.everybody = {"b"}}) == "everybody has role 'b', which is not defined");
    CHECK(why({.anonymous = {"b"}}) == "anonymous clients have role 'b', which is not defined");
    CHECK(why({.users = {{"u", {"b"}}}}) == "user 'u' has role 'b', which is not defined");
}

TEST_CASE("an identity's own rules count, within bounds") {
    const auto book = *rule_book::make(policy_of({"deny publish a/b"}));
    identity who{.user = "u", .own = {*parse_rule("allow publish a/+", "token"), *parse_rule("allow publish %u/x", "token")}};
    const auto r = book->rights_of(who);
    REQUIRE(r);
    CHECK(said(**r, action::publish, "a/c") == "yes: allow publish a/+");
    CHECK(said(**r, action::publish, "u/x") == "yes: allow publish %u/x");
    CHECK(said(**r, action::publish, "a/b") == "no: deny publish a/b");

    who.own.assign(rule_book::own_rules_max + 1, *parse_rule("allow publish a", ""));
    CHECK(book->rights_of(who).error() == "it brings 1001 rules of its own; at most 1000 are taken");
    who.own = {*parse_rule("allow publish %{n}/%{n}/%{n}", "")};
    for (int i = 0; i < 30; ++i) who.claims["n"].push_back(std::to_string(i));
    CHECK(book->rights_of(who).error() == "rule '%{n}/%{n}/%{n}' becomes more than 10000 for one client");

    // A token alone restricts too, where the policy has no rule.
    const auto alone = (*rule_book::make({}))->rights_of({.user = "u", .own = {*parse_rule("allow publish a", "token")}});
    CHECK_FALSE((*alone)->verdict_on(action::publish, "b").allowed);
}

TEST_CASE("filters with more levels than a topic may have match nothing") {
    std::string deep = "a";
    for (int i = 0; i < 5'000; ++i) deep += "/a";
    const auto r = rights_of(policy_of({"allow all %{deep}", "allow all a"}), {.user = "u", .claims = {{"deep", {deep}}}});
    CHECK_FALSE(r->verdict_on(action::publish, deep).allowed);
    CHECK(r->verdict_on(action::publish, "a").allowed);
    CHECK(said(*r, "a") == "all: allow publish,subscribe,retain,queue_read,queue_write a");
}

// Random rules over a small alphabet; every topic of one level more than any filter has, with a level that no filter names.
TEST_CASE("verdicts on topics and filters agree with brute force over all topics") {
    const std::vector<std::string> named{"a", "b", "", "$s"};
    std::vector<std::string> topics;
    const auto extend = [&](const auto& self, const std::string& front, int depth) -> void {
        for (const std::string level : {"a", "b", "c", "", "$s"}) {
            const auto topic = depth == 0 ? level : front + "/" + level;
            if (!topic.empty()) topics.push_back(topic);
            if (depth < 3) self(self, topic, depth + 1);
        }
    };
    extend(extend, "", 0);

    const unsigned seed = 20261125;
    INFO("seed ", seed);
    std::mt19937 random{seed};
    const auto below = [&](std::size_t n) { return std::uniform_int_distribution<std::size_t>{0, n - 1}(random); };
    const auto any_filter = [&] {
        for (;;) {
            std::string filter;
            const auto depth = 1 + below(3);
            for (std::size_t level = 0; level < depth; ++level) {
                if (level != 0) filter += '/';
                const auto which = below(7);
                if (which == 6 && level + 1 == depth) {
                    filter += '#';
                } else {
                    filter += which < 4 ? named[which] : "+";
                }
            }
            if (!filter.empty()) return filter;
        }
    };

    std::size_t seen[3]{};
    for (int round = 0; round < 500; ++round) {
        policy p;
        p.roles = {{.name = "r"}};
        p.everybody = {"r"};
        identity who{.user = "a"}; // some of the rules are the identity's own: two tries
        std::vector<rule> in_order;
        std::vector<rule> own;
        for (std::size_t n = 1 + below(8); n > 0; --n) {
            const auto r = *make_rule(below(3) == 0 ? effect::deny : effect::allow, {action::subscribe}, any_filter(), "");
            (below(4) == 0 ? who.own : p.roles[0].rules).push_back(r);
        }
        in_order = p.roles[0].rules;
        in_order.insert(in_order.end(), who.own.begin(), who.own.end());
        const auto r = rights_of(p, who);

        const auto first = [&](effect what, std::string_view topic) -> const rule* {
            const auto found = std::ranges::find_if(in_order, [&](const rule& one) { return one.what == what && broker::matches(one.filter, topic); });
            return found == in_order.end() ? nullptr : &*found;
        };
        std::vector<bool> allowed;
        for (const auto& topic : topics) {
            const auto* const deny = first(effect::deny, topic);
            const auto* const allow = first(effect::allow, topic);
            const auto* const by = deny != nullptr ? deny : allow;
            const auto v = r->verdict_on(action::subscribe, topic);
            REQUIRE(v.allowed == (deny == nullptr && allow != nullptr));
            REQUIRE((v.by == nullptr) == (by == nullptr));
            if (by != nullptr) REQUIRE(*v.by == *by);
            allowed.push_back(v.allowed);
        }
        for (int asked = 0; asked < 6; ++asked) {
            const auto filter = any_filter();
            std::size_t matching = 0;
            std::size_t granted = 0;
            for (std::size_t t = 0; t < topics.size(); ++t) {
                if (!broker::matches(filter, topics[t])) continue;
                ++matching;
                granted += allowed[t] ? 1 : 0;
            }
            const auto expected = granted == 0 ? coverage::none : granted == matching ? coverage::all : coverage::part;
            const auto v = r->verdict_on_subscription(filter);
            ++seen[static_cast<std::size_t>(expected)];
            std::string rules;
            for (const auto& one : in_order) rules += text(one) + "; ";
            REQUIRE_MESSAGE(v.what == expected, filter, " under ", rules);
        }
    }
    for (const auto n : seen) CHECK(n > 200); // all three were met
}
