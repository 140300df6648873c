#include "admin/registry.hpp"
#include "support/fake_node.hpp"

#include <boost/json/parse.hpp>
#include <doctest/doctest.h>

using namespace broker;
using namespace broker::admin;

TEST_CASE("tokens are revoked by id, by user and by age; what is none of these is said") {
    const registry commands;
    test::fake_node node;
    const auto ask = [&](std::string body) {
        return commands.run(node, {.method = "POST", .path = "/api/v1/tokens/revoke", .body = std::move(body)}).status;
    };
    CHECK(ask(R"({"jti": "a", "until": 5})") == 200);
    CHECK(ask(R"({"user": "anna"})") == 200);
    CHECK(ask(R"({"issued_before": 7})") == 200);
    REQUIRE(node.revoked.size() == 3);
    CHECK(node.revoked[0].token_id == "a");
    CHECK(node.revoked[0].until == from_epoch_ms(5000));
    CHECK(node.revoked[1].user == "anna");
    CHECK_FALSE(node.revoked[1].issued_before);
    CHECK(*node.revoked[2].issued_before == from_epoch_ms(7000));
    for (const auto* const wrong : {"{}", R"({"jti": 5})", R"({"jti": "a", "user": "b"})", R"({"issued_before": -1})", R"({"issued_before": 99999999999})",
                                    R"({"name": "a"})", "x"}) {
        CAPTURE(wrong);
        CHECK(ask(wrong) == 400);
    }
    CHECK(node.revoked.size() == 3);
}

TEST_CASE("what is revoked is listed by kind and name, a page at a time") {
    const registry commands;
    test::fake_node node;
    const auto ask = [&](std::multimap<std::string, std::string> query) {
        return commands.run(node, {.method = "GET", .path = "/api/v1/tokens/revoked", .query = std::move(query)});
    };
    const auto answered = ask({});
    CHECK(answered.status == 200);
    CHECK(boost::json::parse(answered.body) == boost::json::parse(R"([
        {"kind": "everybody", "name": "", "issued_before": "1970-01-01T00:00:01.000Z", "until": null},
        {"kind": "user", "name": "anna", "issued_before": "1970-01-01T00:00:02.000Z", "until": null},
        {"kind": "token", "name": "a:1", "issued_before": null, "until": "1970-01-01T00:00:03.000Z"},
        {"kind": "token", "name": "b", "issued_before": null, "until": null}])"));
    CHECK(ask({{"limit", "5"}, {"cursor", "token:a:1"}}).status == 200);
    CHECK(ask({{"limit", "5000"}, {"cursor", "everybody:"}}).status == 200);
    CHECK(node.calls == std::vector<std::string>{"revoked  100", "revoked 2a:1 5", "revoked 0 1000"});
    for (const auto* const wrong : {"anna", "users:anna", ":"}) {
        CAPTURE(wrong);
        CHECK(ask({{"cursor", wrong}}).status == 400);
    }
    CHECK(ask({{"limit", "x"}}).status == 400);
}
