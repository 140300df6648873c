#include "admin/registry.hpp"
#include "support/fake_node.hpp"

#include <boost/json/parse.hpp>
#include <doctest/doctest.h>

using namespace broker;
using namespace broker::admin;

TEST_CASE("users are added, changed, imported and deleted; what is wrong is said") {
    const registry commands;
    test::fake_node node;
    const auto ask = [&](std::string method, std::string path, std::string body = {}) {
        return commands.run(node, {.method = std::move(method), .path = std::move(path), .body = std::move(body)});
    };
    CHECK(ask("POST", "/api/v1/users", R"({"name": "dora", "password": "d"})").status == 201);
    CHECK(ask("PATCH", "/api/v1/users/anna", R"({"password": "p"})").status == 200);
    CHECK(ask("PATCH", "/api/v1/users/anna", R"({"disabled": true})").status == 200);
    CHECK(ask("PATCH", "/api/v1/users/nobody", R"({"disabled": true})").status == 404);
    CHECK(ask("POST", "/api/v1/users/import", R"({"users": [{"name": "a", "hash": "$7$"}, {"name": "b", "hash": "$6$", "disabled": true}]})").status == 200);
    CHECK(ask("DELETE", "/api/v1/users/anna").status == 200);
    CHECK(ask("DELETE", "/api/v1/users/nobody").status == 404);
    CHECK(node.calls == std::vector<std::string>{"add dora d", "change anna p", "change anna - disabled", "import a $7$", "import b $6$ disabled", "delete user anna"});
    for (const auto* const wrong : {"{}", R"({"name": "a"})", R"({"name": "a", "password": ""})", R"({"name": "a", "password": 5})", "x"}) {
        CAPTURE(wrong);
        CHECK(ask("POST", "/api/v1/users", wrong).status == 400);
    }
    for (const auto* const wrong : {"{}", R"({"password": ""})", R"({"disabled": 1})"}) CHECK(ask("PATCH", "/api/v1/users/anna", wrong).status == 400);
    for (const auto* const wrong : {"{}", R"({"users": 1})", R"({"users": ["a"]})", R"({"users": [{"name": 1}]})"}) {
        CHECK(ask("POST", "/api/v1/users/import", wrong).status == 400);
    }
}

TEST_CASE("users are shown without their hashes") {
    const registry commands;
    test::fake_node node;
    const auto listed = commands.run(node, {.method = "GET", .path = "/api/v1/users"}).body;
    CHECK(boost::json::parse(listed) ==
          boost::json::parse(R"([{"user": "anna", "source": "store", "disabled": false, "hash": "argon2id", "set_at": "1970-01-01T00:00:01.000Z"},
                                 {"user": "bob", "source": "file", "disabled": true, "hash": "mosquitto", "set_at": null}])"));
    CHECK(boost::json::parse(commands.run(node, {.method = "GET", .path = "/api/v1/users/bob"}).body).at("source") == "file");
    CHECK(commands.run(node, {.method = "GET", .path = "/api/v1/users/nobody"}).status == 404);
}
