#include "admin/registry.hpp"
#include "support/fake_node.hpp"

#include <boost/json/parse.hpp>
#include <doctest/doctest.h>

using namespace broker;
using namespace broker::admin;

TEST_CASE("API keys are made, listed and deleted; what is wrong is said") {
    const registry commands;
    test::fake_node node;
    const auto ask = [&](std::string method, std::string path, std::string body = {}) {
        return commands.run(node, {.method = std::move(method), .path = std::move(path), .body = std::move(body)});
    };
    const auto made = ask("POST", "/api/v1/apikeys", R"({"name": "sensor", "scopes": ["publish:a/#", "manage"], "ttl_s": 60})");
    CHECK(made.status == 201);
    CHECK(boost::json::parse(made.body).at("key") == "bk_sensor");
    CHECK(boost::json::parse(made.body).at("expires_at").is_null());
    REQUIRE(node.keys.size() == 1);
    CHECK(node.keys[0].name == "sensor");
    CHECK(node.keys[0].scopes == std::vector<std::string>{"publish:a/#", "manage"});
    CHECK(node.keys[0].ttl == seconds{60});
    for (const auto* const wrong : {R"({"name": 1})", R"({"name": "a", "scopes": "manage"})", R"({"name": "a", "scopes": [1]})", R"({"name": "a", "ttl_s": -1})",
                                    R"({"name": "a", "ttl_s": 9999999999})", R"({"nam": "a"})", "x"}) {
        CAPTURE(wrong);
        CHECK(ask("POST", "/api/v1/apikeys", wrong).status == 400);
    }
    const auto listed = boost::json::parse(ask("GET", "/api/v1/apikeys").body).as_array();
    REQUIRE(listed.size() == 1);
    CHECK(listed[0].at("name") == "sensor");
    CHECK(listed[0].at("expires_at") == "1970-01-01T00:00:01.000Z");
    CHECK(listed[0].at("expired") == true);
    CHECK(!listed[0].as_object().contains("key"));
    CHECK(ask("DELETE", "/api/v1/apikeys/sensor").status == 200);
    CHECK(node.calls == std::vector<std::string>{"delete key sensor"});
    CHECK(ask("DELETE", "/api/v1/apikeys/nobody").status == 404);
}
