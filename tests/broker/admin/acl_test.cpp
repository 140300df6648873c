#include "admin/registry.hpp"
#include "support/fake_node.hpp"

#include <boost/json/parse.hpp>
#include <doctest/doctest.h>

using namespace broker;
using namespace broker::admin;

TEST_CASE("what somebody may is asked with all that rules may speak of") {
    const registry commands;
    test::fake_node node;
    const auto ask = [&](std::string body) { return commands.run(node, {.method = "POST", .path = "/api/v1/acl/test", .body = std::move(body)}); };
    const auto answered = ask(R"({"user":"anna","client_id":"phone","roles":["driver"],"claims":{"tenant":["x","y"],"realm":{"id":7}},"action":"subscribe","topic":"a/#"})");
    CHECK(answered.status == 200);
    const auto said = boost::json::parse(answered.body).as_object();
    CHECK(said.at("verdict") == "part");
    CHECK(said.at("rule") == "deny subscribe a");
    CHECK(said.at("origin") == "role r");
    CHECK(said.contains("note"));
    CHECK(node.asked_about.user == "anna");
    CHECK(node.asked_about.client_id == "phone");
    CHECK(node.asked_about.roles == std::vector<std::string>{"driver"});
    CHECK(node.asked_about.claims == security::claim_values{{"tenant", {"x", "y"}}, {"realm.id", {"7"}}});
    CHECK(ask(R"({"action":"connect","topic":"phone"})").status == 200); // an anonymous client
    CHECK(node.asked_about.user.empty());
    CHECK(node.calls == std::vector<std::string>{"may subscribe a/#", "may connect phone"});
    for (const auto* const wrong : {"{}", R"({"action":"all","topic":"a"})", R"({"action":"publish"})", R"({"action":"publish","topic":"a","roles":"r"})",
                                    R"({"action":"publish","topic":"a","roles":[1]})", R"({"action":"publish","topic":"a","claims":[]})",
                                    R"({"action":"publish","topic":"a","password":"x"})"}) {
        CAPTURE(wrong);
        CHECK(ask(wrong).status == 400);
    }
    CHECK(node.calls.size() == 2);
}
