#include "cli/bench/stream.hpp"

#include "cli/wire.hpp"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

namespace broker::cli::bench {

namespace {

std::string text_of(int error) { return std::generic_category().message(error); }

} // namespace

address resolve(const std::string& host, const std::string& port) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (const int wrong = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found); wrong != 0) {
        throw unreachable{fmt::format("{}:{}: {}", host, port, ::gai_strerror(wrong))};
    }
    address made{.host = host, .size = found->ai_addrlen};
    std::memcpy(&made.at, found->ai_addr, found->ai_addrlen);
    ::freeaddrinfo(found);
    return made;
}

stream::stream(const address& to) : fd_{::socket(to.at.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)} {
    if (fd_ < 0) {
        why_ = text_of(errno);
        return;
    }
    const int on = 1;
    (void)::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&to.at), to.size) != 0 && errno != EINPROGRESS) why_ = text_of(errno);
    if (to.tls == nullptr) return;
    ssl_ = tls_expecting(to.tls, to.host);
    SSL_set_fd(ssl_, fd_);
    SSL_set_connect_state(ssl_);
    SSL_set_mode(ssl_, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
}

stream::~stream() {
    SSL_free(ssl_);
    if (fd_ >= 0) ::close(fd_);
}

stream::state stream::advance() {
    if (!why_.empty()) return state::failed;
    if (!connected_) {
        int error = 0;
        socklen_t size = sizeof error;
        (void)::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
        sockaddr_storage peer{};
        size = sizeof peer;
        if (error == 0 && ::getpeername(fd_, reinterpret_cast<sockaddr*>(&peer), &size) != 0) return state::wants_write;
        // Without a listener a socket may get the port it asks for as its own, and be connected with itself.
        sockaddr_storage own{};
        size = sizeof own;
        if (error == 0 && ::getsockname(fd_, reinterpret_cast<sockaddr*>(&own), &size) == 0 && std::memcmp(&own, &peer, size) == 0) {
            error = ECONNREFUSED;
        }
        if (error != 0) {
            why_ = text_of(error);
            return state::failed;
        }
        connected_ = true;
    }
    if (ssl_ == nullptr) return state::open;
    ERR_clear_error();
    const int result = SSL_do_handshake(ssl_);
    if (result == 1) return state::open;
    switch (SSL_get_error(ssl_, result)) {
    case SSL_ERROR_WANT_READ: return state::wants_read;
    case SSL_ERROR_WANT_WRITE: return state::wants_write;
    default: why_ = why_tls_failed(ssl_); return state::failed;
    }
}

std::ptrdiff_t stream::outcome(int result) {
    switch (SSL_get_error(ssl_, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE: return 0;
    case SSL_ERROR_SSL: why_ = why_tls_failed(ssl_); return -1;
    default: why_ = "it ended the connection"; return -1;
    }
}

std::ptrdiff_t stream::read(std::span<char> to) {
    if (ssl_ != nullptr) {
        ERR_clear_error();
        std::size_t size = 0;
        const int result = SSL_read_ex(ssl_, to.data(), to.size(), &size);
        return result == 1 ? static_cast<std::ptrdiff_t>(size) : outcome(result);
    }
    const auto got = ::recv(fd_, to.data(), to.size(), 0);
    if (got > 0) return got;
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
    why_ = got == 0 ? "it ended the connection" : text_of(errno);
    return -1;
}

std::ptrdiff_t stream::write(std::string_view bytes) {
    if (ssl_ != nullptr) {
        ERR_clear_error();
        std::size_t size = 0;
        const int result = SSL_write_ex(ssl_, bytes.data(), bytes.size(), &size);
        return result == 1 ? static_cast<std::ptrdiff_t>(size) : outcome(result);
    }
    const auto sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent >= 0) return sent;
    if (errno == EAGAIN || errno == EINTR) return 0;
    why_ = text_of(errno);
    return -1;
}

void stream::shut_down() {
    if (ssl_ != nullptr) (void)SSL_shutdown(ssl_);
    (void)::shutdown(fd_, SHUT_WR);
}

} // namespace broker::cli::bench
