// The HTTP side of a WebSocket connection: requests as bytes, answers as bytes.
#include "net/handshake.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

using namespace broker;

namespace {

// The request of RFC 6455 §1.2, with one of our subprotocols. A line set to "" is left out.
struct request {
    std::string first = "GET /chat HTTP/1.1";
    std::string host = "Host: server.example.com";
    std::string upgrade = "Upgrade: websocket";
    std::string connection = "Connection: Upgrade";
    std::string key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    std::string version = "Sec-WebSocket-Version: 13";
    std::string protocol = "Sec-WebSocket-Protocol: mqtt";
    std::vector<std::string> more{};

    [[nodiscard]] std::string text() const {
        std::string all;
        auto lines = std::vector{first, host, upgrade, connection, key, version, protocol};
        lines.insert(lines.end(), more.begin(), more.end());
        for (const auto& line : lines) {
            if (!line.empty()) all += line + "\r\n";
        }
        return all + "\r\n";
    }
};

struct answer {
    handshake::outcome outcome{};
    std::string response{};
    std::string subprotocol{};
    std::string pipelined{};

    [[nodiscard]] std::string status() const { return response.substr(9, 3); }
    [[nodiscard]] bool has(std::string_view part) const { return response.find(part) != std::string::npos; }
};

const limits bounds;

answer ask(std::string_view bytes) {
    handshake h{bounds};
    h.feed(as_bytes(bytes));
    return {h.state(), h.response(), h.subprotocol(), h.take_pipelined()};
}

answer ask(const request& r) { return ask(r.text()); }

} // namespace

TEST_CASE("RFC 6455 §1.3: the example request is accepted with the example's Sec-WebSocket-Accept") {
    const auto a = ask(request{});
    CHECK(a.outcome == handshake::outcome::accepted);
    CHECK(a.response == "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n");
}

TEST_CASE("any path; a list in Connection; any case of tokens") {
    CHECK(ask({.first = "GET /any/where?token=1 HTTP/1.1"}).status() == "101");
    CHECK(ask({.connection = "Connection: keep-alive, Upgrade"}).status() == "101"); // Firefox
    CHECK(ask({.upgrade = "upgrade: WebSocket", .connection = "connection: upgrade"}).status() == "101");
}

TEST_CASE("what is not such a request is refused with the status that says why") {
    struct row {
        const char* what;
        request asked;
        const char* status;
    };
    const std::vector<row> rows{
        {"version 8", {.version = "Sec-WebSocket-Version: 8"}, "426"},
        {"no version", {.version = ""}, "426"},
        {"plain GET", {.upgrade = "", .connection = "", .key = "", .version = "", .protocol = ""}, "426"},
        {"another upgrade", {.upgrade = "Upgrade: h2c"}, "426"},
        {"no Connection", {.connection = ""}, "426"},
        {"no key", {.key = ""}, "400"},
        {"key of 15 bytes", {.key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j"}, "400"},
        {"key not base64", {.key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j!Q=="}, "400"},
        {"two keys", {.more = {"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="}}, "400"},
        {"no host", {.host = ""}, "400"},
        {"two hosts", {.more = {"Host: other"}}, "400"},
        {"POST", {.first = "POST / HTTP/1.1"}, "405"},
        {"HEAD", {.first = "HEAD / HTTP/1.1"}, "405"},
        {"HTTP/1.0", {.first = "GET / HTTP/1.0"}, "400"},
        {"a body", {.more = {"Content-Length: 5"}}, "400"},
        {"a chunked body", {.more = {"Transfer-Encoding: chunked"}}, "400"},
        {"no subprotocol", {.protocol = ""}, "400"},
        {"none in common", {.protocol = "Sec-WebSocket-Protocol: wamp, soap"}, "400"},
        {"one offered twice", {.protocol = "Sec-WebSocket-Protocol: mqtt, mqtt"}, "400"},
        {"malformed list", {.protocol = "Sec-WebSocket-Protocol: mqtt;q=1"}, "400"},
        {"malformed header", {.more = {"no colon here"}}, "400"},
        {"malformed request line", {.first = "GET"}, "400"},
    };
    for (const auto& r : rows) {
        CAPTURE(r.what);
        const auto a = ask(r.asked);
        CHECK(a.outcome == handshake::outcome::refused);
        CHECK(a.response.starts_with("HTTP/1.1 "));
        CHECK(a.status() == r.status);
        CHECK(a.has("Connection: close\r\n"));
        CHECK(a.has("v12.stomp")); // the help text names what is served
        CHECK(!a.has("Sec-WebSocket-Accept"));
    }
    CHECK(ask({.version = "Sec-WebSocket-Version: 8"}).has("\r\nSec-WebSocket-Version: 13\r\n")); // RFC 6455 §4.4
    CHECK(ask({.first = "POST / HTTP/1.1"}).has("\r\nAllow: GET\r\n"));
}

TEST_CASE("RFC 6455 §4.2.2: the client's order among ours decides, and only what was offered is echoed") {
    const auto chosen = [](std::string_view offered, std::vector<std::string> more = {}) {
        return ask({.protocol = "Sec-WebSocket-Protocol: " + std::string{offered}, .more = std::move(more)}).subprotocol;
    };
    CHECK(chosen("v12.stomp, mqtt") == "v12.stomp");
    CHECK(chosen("mqtt, v12.stomp") == "mqtt");
    CHECK(chosen("wamp,v10.stomp,mqtt") == "v10.stomp");
    CHECK(chosen("wamp", {"Sec-WebSocket-Protocol: mqttv3.1"}) == "mqttv3.1");
    for (const auto* const token : {"mqtt", "mqttv3.1", "v12.stomp", "v11.stomp", "v10.stomp", "stomp"}) {
        CHECK(chosen(token) == token);
    }
}

TEST_CASE("the request may come in any pieces; what follows it is kept") {
    const auto text = request{}.text();
    for (std::size_t cut = 0; cut != text.size(); ++cut) {
        handshake h{bounds};
        h.feed(as_bytes(std::string_view{text}.substr(0, cut)));
        REQUIRE(h.state() == handshake::outcome::need_more);
        h.feed(as_bytes(text.substr(cut) + "frames"));
        REQUIRE(h.state() == handshake::outcome::accepted);
        CHECK(h.take_pipelined() == "frames");
    }
}

TEST_CASE("limits.handshake_bytes: exactly that much passes, one byte more is refused, with or without its end") {
    const auto padded = [](std::size_t size) {
        request r{.more = {"X-Padding: "}};
        r.more[0].append(size - r.text().size(), 'x');
        return r.text();
    };
    CHECK(ask(padded(bounds.handshake_bytes_max)).status() == "101");
    CHECK(ask(padded(bounds.handshake_bytes_max) + std::string(100'000, 'f')).status() == "101");
    CHECK(ask(padded(bounds.handshake_bytes_max + 1)).status() == "431");
    CHECK(ask(std::string(bounds.handshake_bytes_max, 'x')).outcome == handshake::outcome::need_more);
    CHECK(ask(std::string(bounds.handshake_bytes_max + 1, 'x')).status() == "431");
}

TEST_CASE("RFC 6455 §10.2: a page whose origin is not allowed is refused with 403") {
    const auto status = [&](const std::vector<std::string>& allowed, const std::vector<std::string>& lines, bool missing = true) {
        const auto origins = security::allowed_origins::make(allowed, missing);
        REQUIRE(origins);
        handshake h{bounds, {.origins = &*origins}};
        request r;
        r.more = lines;
        const auto text = r.text();
        h.feed(as_bytes(text));
        return h.response().substr(0, 12);
    };
    CHECK(status({}, {}) == "HTTP/1.1 101");
    CHECK(status({}, {}, false) == "HTTP/1.1 403");
    CHECK(status({}, {"Origin: http://server.example.com"}) == "HTTP/1.1 101");
    CHECK(status({}, {"Origin: https://evil.example"}) == "HTTP/1.1 403");
    CHECK(status({}, {"Origin: null"}) == "HTTP/1.1 403");
    CHECK(status({"https://app.example"}, {"Origin: https://app.example"}) == "HTTP/1.1 101");
    CHECK(status({"https://app.example"}, {"Origin: http://server.example.com"}) == "HTTP/1.1 403");
    CHECK(status({"https://*.example"}, {"Origin: https://a.example"}) == "HTTP/1.1 101");
    CHECK(status({"*"}, {"Origin: https://evil.example"}) == "HTTP/1.1 101");
    CHECK(status({"*"}, {"Origin: https://a.example", "Origin: https://b.example"}) == "HTTP/1.1 403");
}

TEST_CASE("RFC 7692 §5: permessage-deflate is answered where it is enabled") {
    struct answered {
        std::string status{};
        std::string extensions{}; // the answer's header
        bool agreed = false;
    };
    const auto offer = [](const std::vector<std::string>& lines, compression_settings with = {.enabled = true}) {
        handshake h{bounds, {.compression = with}};
        request r;
        r.more = lines;
        const auto text = r.text();
        h.feed(as_bytes(text));
        constexpr std::string_view name = "\r\nSec-WebSocket-Extensions: ";
        const auto at = h.response().find(name);
        const auto value = at == std::string::npos ? "" : h.response().substr(at + name.size(), h.response().find("\r\n", at + name.size()) - at - name.size());
        return answered{h.response().substr(9, 3), value, h.deflate().has_value()};
    };
    const std::string chromium = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits";
    CHECK(offer({chromium}).extensions == "permessage-deflate; server_no_context_takeover; client_no_context_takeover");
    CHECK(offer({chromium}).agreed);
    CHECK(offer({chromium}, {.enabled = true, .context_takeover = true}).extensions == "permessage-deflate; client_max_window_bits=12");
    for (const auto& nothing : {offer({chromium}, {}), offer({}), offer({"Sec-WebSocket-Extensions: foo"}),
                                offer({"Sec-WebSocket-Extensions: permessage-deflate; level=5"}), offer({"Sec-WebSocket-Extensions: a;"}, {})}) {
        CHECK(nothing.status == "101");
        CHECK(nothing.extensions.empty());
        CHECK(!nothing.agreed);
    }
    // RFC 6455 §9.1: several headers are one list.
    CHECK(offer({"Sec-WebSocket-Extensions: foo", "Sec-WebSocket-Extensions: permessage-deflate"}).agreed);
    CHECK(offer({"Sec-WebSocket-Extensions: permessage-deflate;"}).status == "400");
    CHECK(offer({"Sec-WebSocket-Extensions: permessage-deflate", "Sec-WebSocket-Extensions: ;"}).status == "400");
}

TEST_CASE("a cookie counts in requests of pages that may connect, and in no other") {
    const auto origins = security::allowed_origins::make({"https://app.example"});
    REQUIRE(origins);
    const security::credential_sources sources{.cookie = "bt"};
    const auto token = [&](const std::vector<std::string>& lines) {
        handshake h{bounds, {.origins = &*origins, .credentials = &sources}};
        request r;
        r.more = lines;
        const auto text = r.text();
        h.feed(as_bytes(text));
        return h.state() == handshake::outcome::accepted ? h.take_credentials().token : h.response().substr(0, 12);
    };
    CHECK(token({"Origin: https://app.example", "Cookie: a=b; bt=abc"}) == "abc");
    CHECK(token({"Cookie: bt=abc"}).empty()); // no page: whoever can write headers has another
    CHECK(token({"Cookie: bt=abc", "Authorization: Bearer xyz"}) == "xyz");
    CHECK(token({"Origin: https://evil.example", "Cookie: bt=abc"}) == "HTTP/1.1 403");
    CHECK(token({"Origin: https://app.example", "Cookie: bt=abc; bt=def"}) == "HTTP/1.1 401");
    CHECK(token({"Origin: https://app.example", "Cookie: bt=abc", "Authorization: Bearer xyz"}) == "HTTP/1.1 401");
}

TEST_CASE("RFC 6750 §2, RFC 7617: the request's credentials are read, and never echoed") {
    const security::credential_sources sources;
    const auto brought = [&](const std::string& first, const std::vector<std::string>& lines) -> std::optional<security::credentials> {
        handshake h{bounds, {.credentials = &sources}};
        request r;
        r.first = first;
        r.more = lines;
        const auto text = r.text();
        h.feed(as_bytes(text));
        CHECK_FALSE(h.response().contains("abc"));
        if (h.state() != handshake::outcome::accepted) {
            CHECK(h.response().starts_with("HTTP/1.1 401 "));
            return std::nullopt;
        }
        return h.take_credentials();
    };
    const std::string plain = "GET / HTTP/1.1";
    CHECK(brought(plain, {})->none());
    CHECK(brought(plain, {"Authorization: Bearer abc"})->token == "abc");
    CHECK(brought("GET /?x=1&access_token=abc HTTP/1.1", {})->token == "abc");
    CHECK(brought(plain, {"Sec-WebSocket-Protocol: bearer.abc"})->token == "abc");
    CHECK(brought(plain, {"Authorization: Basic YW5uYTpzZWNyZXQ="}) == security::credentials{.user = "anna", .password = "secret"});
    CHECK_FALSE(brought(plain, {"Authorization: Digest abc"}));
    CHECK_FALSE(brought("GET /?access_token=abc HTTP/1.1", {"Authorization: Bearer abcd"}));
}

TEST_CASE("every refusal has what keeps a browser from making more of it") {
    const limits bounds;
    for (const bool over_tls : {false, true}) {
        for (const auto* const asked : {"GET / HTTP/1.1\r\nHost: h\r\n\r\n", "POST / HTTP/1.1\r\n\r\n", "x\r\n\r\n"}) {
            handshake h{bounds, {.over_tls = over_tls}};
            h.feed(as_bytes(std::string_view{asked}));
            REQUIRE(h.state() == handshake::outcome::refused);
            for (const auto* const line : {"X-Content-Type-Options: nosniff", "Cache-Control: no-store", "Content-Security-Policy: default-src 'none'",
                                           "Referrer-Policy: no-referrer", "X-Frame-Options: DENY"}) {
                CHECK(h.response().find(std::string{"\r\n"} + line) != std::string::npos);
            }
            CHECK((h.response().find("\r\nStrict-Transport-Security: max-age=") != std::string::npos) == over_tls);
        }
    }
}
