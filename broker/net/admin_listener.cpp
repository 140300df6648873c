#include "net/admin_listener.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <stdexcept>
#include <utility>

#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace broker {

namespace http = boost::beast::http;

namespace {

constexpr int poll_ms = 200;                // how soon a stop is noticed
constexpr int request_within_ms = 10'000;
constexpr int linger_ms = 1'000;            // for the rest of a request that was refused
constexpr std::uint32_t header_bytes_max = 16 * 1024;
constexpr std::uint64_t body_bytes_max = 5 * 1024 * 1024;

sockaddr_un unix_address(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) {
        throw std::runtime_error{fmt::format("admin socket {}: the path is longer than {} bytes; choose a shorter one with "
                                             "--admin-socket", path, sizeof address.sun_path - 1)};
    }
    path.copy(address.sun_path, path.size());
    return address;
}

admin::request request_of(std::string_view method, std::string_view target, std::string body) {
    admin::request r{.method = std::string{method}, .body = std::move(body)};
    const auto question = target.find('?');
    r.path = target.substr(0, question);
    for (auto rest = question == std::string_view::npos ? "" : target.substr(question + 1); !rest.empty();) {
        const auto end = rest.find('&');
        const auto pair = rest.substr(0, end);
        const auto equals = pair.find('=');
        r.query.emplace(admin::decode_percent(pair.substr(0, equals), true),
                        equals == std::string_view::npos ? "" : admin::decode_percent(pair.substr(equals + 1), true));
        rest = end == std::string_view::npos ? "" : rest.substr(end + 1);
    }
    return r;
}

bool send_all(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const auto sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent <= 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
}

std::string encode(const admin::response& r, bool keep_alive) {
    return fmt::format("HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: {}\r\n\r\n{}", r.status,
                       std::string_view{http::obsolete_reason(static_cast<http::status>(r.status))}, r.content_type,
                       r.body.size(), keep_alive ? "keep-alive" : "close", r.body);
}

} // namespace

admin_listener::admin_listener(admin::node& on, std::string socket_path, const std::string& http_address, std::size_t clients_max)
    : node_{on}, clients_max_{clients_max}, socket_path_{std::move(socket_path)} {
    try {
        open_socket();
        if (http_address != "off") open_http(http_address);
    } catch (...) {
        close_sockets();
        throw;
    }
    acceptor_ = std::thread{[this] { accept_all(); }};
}

admin_listener::~admin_listener() { stop(); }

void admin_listener::open_socket() {
    const auto address = unix_address(socket_path_);
    const auto* const generic = reinterpret_cast<const sockaddr*>(&address);
    const auto refuse = [&](std::string_view why) {
        throw std::runtime_error{fmt::format("admin socket {}: {}; choose another with --admin-socket", socket_path_, why)};
    };
    std::error_code ec;
    if (const auto parent = std::filesystem::path{socket_path_}.parent_path(); !parent.empty()) {
        std::filesystem::create_directories(parent, ec);
    }
    socket_fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::connect(socket_fd_, generic, sizeof address) == 0) refuse("another brokerd answers there");
    ::close(std::exchange(socket_fd_, -1));
    if (std::filesystem::is_socket(socket_path_, ec)) std::filesystem::remove(socket_path_, ec); // left by a crash
    socket_fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const auto mask = ::umask(0177); // 0600 from the first moment
    const bool bound = ::bind(socket_fd_, generic, sizeof address) == 0;
    const int why = errno;
    ::umask(mask);
    socket_bound_ = bound;
    if (!bound || ::listen(socket_fd_, 16) != 0) refuse(std::generic_category().message(why));
}

void admin_listener::open_http(const std::string& address) {
    const auto colon = address.rfind(':');
    auto host = address.substr(0, colon);
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    addrinfo hints{};
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (colon == std::string::npos || ::getaddrinfo(host.c_str(), address.substr(colon + 1).c_str(), &hints, &found) != 0) {
        throw std::runtime_error{fmt::format("admin http {}: not HOST:PORT, as in 127.0.0.1:18083", address)};
    }
    http_fd_ = ::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    (void)::setsockopt(http_fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const bool bound = ::bind(http_fd_, found->ai_addr, found->ai_addrlen) == 0 && ::listen(http_fd_, 64) == 0;
    const int why = errno;
    ::freeaddrinfo(found);
    if (!bound) {
        throw std::runtime_error{fmt::format("admin http {}: {}; choose another with --admin-http, or --admin-http off",
                                             address, std::generic_category().message(why))};
    }
}

std::uint16_t admin_listener::http_port() const {
    sockaddr_storage bound{};
    socklen_t size = sizeof bound;
    if (http_fd_ < 0 || ::getsockname(http_fd_, reinterpret_cast<sockaddr*>(&bound), &size) != 0) return 0;
    // The port is at the same place in both families.
    return ntohs(reinterpret_cast<const sockaddr_in*>(&bound)->sin_port);
}

void admin_listener::accept_all() {
    while (!stopping_) {
        pollfd ready[2] = {{.fd = socket_fd_, .events = POLLIN, .revents = 0}, {.fd = http_fd_, .events = POLLIN, .revents = 0}};
        const int found = ::poll(ready, http_fd_ < 0 ? 1 : 2, poll_ms);
        reap(false);
        if (found <= 0) continue;
        for (const auto& r : ready) {
            if ((r.revents & POLLIN) == 0) continue;
            const int fd = ::accept4(r.fd, nullptr, nullptr, SOCK_CLOEXEC);
            if (fd >= 0) {
                admit(fd, r.fd == socket_fd_);
            } else {
                (void)::poll(nullptr, 0, poll_ms); // out of descriptors: the client stays readable, do not spin
            }
        }
    }
}

void admin_listener::admit(int fd, bool local) {
    const timeval patience{.tv_sec = request_within_ms / 1000, .tv_usec = 0}; // a client that does not read
    (void)::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    const std::lock_guard lock{mutex_};
    if (std::ranges::count(clients_, local, &client::local) >= static_cast<std::ptrdiff_t>(clients_max_)) {
        (void)send_all(fd, encode(admin::problem(503, "overload", "too many admin connections"), false));
        ::close(fd);
        return;
    }
    auto& c = clients_.emplace_back();
    c.fd = fd;
    c.local = local;
    c.thread = std::thread{[this, &c] {
        serve(c.fd, c.local);
        (void)::shutdown(c.fd, SHUT_RDWR); // the peer sees the end now, the descriptor is closed when it is reaped
        c.done = true;
    }};
}

void admin_listener::serve(int fd, bool everything) {
    std::string buffer;
    // The answer must arrive although the rest of the request is not wanted: closing over unread input would reset.
    const auto refuse = [fd](const admin::response& why) {
        if (!send_all(fd, encode(why, false)) || ::shutdown(fd, SHUT_WR) != 0) return;
        char ignored[16 * 1024];
        pollfd p{.fd = fd, .events = POLLIN, .revents = 0};
        for (int waited = 0; waited < linger_ms && ::poll(&p, 1, linger_ms) > 0; ++waited) {
            if (::recv(fd, ignored, sizeof ignored, 0) <= 0) return;
        }
    };
    for (bool keep_alive = true; keep_alive && !stopping_;) {
        http::request_parser<http::string_body> parser;
        parser.eager(true);
        parser.header_limit(header_bytes_max);
        parser.body_limit(body_bytes_max);
        boost::system::error_code ec;
        bool continued = false;
        for (int waited = 0; !parser.is_done();) {
            if (!buffer.empty()) {
                const auto used = parser.put(boost::asio::buffer(buffer), ec);
                buffer.erase(0, used);
                if (ec == http::error::header_limit) return refuse(admin::problem(431, "too_big", "headers are limited to 16 KiB"));
                if (ec == http::error::body_limit) return refuse(admin::problem(413, "too_big", "a body is limited to 5 MiB"));
                if (ec && ec != http::error::need_more) {
                    return refuse(admin::problem(400, "invalid", "not an HTTP request: " + ec.message()));
                }
                if (parser.is_done()) break;
            }
            if (!continued && parser.is_header_done() && parser.get()[http::field::expect] == "100-continue") {
                continued = true; // RFC 9110 §10.1.1: curl asks before it sends a large body
                if (!send_all(fd, "HTTP/1.1 100 Continue\r\n\r\n")) return;
            }
            pollfd p{.fd = fd, .events = POLLIN, .revents = 0};
            if (::poll(&p, 1, poll_ms) == 0) {
                if (stopping_ || (waited += poll_ms) >= request_within_ms) return;
                continue;
            }
            char bytes[16 * 1024];
            const auto got = ::recv(fd, bytes, sizeof bytes, 0);
            if (got <= 0) return;
            buffer.append(bytes, static_cast<std::size_t>(got));
        }
        const auto& r = parser.get();
        const auto method = r.method_string();
        const auto target = r.target();
        keep_alive = answer(fd, request_of({method.data(), method.size()}, {target.data(), target.size()}, r.body()),
                            r.keep_alive(), everything) && r.keep_alive();
    }
}

bool admin_listener::answer(int fd, const admin::request& r, bool keep_alive, bool everything) {
    const bool open_to_all = r.path == "/healthz" || r.path == "/readyz" || r.path == "/metrics";
    if (!everything && !open_to_all) {
        return send_all(fd, encode(admin::problem(403, "forbidden",
                                                  "only /healthz, /readyz and /metrics are answered here; use brokerctl, "
                                                  "which talks to the admin socket"),
                                   keep_alive));
    }
    if (r.method == "GET" && r.path == "/api/v1/stream") {
        stream(fd, r);
        return false;
    }
    return send_all(fd, encode(commands_.run(node_, r), keep_alive));
}

// Server-sent events: one JSON object per message, until the client goes.
void admin_listener::stream(int fd, const admin::request& r) {
    std::vector<std::string> filters;
    for (auto [at, end] = r.query.equal_range("topic"); at != end; ++at) filters.push_back(at->second);
    const auto level = r.get("qos", "1");
    if (filters.empty() || level.size() != 1 || level[0] < '0' || level[0] > '2') {
        (void)send_all(fd, encode(admin::problem(400, "invalid", "topic=FILTER is needed, qos is 0, 1 or 2"), false));
        return;
    }
    auto running = node_.subscribe(filters, static_cast<qos>(level[0] - '0'));
    if (!running) {
        (void)send_all(fd, encode(admin::problem(running.error()), false));
        return;
    }
    if (!send_all(fd, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n: subscribed\n\n")) return;
    while (!stopping_) {
        std::string events;
        for (const auto& m : (*running)->take(milliseconds{poll_ms})) {
            events += fmt::format("data: {}\n\n", boost::json::serialize(admin::describe(*m)));
        }
        if (!events.empty() && !send_all(fd, events)) return;
        pollfd p{.fd = fd, .events = POLLIN, .revents = 0};
        char ignored = 0;
        if (::poll(&p, 1, 0) > 0 && ::recv(fd, &ignored, 1, MSG_DONTWAIT) == 0) return;
    }
}

void admin_listener::reap(bool all) {
    const std::lock_guard lock{mutex_};
    for (auto it = clients_.begin(); it != clients_.end();) {
        if (!all && !it->done) {
            ++it;
            continue;
        }
        if (!it->done) ::shutdown(it->fd, SHUT_RDWR);
        it->thread.join();
        ::close(it->fd);
        it = clients_.erase(it);
    }
}

void admin_listener::stop() {
    if (stopping_.exchange(true)) return;
    if (acceptor_.joinable()) acceptor_.join();
    reap(true);
    close_sockets();
}

void admin_listener::close_sockets() {
    if (socket_fd_ >= 0) ::close(socket_fd_);
    if (http_fd_ >= 0) ::close(http_fd_);
    std::error_code ignored;
    if (socket_bound_) std::filesystem::remove(socket_path_, ignored);
}

} // namespace broker
