#include "net/auth_hook.hpp"

#include "support/http_peer.hpp"

#include <boost/json/parse.hpp>
#include <doctest/doctest.h>

using namespace broker;
using test::http_peer;

namespace {

constexpr time_point now{seconds{1'800'000'000}};

struct bench {
    outside_counters count{};
    auth_hook::settings with{};

    [[nodiscard]] std::shared_ptr<auth_hook> made(const std::string& url) {
        with.url = url;
        auto hook = auth_hook::make(with, count);
        REQUIRE(hook);
        return *hook;
    }
    [[nodiscard]] static result<security::hook_answer, std::string> ask(auth_hook& hook) { return hook.ask("{}", auth_hook::clock::now(), now, {}); }
    [[nodiscard]] std::uint64_t counted(hook_result r) { return count.auth_hook[r]; }
};

} // namespace

TEST_CASE("the question has what the client brought, and where from") {
    const visitor by{.address = "10.0.0.1", .listener = "web", .protocol = "mqtt"};
    const auto login = boost::json::parse(auth_hook::question_of({.with = {.user = "anna", .password = "p\"w"}, .client_id = "c"}, by));
    CHECK(login == boost::json::value{{"client_id", "c"}, {"user", "anna"}, {"password", "p\"w"}, {"protocol", "mqtt"}, {"address", "10.0.0.1"}, {"listener", "web"}});
    const auto token = boost::json::parse(auth_hook::question_of({.with = {.token = "t"}, .client_id = "c"}, {.identity = "CN"}));
    CHECK(token.at("token") == "t");
    CHECK(token.at("tls_identity") == "CN");
    CHECK_FALSE(token.as_object().contains("password"));
}

TEST_CASE("an answer is taken, counted and remembered; the secret goes along") {
    bench b;
    b.with.secret = "s3cret";
    b.with.headers = {"X-Tenant:  one"};
    http_peer server{[](const std::string&) { return http_peer::ok(R"({"result":"allow","user":"anna"})"); }};
    const auto hook = b.made(server.url("/auth"));
    CHECK_FALSE(hook->remembered("{}", now));
    REQUIRE(bench::ask(*hook));
    CHECK(hook->remembered("{}", now + seconds{9})->user == "anna");
    CHECK_FALSE(hook->remembered("{ }", now));
    CHECK_FALSE(hook->remembered("{}", now + seconds{10}));
    CHECK(b.counted(hook_result::allow) == 1);
    CHECK(b.counted(hook_result::remembered) == 1);
    const auto sent = server.requests().at(0);
    CHECK(sent.starts_with("POST /auth HTTP/1.1\r\n"));
    CHECK(sent.contains("Authorization: Bearer s3cret\r\n"));
    CHECK(sent.contains("X-Tenant: one\r\n"));
    CHECK(sent.ends_with("\r\n\r\n{}"));
}

TEST_CASE("what is no answer lets nobody in, and is not remembered") {
    bench b;
    for (const auto& [bad, why] : {std::pair{http_peer::ok("", "500 Oops"), "HTTP status 500"},
                                   {http_peer::ok(R"({"result":"allow"})", "201 Created"), "HTTP status 201"},
                                   {http_peer::ok(R"({"result":"allow"})", "302 Found"), "HTTP status 302"},
                                   {http_peer::ok("allow"), "its answer: not a JSON object"},
                                   {http_peer::ok(std::string(70'000, ' ')), "the answer is larger than 65536 bytes"},
                                   {std::string{"garbage\r\n\r\n"}, "not HTTP"}}) {
        http_peer server{[&bad](const std::string&) { return bad; }};
        const auto hook = b.made(server.url());
        const auto came = bench::ask(*hook);
        REQUIRE_FALSE(came);
        CHECK(came.error().contains(why));
        CHECK_FALSE(hook->remembered("{}", now));
    }
    CHECK(b.counted(hook_result::failed) == 6);
    b.with.http.timeout = milliseconds{100};
    http_peer silent{[](const std::string&) { return std::string{}; }};
    const auto hook = b.made(silent.url());
    CHECK(bench::ask(*hook).error().contains("no answer within 100 ms"));
    CHECK(hook->ask("{}", auth_hook::clock::now() - seconds{1}, now, {}).error().contains("too many are asked for before this one"));
    CHECK(silent.requests().size() == 1); // nobody waits for the second one
    CHECK(b.counted(hook_result::timeout) == 2);
}
