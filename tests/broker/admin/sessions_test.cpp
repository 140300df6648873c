// Sessions over HTTP: showing, looking into one, dropping a message, ending one.
#include "admin/registry.hpp"
#include "support/fake_node.hpp"

#include <boost/json/parse.hpp>
#include <doctest/doctest.h>

using namespace broker;
using namespace broker::admin;

namespace {

const registry commands;

response ask(test::fake_node& node, std::string method, std::string path, std::map<std::string, std::string> query = {}) {
    request r{.method = std::move(method), .path = std::move(path)};
    for (auto& [key, value] : query) r.query.emplace(key, value);
    return commands.run(node, r);
}

std::string detail_of(const response& r) {
    CHECK(r.content_type == "application/problem+json");
    return std::string{boost::json::parse(r.body).at("detail").as_string()};
}

using calls = std::vector<std::string>;

} // namespace

TEST_CASE("a session is shown with its subscriptions, also a STOMP one, whose id has a slash") {
    test::fake_node node;
    const auto shown = ask(node, "GET", "/api/v1/sessions/client/news");
    REQUIRE(shown.status == 200);
    const auto o = boost::json::parse(shown.body);
    CHECK(o.at("id").as_string() == "client/news");
    CHECK(o.at("queued_bytes").as_int64() == 300);
    CHECK(o.at("expiry_s").as_int64() == 60);
    CHECK(o.at("will_topic").is_null());
    CHECK(o.at("subscriptions").at(0).at("filter").as_string() == "news/#");
    CHECK(o.at("subscriptions").at(0).at("qos").as_int64() == 1);
    const auto none = ask(node, "GET", "/api/v1/sessions/client");
    CHECK(none.status == 404);
    CHECK(detail_of(none) == "no session client");
}

TEST_CASE("what a session holds: rows with age, time left and the beginning of the payload; pages are bounded") {
    test::fake_node node;
    const auto answer = ask(node, "GET", "/api/v1/sessions/client%2Fnews/messages");
    REQUIRE(answer.status == 200);
    const auto rows = boost::json::parse(answer.body).as_array();
    REQUIRE(rows.size() == 2);
    CHECK(rows[0].at("id").as_int64() == 7);
    CHECK(rows[0].at("topic").as_string() == "news/1");
    CHECK(rows[0].at("qos").as_int64() == 1);
    CHECK(rows[0].at("bytes").as_int64() == 300);
    CHECK(rows[0].at("payload").as_string() == "begins");
    CHECK(rows[0].at("truncated").as_bool());
    CHECK(rows[0].at("age_s").as_int64() == 90);
    CHECK(rows[0].at("expires_in_s").as_int64() == 30);
    CHECK(rows[0].at("state").as_string() == "queued");
    CHECK(rows[0].at("handle").is_null());
    CHECK(rows[1].at("payload_base64").as_string() == "AP8=");
    CHECK_FALSE(rows[1].at("truncated").as_bool());
    CHECK(rows[1].at("expires_at").is_null());
    CHECK(rows[1].at("expires_in_s").is_null());
    CHECK(rows[1].at("state").as_string() == "sent");
    CHECK(rows[1].at("handle").as_int64() == 5);
    CHECK(ask(node, "GET", "/api/v1/sessions/client%2Fnews/inflight", {{"limit", "3"}}).status == 200);
    CHECK(ask(node, "GET", "/api/v1/sessions/client%2Fnews/messages", {{"limit", "5000"}, {"cursor", "8"}}).status == 200);
    CHECK(node.calls == calls{"messages 0 10", "messages 0 3 in flight", "messages 8 1000"});
}

TEST_CASE("a session's name may be that of what is below one") {
    test::fake_node node;
    CHECK(detail_of(ask(node, "GET", "/api/v1/sessions/client%2Fmessages")) == "no session client/messages");
    CHECK(detail_of(ask(node, "GET", "/api/v1/sessions/client%2Fmessages/messages")) == "no session client/messages");
    CHECK(ask(node, "DELETE", "/api/v1/sessions/client%2Fmessages%2F5").status == 200);
    CHECK(node.calls == calls{"expire client/messages/5"});
}

TEST_CASE("what is wrong with a request about a session is said, and nothing is done") {
    test::fake_node node;
    const std::string of = "/api/v1/sessions/client%2Fnews/messages";
    for (const auto* const limit : {"x", "-1", "1x", "99999999999999999999"}) {
        const auto wrong = ask(node, "GET", of, {{"limit", limit}});
        CHECK(wrong.status == 400);
        CHECK(detail_of(wrong) == "limit is not a number");
    }
    CHECK(detail_of(ask(node, "GET", of, {{"cursor", "first"}})) == "cursor is not the id of a message");
    CHECK(ask(node, "GET", "/api/v1/sessions/other/messages").status == 404);
    const auto word = ask(node, "DELETE", of + "/seven");
    CHECK(word.status == 400);
    CHECK(detail_of(word) == "seven is not the id of a message, which is a number");
    const auto refused = ask(node, "DELETE", of + "/7");
    CHECK(refused.status == 409);
    CHECK(detail_of(refused) == "it is in flight");
    CHECK(ask(node, "DELETE", "/api/v1/sessions/nobody").status == 404);
    CHECK(ask(node, "POST", of).status == 405);
    CHECK(node.calls.empty());
}

TEST_CASE("a message is dropped, a session ends") {
    test::fake_node node;
    const auto dropped = ask(node, "DELETE", "/api/v1/sessions/client%2Fnews/messages/7", {{"force", "true"}});
    REQUIRE(dropped.status == 200);
    CHECK(boost::json::parse(dropped.body).at("dropped").as_int64() == 7);
    const auto expired = ask(node, "DELETE", "/api/v1/sessions/client%2Fnews");
    REQUIRE(expired.status == 200);
    CHECK(boost::json::parse(expired.body).at("expired").as_string() == "client/news");
    CHECK(node.calls == calls{"drop client/news 7", "expire client/news"});
}
