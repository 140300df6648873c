#include "security/token_rules.hpp"

#include <boost/json/parse.hpp>
#include <doctest/doctest.h>

using namespace broker::security;

namespace {

boost::json::object parsed(std::string_view text) { return boost::json::parse(text).as_object(); }

std::string given(std::string_view claims, std::string_view prefix = "brokerd:") {
    const auto g = rights_in(parsed(claims), prefix);
    if (!g) return g.error();
    std::string all;
    for (const auto& r : g->rules) all += text(r) + "; ";
    for (const auto& r : g->roles) all += "role " + r + "; ";
    return all;
}

} // namespace

TEST_CASE("EMQX's acl claim, lists of topics") {
    CHECK(given(R"({"acl": {"pub": ["a/${clientid}", "b"], "sub": ["c/#", "d/%u"], "all": ["e/${username}/${clientid}"]}})") ==
          "allow publish,retain a/%c; allow publish,retain b; allow subscribe c/#; allow subscribe d/%u; allow publish,subscribe,retain e/%u/%c; ");
    CHECK(given(R"({"acl": {"sub": ["$queue/jobs", "$share/g/x"]}})") == "allow queue_read $queue/jobs; allow subscribe $share/g/x; ");
    CHECK(given(R"({"acl": {}})").empty());
    CHECK(given("{}").empty());
}

TEST_CASE("EMQX's acl claim, list of entries") {
    CHECK(given(R"({"acl": [{"permission": "allow", "action": "publish", "topic": "t/${clientid}"},
                            {"permission": "allow", "action": "publish", "topic": "p", "retain": false},
                            {"permission": "deny", "action": "publish", "topic": "t/2", "retain": true},
                            {"permission": "deny", "action": "all", "topic": "t/3", "qos": [0, 1, 2]},
                            {"permission": "allow", "action": "subscribe", "topic": "eq t/1"}]})") ==
          "allow publish,retain t/%c; allow publish p; deny retain t/2; deny publish,subscribe,retain t/3; allow subscribe t/1; ");
}

TEST_CASE("an acl claim that cannot be kept as it is meant is refused") {
    const auto entry = [](std::string_view more) {
        return given(R"({"acl": [{"permission": "allow", "action": "subscribe", "topic": "a/#")" + std::string{more} + "}]}");
    };
    CHECK(entry("") == "allow subscribe a/#; ");
    CHECK(entry(R"(, "qos": [1])") == "acl: rights do not depend on the QoS; leave qos out");
    CHECK(entry(R"(, "qos": 1)") == "acl: rights do not depend on the QoS; leave qos out");
    CHECK(entry(R"(, "ipaddr": "10.0.0.1")") == "acl: 'ipaddr' is not supported");
    CHECK(entry(R"(, "retain": true)") == "acl: retain is true or false, of publish");
    for (const std::string_view bad :
         {R"({"acl": 1})", R"({"acl": "a"})", R"({"acl": [1]})", R"({"acl": {"pub": "a"}})", R"({"acl": {"pub": [1]}})", R"({"acl": {"publish": ["a"]}})",
          R"({"acl": {"pub": ["a/#/b"]}})", R"({"acl": {"pub": ["a/${other}"]}})", R"({"acl": {"pub": ["a/${clientid"]}})", R"({"acl": {"pub": [""]}})",
          R"({"acl": [{}]})", R"({"acl": [{"permission": "allow", "action": "publish"}]})", R"({"acl": [{"permission": "maybe", "action": "publish", "topic": "a"}]})",
          R"({"acl": [{"permission": "allow", "action": "fly", "topic": "a"}]})", R"({"acl": [{"permission": "deny", "action": "subscribe", "topic": "eq #"}]})",
          R"({"acl": [{"permission": "allow", "action": "publish", "topic": "a", "retain": true}]})"}) {
        CHECK_MESSAGE(!rights_in(parsed(bad), "brokerd:"), bad);
    }
}

TEST_CASE("OAuth scopes") {
    CHECK(given(R"({"scope": "openid brokerd:publish:room/# profile  brokerd:subscribe,publish:a:b brokerd:role:driver read:articles"})") ==
          "allow publish room/#; allow publish,subscribe a:b; role driver; ");
    CHECK(given(R"({"scp": ["brokerd:all:x", "User.Read"]})") == "allow publish,subscribe,retain,queue_read,queue_write x; ");
    CHECK(given(R"({"scope": "openid publish:a"})", "") == "allow publish a; ");
    CHECK(given(R"({"scope": "brokerd:publish"})") == "scope 'brokerd:publish': write brokerd:ACTION:FILTER or brokerd:role:NAME");
    CHECK(given(R"({"scope": "brokerd:fly:a"})").starts_with("scope: rule"));
    CHECK_FALSE(rights_in(parsed(R"({"scope": 1})"), ""));
    CHECK_FALSE(rights_in(parsed(R"({"scp": [1]})"), ""));
}

TEST_CASE("roles") {
    CHECK(given(R"({"roles": ["a", "b"]})") == "role a; role b; ");
    CHECK(given(R"({"roles": "a"})") == "role a; ");
    CHECK_FALSE(rights_in(parsed(R"({"roles": {"a": 1}})"), ""));
    CHECK_FALSE(rights_in(parsed(R"({"roles": [1]})"), ""));
}

TEST_CASE("claims as values for placeholders") {
    const auto v = *values_of(parsed(R"({"sub": "anna", "n": 7, "yes": true, "nothing": null, "half": 0.5, "rooms": ["a", 2, {"x": 1}, ["y"]],
                                        "realm": {"tenant": "t1", "roles": ["r"]}})"));
    CHECK(v.at("sub") == std::vector<std::string>{"anna"});
    CHECK(v.at("n") == std::vector<std::string>{"7"});
    CHECK(v.at("yes") == std::vector<std::string>{"true"});
    CHECK(v.at("rooms") == std::vector<std::string>{"a", "2"});
    CHECK(v.at("realm.tenant") == std::vector<std::string>{"t1"});
    CHECK(v.at("realm.roles") == std::vector<std::string>{"r"});
    CHECK(v.at("half") == std::vector<std::string>{"0.5"});
    CHECK(v.size() == 7);

    boost::json::object many;
    for (int i = 0; i < 2'000; ++i) many["c" + std::to_string(i)] = "x";
    CHECK(values_of(many).error() == "its claims have more than 1000 values");
}
