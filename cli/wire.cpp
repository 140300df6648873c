#include "cli/wire.hpp"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <cerrno>
#include <system_error>

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace broker::cli {

namespace {

int connect_to_socket(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) throw unreachable{fmt::format("{}: the path is too long", path)};
    path.copy(address.sun_path, path.size());
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        const auto why = std::generic_category().message(errno);
        ::close(fd);
        throw unreachable{fmt::format("no broker answers on {}: {}; start it (./dev run, or systemctl start brokerd), or name "
                                      "its socket with --socket or BROKERCTL_SOCKET", path, why)};
    }
    return fd;
}

int connect_to_port(const std::string& host, const std::string& port) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (const int wrong = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found); wrong != 0) {
        throw unreachable{fmt::format("{}: {}", host, ::gai_strerror(wrong))};
    }
    std::string why;
    for (const auto* a = found; a != nullptr; a = a->ai_next) {
        const int fd = ::socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd >= 0 && ::connect(fd, a->ai_addr, a->ai_addrlen) == 0) {
            ::freeaddrinfo(found);
            return fd;
        }
        why = std::generic_category().message(errno);
        if (fd >= 0) ::close(fd);
    }
    ::freeaddrinfo(found);
    throw unreachable{fmt::format("no broker answers on {}:{}: {}", host, port, why)};
}

} // namespace

endpoint endpoint_of(const std::string& url, const std::string& ca) {
    endpoint made{.ca = ca};
    auto rest = std::string_view{url};
    made.tls = rest.starts_with("https://");
    if (!made.tls && !rest.starts_with("http://")) throw std::runtime_error{fmt::format("--url {}: write http://HOST:PORT or https://HOST:PORT", url)};
    rest.remove_prefix(made.tls ? 8 : 7);
    if (rest.ends_with('/')) rest.remove_suffix(1);
    const auto colon = rest.rfind(':');
    if (colon == std::string_view::npos || colon + 1 == rest.size() || rest.contains('/')) {
        throw std::runtime_error{fmt::format("--url {}: write http://HOST:PORT or https://HOST:PORT", url)};
    }
    made.host = rest.substr(0, colon);
    made.port = rest.substr(colon + 1);
    if (made.host.starts_with('[') && made.host.ends_with(']')) made.host = made.host.substr(1, made.host.size() - 2);
    return made;
}

wire::wire(const endpoint& to) : fd_{to.socket.empty() ? connect_to_port(to.host, to.port) : connect_to_socket(to.socket)} {
    if (!to.tls) return;
    try {
        shake_hands(to);
    } catch (...) {
        SSL_free(ssl_);
        SSL_CTX_free(context_);
        ::close(fd_);
        throw;
    }
}

wire::~wire() {
    SSL_free(ssl_);
    SSL_CTX_free(context_);
    ::close(fd_);
}

ssl_ctx_st* tls_trusting(const std::string& ca) {
    auto* const context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    if ((ca.empty() ? SSL_CTX_set_default_verify_paths(context) : SSL_CTX_load_verify_locations(context, ca.c_str(), nullptr)) != 1) {
        SSL_CTX_free(context);
        throw std::runtime_error{fmt::format("--ca {}: no certificates can be read from it", ca)};
    }
    return context;
}

ssl_st* tls_expecting(ssl_ctx_st* context, const std::string& host) {
    auto* const made = SSL_new(context);
    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(made), host.c_str()) != 1) {
        SSL_set1_host(made, host.c_str());
        SSL_ctrl(made, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, const_cast<char*>(host.c_str()));
    }
    return made;
}

std::string why_tls_failed(ssl_st* handshake) {
    const auto verified = SSL_get_verify_result(handshake);
    if (verified != X509_V_OK && SSL_get_verify_mode(handshake) != SSL_VERIFY_NONE) return fmt::format("its certificate: {}; trust it with --ca FILE", X509_verify_cert_error_string(verified));
    const auto* const reason = ERR_reason_error_string(ERR_peek_error());
    return reason == nullptr ? "TLS failed" : reason;
}

void wire::shake_hands(const endpoint& to) {
    context_ = tls_trusting(to.ca);
    ssl_ = tls_expecting(context_, to.host);
    SSL_set_fd(ssl_, fd_);
    if (SSL_connect(ssl_) != 1) throw unreachable{fmt::format("https://{}:{}: {}", to.host, to.port, why_tls_failed(ssl_))};
}

void wire::send(std::string_view bytes) {
    while (!bytes.empty()) {
        std::size_t size = 0;
        if (ssl_ != nullptr) {
            if (SSL_write_ex(ssl_, bytes.data(), bytes.size(), &size) != 1) throw unreachable{"the broker closed the connection"};
        } else {
            const auto sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent <= 0) throw unreachable{"the broker closed the connection"};
            size = static_cast<std::size_t>(sent);
        }
        bytes.remove_prefix(size);
    }
}

std::optional<std::size_t> wire::receive(std::span<char> to, std::chrono::milliseconds patience) {
    pollfd p{.fd = fd_, .events = POLLIN, .revents = 0};
    if ((ssl_ == nullptr || SSL_pending(ssl_) == 0) && ::poll(&p, 1, static_cast<int>(patience.count())) <= 0) return std::nullopt;
    if (ssl_ != nullptr) {
        std::size_t size = 0;
        return SSL_read_ex(ssl_, to.data(), to.size(), &size) == 1 ? size : 0;
    }
    const auto got = ::recv(fd_, to.data(), to.size(), 0);
    return got > 0 ? static_cast<std::size_t>(got) : 0;
}

} // namespace broker::cli
