// The admin API over real sockets: a Unix socket for everything, a TCP port for health and metrics.
#include "net/admin_listener.hpp"
#include "support/fake_node.hpp"
#include "support/test_certificates.hpp"

#include <doctest/doctest.h>
#include <openssl/ssl.h>

#include <filesystem>
#include <random>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

using namespace broker;

namespace {

class scratch {
public:
    scratch() : path_{std::filesystem::temp_directory_path() / ("brokerd-admin-" + std::to_string(std::random_device{}()))} {
        std::filesystem::create_directories(path_);
    }
    ~scratch() { std::filesystem::remove_all(path_); }
    scratch(const scratch&) = delete;
    scratch& operator=(const scratch&) = delete;
    [[nodiscard]] std::string socket() const { return (path_ / "admin.sock").string(); }

private:
    std::filesystem::path path_;
};

class peer {
public:
    explicit peer(const std::string& socket_path) : fd_{::socket(AF_UNIX, SOCK_STREAM, 0)} {
        sockaddr_un to{};
        to.sun_family = AF_UNIX;
        socket_path.copy(to.sun_path, sizeof to.sun_path - 1);
        REQUIRE(::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
    }
    explicit peer(std::uint16_t port) : fd_{::socket(AF_INET, SOCK_STREAM, 0)} {
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(port);
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        REQUIRE(::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
    }
    ~peer() { ::close(fd_); }
    peer(const peer&) = delete;
    peer& operator=(const peer&) = delete;

    void send(std::string_view bytes) {
        while (!bytes.empty()) {
            const auto n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (n <= 0) return; // the server may refuse before it has read everything
            bytes.remove_prefix(static_cast<std::size_t>(n));
        }
    }
    // Until the server closes.
    [[nodiscard]] std::string all() {
        std::string text;
        char bytes[4096];
        for (ssize_t n = 0; (n = ::recv(fd_, bytes, sizeof bytes, 0)) > 0;) text.append(bytes, static_cast<std::size_t>(n));
        return text;
    }
    // Until `part` has come.
    [[nodiscard]] bool receives(std::string_view part) {
        std::string text;
        char byte = 0;
        while (text.find(part) == std::string::npos && ::recv(fd_, &byte, 1, 0) == 1) text += byte;
        return text.find(part) != std::string::npos;
    }

private:
    int fd_;
};

std::string get(std::string_view path) {
    return "GET " + std::string{path} + " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
}

template <class To>
std::string ask(const To& to, std::string_view bytes) {
    peer p{to};
    p.send(bytes);
    return p.all();
}

// As an API key brings them: rules, in the book of a policy that has none.
std::shared_ptr<const security::rights> rights_of(const std::vector<std::string_view>& rules) {
    security::identity who{.user = "apikey:k"};
    for (const auto line : rules) who.own.push_back(*security::parse_rule(line, ""));
    return *(*security::rule_book::make({}))->rights_of(who);
}

std::string with_key(std::string_view first_line, std::string_view key, std::string_view body = "") {
    return std::string{first_line} + " HTTP/1.1\r\nHost: h\r\nConnection: close\r\nAuthorization: Bearer " + std::string{key} +
           "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string{body};
}

std::string refusal_of(admin::node& node, const std::string& socket, const std::string& http) {
    try {
        const admin_listener second{node, socket, {.address = http}};
    } catch (const std::runtime_error& e) {
        return e.what();
    }
    return "(started)";
}

} // namespace

TEST_CASE("everything on the socket, health and metrics alone on the port") {
    const scratch dir;
    test::fake_node node;
    admin_listener listener{node, dir.socket(), {.address = "127.0.0.1:0"}};
    CHECK(ask(dir.socket(), get("/api/v1/status")).starts_with("HTTP/1.1 200 "));
    CHECK(ask(listener.http_port(), get("/healthz")).starts_with("HTTP/1.1 200 "));
    CHECK(ask(listener.http_port(), get("/metrics")).starts_with("HTTP/1.1 200 "));
    const auto refused = ask(listener.http_port(), get("/api/v1/status"));
    CHECK(refused.starts_with("HTTP/1.1 403 "));
    CHECK(refused.find("brokerctl") != std::string::npos);
}

TEST_CASE("on the port an API key may what its rights say, and nothing is answered without one") {
    const scratch dir;
    test::fake_node node;
    const auto judge = [](std::string_view key) -> std::shared_ptr<const security::rights> {
        if (key == "all") return rights_of({"allow manage #"});
        if (key == "clients") return rights_of({"allow manage clients/#", "deny manage clients/secret"});
        if (key == "some") return rights_of({"allow publish out/#", "allow subscribe in/#", "allow queue_write $queue/q"});
        return nullptr;
    };
    admin_listener listener{node, dir.socket(), {.address = "127.0.0.1:0", .judge = judge}};
    const auto status = [&](std::string_view first_line, std::string_view key, std::string_view body = "") {
        return ask(listener.http_port(), with_key(first_line, key, body)).substr(9, 3);
    };
    const auto none = ask(listener.http_port(), get("/api/v1/status"));
    CHECK(none.starts_with("HTTP/1.1 401 "));
    CHECK(none.find("\r\nWWW-Authenticate: Bearer realm=\"brokerd\"\r\n") != std::string::npos);
    const auto bad = ask(listener.http_port(), with_key("GET /api/v1/status", "no"));
    CHECK(bad.starts_with("HTTP/1.1 401 "));
    CHECK(bad.find("error=\"invalid_token\"") != std::string::npos);
    CHECK(ask(listener.http_port(), "GET /api/v1/status HTTP/1.1\r\nConnection: close\r\nAuthorization: Digest x\r\n\r\n").starts_with("HTTP/1.1 401 "));
    CHECK(ask(listener.http_port(), "GET /api/v1/status HTTP/1.1\r\nConnection: close\r\nAuthorization: Basic YXBpa2V5OmFsbA==\r\n\r\n") // apikey:all
              .starts_with("HTTP/1.1 200 "));
    CHECK(status("GET /api/v1/status", "all") == "200");
    CHECK(status("DELETE /api/v1/apikeys/sensor", "all") == "200");
    CHECK(status("POST /api/v1/publish", "all", R"({"destination": "any"})") == "200");

    CHECK(status("GET /api/v1/clients", "clients") == "200");
    CHECK(status("GET /api/v1/status", "clients") == "403");
    CHECK(status("DELETE /api/v1/clients/secret", "clients") == "403");
    CHECK(status("DELETE /api/v1/clients/s%65cret", "clients") == "403");
    CHECK(status("POST /api/v1/publish", "clients", R"({"destination": "any"})") == "403");

    CHECK(status("GET /api/v1/clients", "some") == "403");
    CHECK(status("POST /api/v1/apikeys", "some", R"({"name": "x", "scopes": ["manage"]})") == "403");
    CHECK(status("POST /api/v1/publish", "some", R"({"destination": "out/a"})") == "200");
    CHECK(status("POST /api/v1/publish", "some", R"({"destination": "/queue/q"})") == "200");
    CHECK(status("POST /api/v1/publish", "some", R"({"destination": "out/a", "retain": true})") == "403");
    CHECK(status("POST /api/v1/publish", "some", R"({"destination": "in/a"})") == "403");
    CHECK(status("POST /api/v1/publish", "some", R"({"destination": "out/#"})") == "403");
    CHECK(status("GET /api/v1/publish", "some") == "403");
    CHECK(status("GET /api/v1/stream?topic=in/%2B", "some") == "409"); // the node's own answer
    CHECK(status("GET /api/v1/stream?topic=in/a&topic=out/a", "some") == "403");
    CHECK(status("GET /api/v1/stream?topic=%23", "some") == "403");
    CHECK(status("GET /api/v1/stream?topic=a%23", "some") == "400");
    CHECK(status("GET /healthz", "no") == "200");
}

TEST_CASE("an address whose keys are not good is told to wait; good ones are served all the same") {
    const scratch dir;
    test::fake_node node;
    admin_listener listener{node, dir.socket(), {.address = "127.0.0.1:0", .judge = [](std::string_view key) {
        return key == "good" ? rights_of({"allow manage #"}) : nullptr;
    }}};
    for (unsigned i = 0; i != failed_attempts::most; ++i) CHECK(ask(listener.http_port(), with_key("GET /api/v1/status", "bad")).starts_with("HTTP/1.1 401 "));
    const auto later = ask(listener.http_port(), with_key("GET /api/v1/status", "bad"));
    CHECK(later.starts_with("HTTP/1.1 429 "));
    CHECK(later.find("\r\nRetry-After: 60\r\n") != std::string::npos);
    CHECK(ask(listener.http_port(), with_key("GET /api/v1/status", "good")).starts_with("HTTP/1.1 200 "));
}

TEST_CASE("keys are not taken where others could read them") {
    const scratch dir;
    test::fake_node node;
    const auto judge = [](std::string_view) { return rights_of({"allow manage #"}); };
    admin_listener listener{node, dir.socket(), {.address = "0.0.0.0:0", .judge = judge}};
    const auto refused = ask(listener.http_port(), with_key("GET /api/v1/status", "good"));
    CHECK(refused.starts_with("HTTP/1.1 403 "));
    CHECK(refused.find("admin.tls_cert") != std::string::npos);
    CHECK(ask(listener.http_port(), get("/metrics")).starts_with("HTTP/1.1 200 "));
}

TEST_CASE("every answer has what keeps a browser from making more of it") {
    const scratch dir;
    test::fake_node node;
    admin_listener listener{node, dir.socket(), {.address = "127.0.0.1:0"}};
    for (const auto& text : {ask(dir.socket(), get("/api/v1/status")), ask(dir.socket(), get("/nothing")), ask(listener.http_port(), get("/metrics")),
                             ask(listener.http_port(), get("/api/v1/status")), ask(dir.socket(), "x\r\n\r\n")}) {
        CAPTURE(text);
        for (const auto* const line : {"X-Content-Type-Options: nosniff", "Cache-Control: no-store", "Content-Security-Policy: default-src 'none'",
                                       "Referrer-Policy: no-referrer", "X-Frame-Options: DENY"}) {
            CHECK(text.find(std::string{"\r\n"} + line) != std::string::npos);
        }
        CHECK(text.find("Strict-Transport-Security") == std::string::npos);
    }
}

TEST_CASE("failed_attempts: so many of an address within a minute, and so many addresses") {
    failed_attempts of;
    time_point now = from_epoch_ms(1'000'000);
    for (unsigned i = 0; i != failed_attempts::most; ++i) CHECK(of.count("a", now));
    CHECK_FALSE(of.count("a", now));
    CHECK(of.count("b", now));
    now += failed_attempts::window;
    CHECK(of.count("a", now));
    CHECK(of.size() == 1);
    for (std::size_t i = 0; i != failed_attempts::addresses_max + 10; ++i) CHECK(of.count(std::to_string(i), now + milliseconds{1}));
    CHECK(of.size() == failed_attempts::addresses_max);
}

TEST_CASE("the socket is its owner's alone") {
    const scratch dir;
    test::fake_node node;
    const admin_listener listener{node, dir.socket(), {}};
    struct stat s{};
    REQUIRE(::stat(dir.socket().c_str(), &s) == 0);
    CHECK((s.st_mode & 0777) == 0600);
    CHECK(listener.http_port() == 0);
}

TEST_CASE("requests in one go are answered in order on one connection; cut anywhere they are the same") {
    const scratch dir;
    test::fake_node node;
    const admin_listener listener{node, dir.socket(), {}};
    const auto both = "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n" + get("/api/v1/nothing");
    const auto text = ask(dir.socket(), both);
    CHECK(text.starts_with("HTTP/1.1 200 "));
    CHECK(text.find("HTTP/1.1 404 ") != std::string::npos);
    peer p{dir.socket()};
    for (const char c : both) p.send({&c, 1});
    CHECK(p.all() == text);
}

TEST_CASE("what is no request, or too large, is refused with its status") {
    const scratch dir;
    test::fake_node node;
    const admin_listener listener{node, dir.socket(), {}};
    CHECK(ask(dir.socket(), "\x16\x03\x01 hello\r\n\r\n").starts_with("HTTP/1.1 400 "));
    CHECK(ask(dir.socket(), "GET / HTTP/1.1\r\nX: " + std::string(20'000, 'x') + "\r\n\r\n").starts_with("HTTP/1.1 431 "));
    CHECK(ask(dir.socket(), "POST /api/v1/publish HTTP/1.1\r\nHost: h\r\nContent-Length: 6000000\r\n\r\n" + std::string(100'000, 'x'))
              .starts_with("HTTP/1.1 413 "));
}

TEST_CASE("RFC 9110 §10.1.1: a client that asks before it sends its body is told to go on") {
    const scratch dir;
    test::fake_node node;
    const admin_listener listener{node, dir.socket(), {}};
    peer p{dir.socket()};
    p.send("POST /api/v1/publish HTTP/1.1\r\nHost: h\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 19\r\n\r\n");
    CHECK(p.receives("HTTP/1.1 100 Continue\r\n\r\n"));
    p.send(R"({"destination":"a"})");
    CHECK(p.all().starts_with("HTTP/1.1 200 "));
    CHECK(node.published.size() == 1);
}

TEST_CASE("too many clients on the port do not lock out the socket") {
    const scratch dir;
    test::fake_node node;
    admin_listener listener{node, dir.socket(), {.address = "127.0.0.1:0"}};
    std::vector<std::unique_ptr<peer>> flood;
    for (int i = 0; i != 32; ++i) flood.push_back(std::make_unique<peer>(listener.http_port()));
    CHECK(ask(listener.http_port(), get("/healthz")).starts_with("HTTP/1.1 503 "));
    CHECK(ask(dir.socket(), get("/api/v1/status")).starts_with("HTTP/1.1 200 "));
}

TEST_CASE("a start that fails says what, where and what to do, and leaves nothing behind") {
    const scratch dir;
    test::fake_node node;
    {
        admin_listener first{node, dir.socket(), {.address = "127.0.0.1:0"}};
        CHECK(refusal_of(node, dir.socket(), "off") ==
              "admin socket " + dir.socket() + ": another brokerd answers there; choose another with --admin-socket");
        CHECK(ask(dir.socket(), get("/healthz")).starts_with("HTTP/1.1 200 ")); // the first one's socket is untouched
        const auto busy = "127.0.0.1:" + std::to_string(first.http_port());
        CHECK(refusal_of(node, dir.socket() + "2", busy) ==
              "admin http " + busy + ": Address already in use; choose another with --admin-http, or --admin-http off");
        CHECK(!std::filesystem::exists(dir.socket() + "2"));
    }
    CHECK(refusal_of(node, dir.socket(), "nonsense").find("not HOST:PORT") != std::string::npos);
    CHECK(refusal_of(node, "/tmp/" + std::string(200, 'x'), "off").find("the path is longer than") != std::string::npos);
}

TEST_CASE("a socket left by a crash is replaced") {
    const scratch dir;
    test::fake_node node;
    const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un at{};
    at.sun_family = AF_UNIX;
    dir.socket().copy(at.sun_path, sizeof at.sun_path - 1);
    REQUIRE(::bind(fd, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0);
    ::close(fd);
    const admin_listener listener{node, dir.socket(), {}};
    CHECK(ask(dir.socket(), get("/healthz")).starts_with("HTTP/1.1 200 "));
}

TEST_CASE("over TLS the port answers the same, and a client that speaks plain HTTP is not answered") {
    const scratch dir;
    test::fake_node node;
    const test::certificate_directory certificates;
    const auto made = test::self_signed({});
    const auto endpoint = std::make_shared<tls_endpoint>(
        "admin", tls_settings{.certificates = {{.cert = certificates.write("a.pem", made.cert_pem), .key = certificates.write("a.key", made.key_pem)}}});
    REQUIRE(endpoint->load());
    const auto judge = [](std::string_view key) { return key == "good" ? rights_of({"allow manage #"}) : nullptr; };
    admin_listener listener{node, dir.socket(), {.address = "0.0.0.0:0", .tls = endpoint, .judge = judge}};
    const auto by_tls = [&](const std::string& bytes) {
        auto* const context = SSL_CTX_new(TLS_client_method());
        const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(listener.http_port());
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        REQUIRE(::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
        auto* const ssl = SSL_new(context);
        SSL_set_fd(ssl, fd);
        REQUIRE(SSL_connect(ssl) == 1);
        REQUIRE(SSL_write(ssl, bytes.data(), static_cast<int>(bytes.size())) == static_cast<int>(bytes.size()));
        std::string text;
        char some[4096];
        for (int n = 0; (n = SSL_read(ssl, some, sizeof some)) > 0;) text.append(some, static_cast<std::size_t>(n));
        CHECK(SSL_get_shutdown(ssl) == SSL_RECEIVED_SHUTDOWN); // cut off is something else
        SSL_free(ssl);
        SSL_CTX_free(context);
        ::close(fd);
        return text;
    };
    const auto answered = by_tls(with_key("GET /api/v1/status", "good"));
    CHECK(answered.starts_with("HTTP/1.1 200 "));
    CHECK(answered.find("\r\nStrict-Transport-Security: max-age=31536000\r\n") != std::string::npos);
    CHECK(by_tls(with_key("POST /api/v1/publish", "good", R"({"destination": "a", "payload": ")" + std::string(100'000, 'x') + "\"}")).starts_with("HTTP/1.1 200 "));
    CHECK(node.published.size() == 1);
    CHECK(by_tls(get("/metrics")).starts_with("HTTP/1.1 200 "));
    CHECK(by_tls("nonsense\r\n\r\n").starts_with("HTTP/1.1 400 "));
    CHECK(ask(listener.http_port(), get("/metrics")).empty());
    CHECK(ask(dir.socket(), get("/metrics")).starts_with("HTTP/1.1 200 "));
}

TEST_CASE("stop() does not wait for an idle client") {
    const scratch dir;
    test::fake_node node;
    admin_listener listener{node, dir.socket(), {}};
    peer idle{dir.socket()};
    idle.send("GET /healthz HTTP/1.1\r\nHost: h\r\n\r\nGET /half");
    REQUIRE(idle.receives("200"));
    const auto start = std::chrono::steady_clock::now();
    listener.stop();
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds{2});
    CHECK(!std::filesystem::exists(dir.socket()));
}
