#include "admin/registry.hpp"
#include "support/fake_node.hpp"

#include <boost/json/parse.hpp>
#include <doctest/doctest.h>

using namespace broker;
using namespace broker::admin;

namespace {

const registry commands;

response ask(test::fake_node& node, std::string method, std::string path, std::string body = "",
             std::map<std::string, std::string> query = {}) {
    request r{.method = std::move(method), .path = std::move(path), .body = std::move(body)};
    for (auto& [key, value] : query) r.query.emplace(key, value);
    return commands.run(node, r);
}

boost::json::object object(const response& r) {
    CHECK(r.status == 200);
    return boost::json::parse(r.body).as_object();
}

std::string detail_of(const response& r) { return std::string{boost::json::parse(r.body).at("detail").as_string()}; }

using calls = std::vector<std::string>;

} // namespace

TEST_CASE("a queue is shown with its settings; one that is not there is named") {
    test::fake_node node;
    const auto shown = object(ask(node, "GET", "/api/v1/queues/jobs"));
    CHECK(shown.at("messages").as_int64() == 2);
    CHECK(shown.at("policy").as_string() == "reject");
    const auto none = ask(node, "GET", "/api/v1/queues/none");
    CHECK(none.status == 404);
    CHECK(detail_of(none) == "no queue none");
}

TEST_CASE("declaring sets what is said and leaves the rest to the limits") {
    test::fake_node node;
    (void)object(ask(node, "PUT", "/api/v1/queues/jobs",
                     R"({"messages":5,"bytes":6,"ttl_s":7,"policy":"drop-oldest","dead_letter":"","max_deliveries":0,"priority":false})"));
    CHECK(node.declared["jobs"] == queue_settings{.messages_max = 5, .bytes_max = 6, .ttl = seconds{7}, .policy = overflow_policy::drop_oldest,
                                                  .dead_letter = "", .max_deliveries = 0, .priority = false});
    (void)object(ask(node, "PUT", "/api/v1/queues/jobs", "{}"));
    CHECK(node.declared["jobs"] == queue_settings{});
    CHECK(detail_of(ask(node, "PUT", "/api/v1/queues/file", "{}")) == "declared in the file");
}

TEST_CASE("a declaration that is wrong is refused with the member's name") {
    const std::pair<std::string, std::string> wrong[]{
        {R"({"messages":-1})", "messages must be zero or more, within reason"},
        {R"({"messages":"5"})", "messages must be an integer"},
        {R"({"ttl_s":10000000000})", "ttl_s must be zero or more, within reason"},
        {R"({"policy":"throw-away"})", "policy must be reject, drop-oldest or dead-letter"},
        {R"({"priority":1})", "priority must be true or false"},
        {R"({"size":1})", "size is not known; known are messages, bytes, ttl_s, policy, dead_letter, max_deliveries, priority"},
        {"[]", "the body is not a JSON object"},
    };
    for (const auto& [body, why] : wrong) {
        CAPTURE(body);
        test::fake_node node;
        const auto answer = ask(node, "PUT", "/api/v1/queues/jobs", body);
        CHECK(answer.status == 400);
        CHECK(detail_of(answer) == why);
        CHECK(node.declared.empty());
    }
}

TEST_CASE("peek, purge, move and delete reach the queue, also one with a slash in its name") {
    for (const std::string name : {"jobs", "a/b"}) {
        CAPTURE(name);
        test::fake_node node;
        const auto path = "/api/v1/queues/" + name;
        const auto peeked = boost::json::parse(ask(node, "GET", path + "/messages", "", {{"limit", "3"}}).body);
        CHECK(peeked.at(0).at("payload").as_string() == "hi");
        CHECK(peeked.at(0).at("redelivery_count").as_int64() == 2);
        const auto purged = object(ask(node, "POST", path + "/purge"));
        CHECK(purged.at("purged").as_int64() == 3);
        CHECK(purged.at("more").as_bool());
        CHECK(object(ask(node, "POST", path + "/move", R"({"to":"other"})", {{"limit", "4"}})).at("moved").as_int64() == 3);
        const auto in_use = ask(node, "DELETE", path);
        CHECK(in_use.status == 409);
        CHECK(detail_of(in_use) == "it has consumers");
        (void)object(ask(node, "DELETE", path, "", {{"force", "true"}}));
        CHECK(node.calls == calls{"peek " + name + " 3", "remove " + name + " 10000 ", "remove " + name + " 4 other", "delete " + name});
    }
}

TEST_CASE("one request peeks and removes a bounded number") {
    test::fake_node node;
    (void)ask(node, "GET", "/api/v1/queues/jobs/messages", "", {{"limit", "1000000"}});
    (void)ask(node, "POST", "/api/v1/queues/jobs/purge", "", {{"limit", "1000000"}});
    CHECK(node.calls == calls{"peek jobs 1000", "remove jobs 10000 "});
    CHECK(detail_of(ask(node, "POST", "/api/v1/queues/jobs/purge", "", {{"limit", "x"}})) == "limit is not a number");
}

TEST_CASE("move needs another queue, and what is not there is named") {
    test::fake_node node;
    CHECK(detail_of(ask(node, "POST", "/api/v1/queues/jobs/move", R"({"to":"jobs"})")) == "to must be the name of another queue");
    CHECK(detail_of(ask(node, "POST", "/api/v1/queues/jobs/move", "{}")) == "to must be the name of another queue");
    CHECK(ask(node, "POST", "/api/v1/queues/none/purge").status == 404);
    CHECK(ask(node, "POST", "/api/v1/queues/jobs/fold").status == 404);
    CHECK(node.calls.empty());
}
