// Addresses are tried before the server serves.
#include "conformance/peer.hpp"
#include "net/listener.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <thread>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace broker;

namespace {

listener_address loopback(std::uint16_t port) { return {.name = "test", .kind = listener_kind::mqtt, .host = "127.0.0.1", .port = port}; }

} // namespace

TEST_CASE("listener: an address that is tried accepts nobody, who would be reset in a moment") {
    auto at = loopback(0);
    probe(at);
    const auto port = at.port; // probe() writes it each time
    REQUIRE(port != 0);
    std::atomic<bool> stop{false};
    std::atomic<unsigned> attempts{0};
    std::atomic<unsigned> accepted{0};
    std::thread client{[&] {
        for (; !stop; ++attempts) {
            if (test::peer::answers(port)) ++accepted;
        }
    }};
    while (attempts < 2'000) probe(at);
    stop = true;
    client.join();
    CHECK(accepted == 0);
}

TEST_CASE("listener: an address somebody listens on is refused, also if they would share it") {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    sockaddr_in own{};
    own.sin_family = AF_INET;
    own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof own;
    REQUIRE(::bind(fd, reinterpret_cast<const sockaddr*>(&own), size) == 0);
    REQUIRE(::listen(fd, 1) == 0);
    REQUIRE(::getsockname(fd, reinterpret_cast<sockaddr*>(&own), &size) == 0);
    auto at = loopback(ntohs(own.sin_port));
    CHECK_THROWS_AS(probe(at), start_error);
    ::close(fd);
}
