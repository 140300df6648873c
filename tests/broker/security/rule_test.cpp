#include "security/rule.hpp"

#include "security/placeholder.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace broker::security;

TEST_CASE("rules are read as they are written") {
    for (const std::string line : {"allow publish fleet/%u/#", "deny subscribe $SYS/#", "allow publish,subscribe,retain a b/c d",
                                   "allow queue_read,queue_write $queue/#", "allow subscribe $share/g/a/+", "allow subscribe $share/+/a",
                                   "allow connect dev-%u", "allow manage clients/#", "allow publish %{realm.tenant}/x", "allow publish 100%%"}) {
        const auto r = parse_rule(line, "test");
        REQUIRE_MESSAGE(r, line);
        CHECK(text(*r) == line);
        CHECK(r->origin == "test");
    }
    CHECK(parse_rule("allow all a/#", "")->to == all_of_messages);
}

TEST_CASE("in a queue's filter the words for topics mean the queue") {
    CHECK(parse_rule("allow publish $queue/jobs", "")->to == action_set{action::queue_write});
    CHECK(parse_rule("allow subscribe $queue/jobs", "")->to == action_set{action::queue_read});
    CHECK(text(*parse_rule("deny all $queue/#", "")) == "deny retain,queue_read,queue_write $queue/#");
}

TEST_CASE("what is no rule is refused, with the rule and the reason in one line") {
    const auto why = [](std::string_view line) {
        const auto r = parse_rule(line, "");
        return r ? std::string{"accepted"} : r.error();
    };
    CHECK(why("") == "rule '': it must begin with allow or deny");
    CHECK(why("permit publish a") == "rule 'permit publish a': it must begin with allow or deny");
    CHECK(why("allow publish") == "rule '': it has no filter");
    CHECK(why("allow a/b") == "rule 'allow a/b': its actions are some of connect, publish, subscribe, retain, queue_read, queue_write, "
                              "manage, or all; separated by commas");
    CHECK(why("allow publish, a") != "accepted");
    CHECK(why("allow publish a/#/b") == "rule 'a/#/b': + must be a whole level and # the whole last level");
    CHECK(why("allow publish a+") != "accepted");
    CHECK(why("allow publish +%u") != "accepted");
    CHECK(why("allow publish %x/a") == "rule '%x/a': '%x/a': write %u, %c, %{claim}, or %% for a percent sign");
    CHECK(why("allow publish a%") != "accepted");
    CHECK(why("allow publish %{}") != "accepted");
    CHECK(why("allow publish %{a") != "accepted");
    CHECK(why("allow subscribe $share/g") == "rule '$share/g': write $share/GROUP/FILTER");
    CHECK(why("allow subscribe $share//a") != "accepted");
    CHECK(why("allow subscribe $share/#/a") != "accepted");
    CHECK(why("allow queue_read jobs") == "rule 'jobs': rights to queues need a filter that begins with $queue/");
    CHECK(why("allow publish \xff") == "rule '\xff': its filter is not UTF-8 text");
    CHECK(why(std::string{"allow publish a\0b", 17}) != "accepted");
    CHECK(why("allow publish " + std::string(70'000, 'a')) != "accepted");
    CHECK(why("allow publish " + std::string(2'000, '/')) != "accepted");
}

TEST_CASE("placeholders become what the identity has") {
    const claim_values claims{{"room", {"kitchen", "hall"}}, {"site", {"north/2"}}, {"bad", {"#", "a+b", ""}}, {"top", {"$SYS"}}};
    const subject who{.user = "anna", .client_id = "phone", .claims = claims};
    const auto becomes = [&](std::string_view filter, bool granting = true, std::size_t most = 10) {
        const auto made = expand(filter, who, granting, most);
        if (!made) return made.error();
        std::string all;
        for (const auto& f : *made) all += f + ";";
        return all;
    };
    CHECK(becomes("a/#") == "a/#;");
    CHECK(becomes("%u/%c/+") == "anna/phone/+;");
    CHECK(becomes("dev-%u%c") == "dev-annaphone;");
    CHECK(becomes("r/%{room}") == "r/kitchen;r/hall;");
    CHECK(becomes("%{room}/%{room}") == "kitchen/kitchen;kitchen/hall;hall/kitchen;hall/hall;");
    CHECK(becomes("%{site}/x") == "north/2/x;"); // the issuer may say a path
    CHECK(becomes("100%%/%%u") == "100%/%u;");
    CHECK(becomes("%{none}/x").empty());
    CHECK(becomes("x/%{bad}").empty());
    CHECK(becomes("x/%{bad}", false).empty());
    CHECK(becomes("%{top}/#").empty()); // never the server's own topics
    CHECK(becomes("%{top}/#", false) == "$SYS/#;");
    CHECK(becomes("x/%{top}") == "x/$SYS;");
    CHECK(becomes("$share/%{site}/a").empty()); // would be group north and another filter
    CHECK(becomes("%{room}/%{room}", true, 3) == "rule '%{room}/%{room}' becomes more than 3 for one client");
}

TEST_CASE("a name that a client chooses reaches no other client's topics") {
    const claim_values none;
    for (const std::string hostile : {"victim/x", "#", "+", "a/#", "$SYS", "/"}) {
        for (const std::string_view filter : {"%c/#", "%u/#"}) {
            CHECK_MESSAGE(expand(filter, {.user = hostile, .client_id = hostile, .claims = none}, true, 10)->empty(), hostile);
        }
    }
    // What is denied stays denied, whatever it is called.
    CHECK(expand("%u/#", {.user = "a/b", .client_id = "", .claims = none}, false, 10)->front() == "a/b/#");
    CHECK(expand("%c", {.user = "a", .client_id = "", .claims = none}, true, 10)->empty());
}
