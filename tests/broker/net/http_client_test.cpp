#include "net/http_client.hpp"

#include "support/http_peer.hpp"

#include <doctest/doctest.h>

#include <future>

using namespace broker;
using test::http_peer;

namespace {

http_client client(const std::string& url, const http_client::settings& with = {}) {
    auto made = http_client::make(url, with);
    REQUIRE(made);
    return std::move(*made);
}

std::string why(const http_client& c) {
    const auto came = c.get();
    return came ? "(an answer)" : came.error().what;
}

} // namespace

TEST_CASE("URLs: what is taken apart, and what is refused") {
    struct row {
        std::string_view text;
        bool tls;
        std::string_view host;
        std::uint16_t port;
        std::string_view target;
    };
    for (const auto& r : {row{"https://a.example", true, "a.example", 443, "/"}, row{"http://a/b?c=d", false, "a", 80, "/b?c=d"},
                          row{"https://a:8443?x", true, "a", 8443, "/?x"}, row{"http://[::1]:81/k", false, "::1", 81, "/k"}, row{"http://[::1]", false, "::1", 80, "/"}}) {
        CAPTURE(r.text);
        const auto u = parse_http_url(r.text);
        REQUIRE(u);
        CHECK(u->tls == r.tls);
        CHECK(u->host == r.host);
        CHECK(u->port == r.port);
        CHECK(u->target == r.target);
    }
    for (const auto* const bad : {"", "a.example", "ftp://a", "https://", "https://:1", "https://a:0", "https://a:65536", "https://a:x", "https://a:",
                                  "https://u:p@a/", "https://a/#f", "https://a/b c", "https://a/\r\nX: y", "https://\xC3\xA4/"}) {
        CAPTURE(bad);
        CHECK_FALSE(parse_http_url(bad));
    }
}

TEST_CASE("plain HTTP goes to this host alone, unless it is written out") {
    for (const auto* const here : {"http://127.0.0.1/", "http://127.8.8.8/", "http://localhost/", "http://[::1]/"}) CHECK(http_client::make(here, {}));
    for (const auto* const elsewhere : {"http://10.0.0.1/", "http://example.com/", "http://localhost.example.com/", "http://127.0.0.1.example.com/"}) {
        CAPTURE(elsewhere);
        const auto made = http_client::make(elsewhere, {});
        REQUIRE_FALSE(made);
        CHECK(made.error().contains("auth.plain_http = true"));
        CHECK(http_client::make(elsewhere, {.plain_anywhere = true}));
    }
    CHECK(http_client::make("https://a/", {.ca_file = "/nowhere"}).error().starts_with("/nowhere: holds no certificate"));
}

TEST_CASE("a request and its answer, whatever its status") {
    http_peer peer{[](const std::string& r) { return r.starts_with("GET /k?a=b ") ? http_peer::ok("keys") : http_peer::ok("no", "403 Forbidden"); }};
    const auto got = client(peer.url("/k?a=b")).get();
    REQUIRE(got);
    CHECK(got->status == 200);
    CHECK(got->body == "keys");
    const std::vector<http_client::header> headers{{"Authorization", "Bearer x"}, {"X-Two", "2"}};
    const auto refused = client(peer.url("/p")).post_json(R"({"a":1})", headers);
    REQUIRE(refused);
    CHECK(refused->status == 403);
    const auto sent = peer.requests().at(1);
    CHECK(sent.starts_with("POST /p HTTP/1.1\r\n"));
    for (const auto* const part : {"Host: 127.0.0.1:", "Authorization: Bearer x\r\n", "X-Two: 2\r\n", "Content-Type: application/json\r\n", "\r\n\r\n{\"a\":1}"}) {
        CAPTURE(part);
        CHECK(sent.contains(part));
    }
}

TEST_CASE("a redirect is an answer: nobody follows it") {
    http_peer peer{[](const std::string&) { return std::string{"HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n"}; }};
    CHECK(client(peer.url()).get()->status == 302);
    CHECK(peer.requests().size() == 1);
}

TEST_CASE("what goes wrong is one line") {
    for (const auto* const garbage : {"garbage\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"}) {
        http_peer peer{[garbage](const std::string&) { return std::string{garbage}; }};
        CHECK(why(client(peer.url())).starts_with("the answer is not HTTP or ended early: "));
    }
    {
        http_peer peer{[](const std::string&) { return http_peer::ok(std::string(1'001, 'x')); }};
        CHECK(why(client(peer.url(), {.body_bytes_max = 1'000})) == "the answer is larger than 1000 bytes");
        CHECK(client(peer.url(), {.body_bytes_max = 1'001}).get()->body.size() == 1'001);
    }
    {   // without an end to its length
        http_peer peer{[](const std::string&) { return "HTTP/1.1 200 OK\r\n\r\n" + std::string(100'000, 'x'); }};
        CHECK(why(client(peer.url(), {.body_bytes_max = 1'000})) == "the answer is larger than 1000 bytes");
    }
    {
        http_peer peer{[](const std::string&) { return "HTTP/1.1 200 OK\r\nX: " + std::string(100'000, 'x') + "\r\n\r\n"; }};
        CHECK(why(client(peer.url())).starts_with("the answer is not HTTP or ended early: "));
    }
    std::string gone;
    { gone = http_peer{[](const std::string&) { return std::string{}; }}.url(); }
    CHECK(why(client(gone)).starts_with("connect to 127.0.0.1:"));
    CHECK(why(client(gone)).contains("Connection refused"));
}

TEST_CASE("a request has an end: its time, or the end of whoever asked") {
    http_peer peer{[](const std::string&) { return std::string{}; }};
    const auto late = client(peer.url(), {.timeout = milliseconds{50}}).get();
    REQUIRE_FALSE(late);
    CHECK(late.error().timed_out);
    CHECK(late.error().what == "no answer within 50 ms");
    std::stop_source ending;
    auto asked = std::async(std::launch::async, [&] { return client(peer.url(), {.timeout = milliseconds{60'000}}).get(ending.get_token()); });
    while (peer.requests().size() != 2) std::this_thread::yield();
    ending.request_stop();
    const auto given_up = asked.get();
    REQUIRE_FALSE(given_up);
    CHECK(given_up.error().what == "given up");
    CHECK(client(peer.url()).get(ending.get_token()).error().what == "given up"); // before it began
}
