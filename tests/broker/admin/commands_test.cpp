// Requests as values, answers as values.
#include "admin/registry.hpp"
#include "core/properties.hpp"
#include "support/fake_node.hpp"

#include <boost/json/parse.hpp>
#include <doctest/doctest.h>

using namespace broker;
using namespace broker::admin;

namespace {

const registry commands;

response ask(test::fake_node& node, std::string method, std::string path, std::string body = "") {
    return commands.run(node, {.method = std::move(method), .path = std::move(path), .body = std::move(body)});
}

std::string detail_of(const response& r) {
    CHECK(r.content_type == "application/problem+json");
    return std::string{boost::json::parse(r.body).at("detail").as_string()};
}

} // namespace

TEST_CASE("RFC 9457: what is not there is a problem document that names it") {
    test::fake_node node;
    const auto nowhere = ask(node, "GET", "/api/v1/nothing");
    CHECK(nowhere.status == 404);
    CHECK(detail_of(nowhere) == "no such resource: /api/v1/nothing");
    const auto method = ask(node, "DELETE", "/healthz");
    CHECK(method.status == 405);
    CHECK(detail_of(method) == "DELETE is not answered on /healthz");
}

TEST_CASE("health is about the process, readiness about taking clients") {
    test::fake_node node;
    CHECK(ask(node, "GET", "/healthz").status == 200);
    CHECK(ask(node, "GET", "/readyz").status == 200);
    node.is_ready = false;
    CHECK(ask(node, "GET", "/healthz").status == 200);
    CHECK(ask(node, "GET", "/readyz").status == 503);
}

TEST_CASE("publish: destination in either spelling, text or base64, headers") {
    test::fake_node node;
    CHECK(ask(node, "POST", "/api/v1/publish", R"({"destination":"/topic/a/b","payload":"hi","qos":2,"retain":true,"ttl_s":5,"headers":{"k":"v"}})").status == 200);
    CHECK(ask(node, "POST", "/api/v1/publish", R"({"destination":"/queue/jobs","payload_base64":"AP8="})").status == 200);
    REQUIRE(node.published.size() == 2);
    const auto& first = *node.published[0];
    CHECK(first.topic() == "a/b");
    CHECK(as_text(first.payload()) == "hi");
    CHECK(first.level() == qos::exactly_once);
    CHECK(first.retain());
    const auto& second = *node.published[1];
    CHECK(second.topic() == "$queue/jobs");
    CHECK(as_text(second.payload()) == std::string_view{"\0\xff", 2});
    CHECK(second.level() == qos::at_least_once);
}

TEST_CASE("publish: what is wrong is named, nothing is published") {
    struct row {
        const char* body;
        const char* said;
    };
    for (const auto& r : std::initializer_list<row>{
             {"[]", "the body is not a JSON object"},
             {"{", "the body is not a JSON object"},
             {R"({"destination":5})", "destination must be a string"},
             {R"({"destination":"a","qos":"1"})", "qos must be an integer"},
             {R"({"destination":"a","qos":3})", "qos is 0, 1 or 2"},
             {R"({"destination":"a","retain":1})", "retain must be true or false"},
             {R"({"destination":"a","ttl_s":-1})", "ttl_s is 0 (never expires) to 4294967295"},
             {R"({"destination":"a","payload":{}})", "payload must be a string"},
             {R"({"destination":"a","payload_base64":"?"})", "payload_base64 is not base64"},
             {R"({"destination":"a","payload":"","payload_base64":""})", "payload or payload_base64, not both"},
             {R"({"destination":"a","headers":[]})", "headers must be an object"},
             {R"({"destination":"a","headers":{"k":1}})", "headers must be an object of strings"},
             {R"({"destination":"a","topic":"b"})",
              "topic is not known; known are destination, payload, payload_base64, qos, retain, ttl_s, headers"},
             {R"({"payload":"x"})", "no topic"},
         }) {
        CAPTURE(r.body);
        test::fake_node node;
        const auto answer = ask(node, "POST", "/api/v1/publish", r.body);
        CHECK(answer.status == 400);
        CHECK(detail_of(answer) == r.said);
        CHECK(node.published.empty());
    }
}

TEST_CASE("clients: a new token for one that is connected") {
    test::fake_node node;
    const auto answered = ask(node, "POST", "/api/v1/clients/a%2Fb/token", R"({"token":"x.y.z"})");
    CHECK(answered.status == 200);
    CHECK(boost::json::parse(answered.body) == boost::json::parse(R"({"id":"a/b","user":"anna","expires_at":"1970-01-01T00:00:01.000Z"})"));
    CHECK(boost::json::parse(ask(node, "POST", "/api/v1/clients/a/token", R"({"token":"key"})").body).at("expires_at").is_null());
    CHECK(node.calls == std::vector<std::string>{"renew a/b x.y.z", "renew a key"});
    CHECK(ask(node, "POST", "/api/v1/clients/nobody/token", R"({"token":"x"})").status == 404);
    const auto bad = ask(node, "POST", "/api/v1/clients/a/token", R"({"token":"bad"})");
    CHECK(bad.status == 403);
    CHECK(detail_of(bad) == "not good");
    for (const auto* const wrong : {"{}", R"({"token":""})", R"({"token":5})", R"({"token":"x","user":"b"})", "x"}) {
        CAPTURE(wrong);
        CHECK(ask(node, "POST", "/api/v1/clients/a/token", wrong).status == 400);
    }
    CHECK(ask(node, "GET", "/api/v1/clients/a/b/token").status == 404); // a client's id
    CHECK(node.calls.size() == 2);
}

TEST_CASE("clients: list, show, kick; an unknown one is 404") {
    test::fake_node node;
    auto& row = node.connection_rows.emplace_back();
    row.client.client_id = "a/b c";
    const auto list = boost::json::parse(ask(node, "GET", "/api/v1/clients").body);
    REQUIRE(list.as_array().size() == 1);
    CHECK(list.at(0).at("id").as_string() == "a/b c");
    CHECK(ask(node, "GET", "/api/v1/clients/a/b c").status == 200);
    CHECK(ask(node, "GET", "/api/v1/clients/other").status == 404);
    CHECK(ask(node, "DELETE", "/api/v1/clients/other").status == 404);
    CHECK(ask(node, "DELETE", "/api/v1/clients/a/b c").status == 200);
    CHECK(node.connection_rows.empty());
}

TEST_CASE("sessions, queues and retained messages are listed") {
    test::fake_node node;
    CHECK(boost::json::parse(ask(node, "GET", "/api/v1/sessions").body).at(0).at("queued").as_int64() == 3);
    CHECK(boost::json::parse(ask(node, "GET", "/api/v1/queues").body).at(0).at("name").as_string() == "jobs");
    (void)ask(node, "POST", "/api/v1/publish", R"({"destination":"r","payload_base64":"/w=="})");
    const auto retained = boost::json::parse(ask(node, "GET", "/api/v1/retained").body);
    CHECK(retained.at(0).at("topic").as_string() == "r");
    CHECK(retained.at(0).at("payload_base64").as_string() == "/w=="); // not text
}
