#include "admin/registry.hpp"
#include "support/fake_node.hpp"

#include <boost/json/parse.hpp>
#include <doctest/doctest.h>

using namespace broker;
using namespace broker::admin;

TEST_CASE("bans are added, listed and removed; what is wrong is said") {
    const registry commands;
    test::fake_node node;
    const auto ask = [&](std::string method, std::string path, std::string body = {}) {
        return commands.run(node, {.method = std::move(method), .path = std::move(path), .body = std::move(body)});
    };
    const auto added = ask("POST", "/api/v1/bans", R"({"kind": "user", "whom": "anna", "for_s": 60, "reason": "a test"})");
    CHECK(added.status == 200);
    CHECK(boost::json::parse(added.body) == boost::json::parse(R"({"connections_closed": 1})"));
    CHECK(node.calls == std::vector<std::string>{"ban anna 60"});
    CHECK(boost::json::parse(ask("GET", "/api/v1/bans").body) ==
          boost::json::parse(R"([{"kind": "user", "whom": "anna", "until": null, "automatic": false, "reason": "a test"}])"));
    CHECK(ask("DELETE", "/api/v1/bans/user/bob").status == 404);
    CHECK(ask("DELETE", "/api/v1/bans/user/anna").status == 200);
    CHECK(node.bans.empty());
    for (const auto* const wrong : {"x", R"({"kind": "planet", "whom": "x"})", R"({"kind": "user", "whom": 5})", R"({"for_s": "1h"})", R"({"for_s": -1})", R"({"who": "x"})"}) {
        CAPTURE(wrong);
        CHECK(ask("POST", "/api/v1/bans", wrong).status == 400);
    }
    // A network's slash is part of its name.
    node.bans.push_back({.kind = "address", .whom = "192.0.2.0/24"});
    CHECK(ask("DELETE", "/api/v1/bans/address/192.0.2.0%2F24").status == 200);
    node.bans.push_back({.kind = "address", .whom = "192.0.2.0/24"});
    CHECK(ask("DELETE", "/api/v1/bans/address/192.0.2.0/24").status == 200);
}

TEST_CASE("listeners and their certificates are shown, and read again") {
    const registry commands;
    test::fake_node node;
    listener_row secure{.name = "web", .url = "wss://127.0.0.1:8084", .connections = 3, .connections_max = 10};
    secure.certificates.push_back({.file = "cert.pem",
                                   .subject = "CN=example.com",
                                   .issuer = "CN=authority",
                                   .names = {"example.com"},
                                   .fingerprint = "ab",
                                   .not_before = from_epoch_ms(0),
                                   .not_after = from_epoch_ms(1'000)});
    node.state.listeners = {{.name = "mqtt", .url = "mqtt://127.0.0.1:1883"}, secure};
    const auto ask = [&](std::string method, std::string path, std::multimap<std::string, std::string> query = {}) {
        return commands.run(node, {.method = std::move(method), .path = std::move(path), .query = std::move(query)});
    };
    CHECK(boost::json::parse(ask("GET", "/api/v1/listeners").body) ==
          boost::json::parse(R"([{"name": "mqtt", "url": "mqtt://127.0.0.1:1883", "connections": 0, "max_connections": null, "tls": false},
                                 {"name": "web", "url": "wss://127.0.0.1:8084", "connections": 3, "max_connections": 10, "tls": true}])"));
    CHECK(boost::json::parse(ask("GET", "/api/v1/listeners/tls").body) ==
          boost::json::parse(R"([{"listener": "web", "subject": "CN=example.com", "issuer": "CN=authority", "names": ["example.com"], "not_before": "1970-01-01T00:00:00.000Z",
                                  "not_after": "1970-01-01T00:00:01.000Z", "fingerprint": "ab", "file": "cert.pem"}])"));
    CHECK(ask("GET", "/metrics").body.find("broker_tls_cert_expiry_timestamp_seconds{listener=\"web\"} 1\n") != std::string::npos);
    CHECK(ask("POST", "/api/v1/listeners/tls/reload", {{"listener", "web"}}).status == 200);
    CHECK(node.calls == std::vector<std::string>{"reload web"});
    const auto refused = ask("POST", "/api/v1/listeners/tls/reload", {{"listener", "bad"}});
    CHECK(refused.status == 409);
    CHECK(refused.body.find("listener bad: tls.cert x.pem: no certificate in it") != std::string::npos);
}
