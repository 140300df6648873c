// The admin API over real sockets: a Unix socket for everything, a TCP port for health and metrics.
#include "net/admin_listener.hpp"
#include "support/fake_node.hpp"

#include <doctest/doctest.h>

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

std::string refusal_of(admin::node& node, const std::string& socket, const std::string& http) {
    try {
        const admin_listener second{node, socket, http};
    } catch (const std::runtime_error& e) {
        return e.what();
    }
    return "(started)";
}

} // namespace

TEST_CASE("everything on the socket, health and metrics alone on the port") {
    const scratch dir;
    test::fake_node node;
    admin_listener listener{node, dir.socket(), "127.0.0.1:0"};
    CHECK(ask(dir.socket(), get("/api/v1/status")).starts_with("HTTP/1.1 200 "));
    CHECK(ask(listener.http_port(), get("/healthz")).starts_with("HTTP/1.1 200 "));
    CHECK(ask(listener.http_port(), get("/metrics")).starts_with("HTTP/1.1 200 "));
    const auto refused = ask(listener.http_port(), get("/api/v1/status"));
    CHECK(refused.starts_with("HTTP/1.1 403 "));
    CHECK(refused.find("brokerctl") != std::string::npos);
}

TEST_CASE("the socket is its owner's alone") {
    const scratch dir;
    test::fake_node node;
    const admin_listener listener{node, dir.socket(), "off"};
    struct stat s{};
    REQUIRE(::stat(dir.socket().c_str(), &s) == 0);
    CHECK((s.st_mode & 0777) == 0600);
    CHECK(listener.http_port() == 0);
}

TEST_CASE("requests in one go are answered in order on one connection; cut anywhere they are the same") {
    const scratch dir;
    test::fake_node node;
    const admin_listener listener{node, dir.socket(), "off"};
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
    const admin_listener listener{node, dir.socket(), "off"};
    CHECK(ask(dir.socket(), "\x16\x03\x01 hello\r\n\r\n").starts_with("HTTP/1.1 400 "));
    CHECK(ask(dir.socket(), "GET / HTTP/1.1\r\nX: " + std::string(20'000, 'x') + "\r\n\r\n").starts_with("HTTP/1.1 431 "));
    CHECK(ask(dir.socket(), "POST /api/v1/publish HTTP/1.1\r\nHost: h\r\nContent-Length: 6000000\r\n\r\n" + std::string(100'000, 'x'))
              .starts_with("HTTP/1.1 413 "));
}

TEST_CASE("RFC 9110 §10.1.1: a client that asks before it sends its body is told to go on") {
    const scratch dir;
    test::fake_node node;
    const admin_listener listener{node, dir.socket(), "off"};
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
    admin_listener listener{node, dir.socket(), "127.0.0.1:0"};
    std::vector<std::unique_ptr<peer>> flood;
    for (int i = 0; i != 32; ++i) flood.push_back(std::make_unique<peer>(listener.http_port()));
    CHECK(ask(listener.http_port(), get("/healthz")).starts_with("HTTP/1.1 503 "));
    CHECK(ask(dir.socket(), get("/api/v1/status")).starts_with("HTTP/1.1 200 "));
}

TEST_CASE("a start that fails says what, where and what to do, and leaves nothing behind") {
    const scratch dir;
    test::fake_node node;
    {
        admin_listener first{node, dir.socket(), "127.0.0.1:0"};
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
    const admin_listener listener{node, dir.socket(), "off"};
    CHECK(ask(dir.socket(), get("/healthz")).starts_with("HTTP/1.1 200 "));
}

TEST_CASE("stop() does not wait for an idle client") {
    const scratch dir;
    test::fake_node node;
    admin_listener listener{node, dir.socket(), "off"};
    peer idle{dir.socket()};
    idle.send("GET /healthz HTTP/1.1\r\nHost: h\r\n\r\nGET /half");
    REQUIRE(idle.receives("200"));
    const auto start = std::chrono::steady_clock::now();
    listener.stop();
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds{2});
    CHECK(!std::filesystem::exists(dir.socket()));
}
