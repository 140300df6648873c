#include "net/listener.hpp"

#include "net/tls_endpoint.hpp"

#include <utility>

#include <fmt/format.h>

#include <sys/socket.h>

namespace broker {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

constexpr auto pause_after_error = std::chrono::milliseconds{100};
constexpr auto pause_for_handshakes = std::chrono::milliseconds{10};

tcp::endpoint endpoint_of(const listener_address& at) {
    boost::system::error_code ec;
    const auto address = asio::ip::make_address(at.host == "localhost" ? "127.0.0.1" : at.host, ec);
    if (ec) {
        throw start_error{fmt::format("listener {}: {} is not an IP address; write 127.0.0.1, 0.0.0.0 or [::1]",
                                      at.name, at.host)};
    }
    return {address, at.port};
}

[[noreturn]] void cannot_bind(const listener_address& at, const boost::system::error_code& ec) {
    if (ec == asio::error::address_in_use) {
        throw start_error{fmt::format("listener {}: {} is in use by another process; stop it (ss -ltnp 'sport = :{}') "
                                      "or choose another port",
                                      at.name, url(at), at.port)};
    }
    throw start_error{fmt::format("listener {}: cannot listen on {}: {}", at.name, url(at), ec.message())};
}

// Binds the socket. `shared`: with SO_REUSEPORT.
void bind(tcp::acceptor& acceptor, const listener_address& at, bool shared) {
    const auto endpoint = endpoint_of(at);
    boost::system::error_code ec;
    acceptor.open(endpoint.protocol(), ec);
    if (!ec) acceptor.set_option(tcp::acceptor::reuse_address{true}, ec);
    if (!ec && shared) {
        const int on = 1;
        if (::setsockopt(acceptor.native_handle(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0) {
            ec = {errno, boost::system::system_category()};
        }
    }
    if (!ec) acceptor.bind(endpoint, ec);
    if (ec) cannot_bind(at, ec);
}

} // namespace

std::string url(const listener_address& at) {
    const bool v6 = at.host.find(':') != std::string::npos;
    return fmt::format("{}://{}{}{}:{}", scheme(at.kind, at.over_tls), v6 ? "[" : "", at.host, v6 ? "]" : "", at.port);
}

void probe(listener_address& at) {
    asio::io_context io;
    tcp::acceptor alone{io};
    bind(alone, at, false); // and never listens: who connected now would be reset in a moment
    at.port = alone.local_endpoint().port();
}

listener::listener(shard& on, const listener_address& at, const listener_info& info,
                   connection_environment& environment)
    : shard_{on}, info_{info}, environment_{environment}, acceptor_{on.io()}, pause_{on.io()} {
    bind(acceptor_, at, true);
    boost::system::error_code ec;
    acceptor_.listen(tcp::acceptor::max_listen_connections, ec);
    if (ec) cannot_bind(at, ec);
    acceptor_.non_blocking(true);
    accept();
}

listener::~listener() {
    *alive_ = false;
    if (stuck_) environment_.door.accepts_again();
}

void listener::stop() {
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    pause_.cancel();
}

void listener::accept() {
    acceptor_.async_wait(tcp::acceptor::wait_read, [this, alive = alive_](boost::system::error_code ec) {
        if (!ec && *alive) accept_waiting();
    });
}

void listener::accept_waiting() {
    shard_.refresh_now();
    // As many as wait, within reason: a connection storm must not starve the connected.
    for (int i = 0; i != 64; ++i) {
        boost::system::error_code ec;
        if (const auto next = environment_.door.next_accept(); next > shard_.now()) return pause(next - shard_.now());
        if (info_.tls && info_.tls->handshakes_under_way() >= shard_.bounds().tls_handshakes_max) return pause(pause_for_handshakes);
        tcp::endpoint peer;
        auto size = static_cast<socklen_t>(peer.capacity());
        const int socket = ::accept4(acceptor_.native_handle(), peer.data(), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (socket < 0) ec = {errno, boost::system::system_category()};
        else peer.resize(size);
        if (ec == asio::error::connection_aborted) continue;
        if (ec == asio::error::would_block) {
            if (std::exchange(stuck_, false)) environment_.door.accepts_again();
            break;
        }
        if (ec) { // out of descriptors: wait instead of spinning
            if (!std::exchange(stuck_, true)) environment_.door.accept_failed(info_.name, ec.message());
            return pause(pause_after_error);
        }
        environment_.door.accepted(shard_.now());
        open_connection(shard_, socket, peer, info_, environment_);
    }
    accept();
}

void listener::pause(nanoseconds time) {
    pause_.expires_after(time);
    pause_.async_wait([this, alive = alive_](boost::system::error_code stopped) {
        if (!stopped && *alive) accept_waiting();
    });
}

} // namespace broker
