#include "net/admin_listener.hpp"

#include "admin/permission.hpp"
#include "net/security_headers.hpp"
#include "security/credentials.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <utility>

#include <arpa/inet.h>
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

constexpr milliseconds look_every{200};      // how soon a stop, and a key that is not good any more, is noticed
constexpr milliseconds request_within{10'000};
constexpr milliseconds linger{1'000};        // for the rest of a request that was refused
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

std::string encode(const admin::response& r, bool keep_alive, bool over_tls) {
    return fmt::format("HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: {}\r\n{}{}{}\r\n{}", r.status,
                       std::string_view{http::obsolete_reason(static_cast<http::status>(r.status))}, r.content_type,
                       r.body.size(), keep_alive ? "keep-alive" : "close", security_headers, strict_transport(over_tls), r.headers, r.body);
}

// A bearer token, or the password of Basic: curl -u apikey:KEY. Nothing: malformed.
std::optional<std::string> key_in(const http::fields& headers) {
    std::vector<security::header_line> lines;
    for (const auto& f : headers) lines.push_back({{f.name_string().data(), f.name_string().size()}, {f.value().data(), f.value().size()}});
    const auto found = security::credentials_in("", lines, {.query = {}, .subprotocol = false});
    if (!found) return std::nullopt;
    return found->password.value_or(found->token);
}

admin::response not_authenticated(std::string_view detail, std::string_view error) {
    auto made = admin::problem(401, "not_authenticated", detail);
    made.headers = fmt::format("WWW-Authenticate: Bearer realm=\"brokerd\"{}\r\n", error);
    return made;
}

time_point wall_clock() { return time_point{std::chrono::duration_cast<nanoseconds>(std::chrono::system_clock::now().time_since_epoch())}; }

bool is_loopback(const sockaddr_storage& a) {
    if (a.ss_family == AF_INET) return ntohl(reinterpret_cast<const sockaddr_in&>(a).sin_addr.s_addr) >> 24 == 127;
    return a.ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&reinterpret_cast<const sockaddr_in6&>(a).sin6_addr);
}

std::string text_of(const sockaddr_storage& a) {
    char text[INET6_ADDRSTRLEN] = "";
    const void* const bytes = a.ss_family == AF_INET ? static_cast<const void*>(&reinterpret_cast<const sockaddr_in&>(a).sin_addr)
                                                     : static_cast<const void*>(&reinterpret_cast<const sockaddr_in6&>(a).sin6_addr);
    return ::inet_ntop(a.ss_family, bytes, text, sizeof text) == nullptr ? std::string{} : std::string{text};
}

} // namespace

admin_listener::admin_listener(admin::node& on, std::string socket_path, admin_http http, std::size_t clients_max)
    : node_{on}, clients_max_{clients_max}, socket_path_{std::move(socket_path)}, http_{std::move(http)} {
    try {
        open_socket();
        if (http_.address != "off") open_http(http_.address);
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
    sockaddr_storage at{};
    std::memcpy(&at, found->ai_addr, std::min<std::size_t>(found->ai_addrlen, sizeof at));
    keys_are_safe_ = http_.tls != nullptr || is_loopback(at);
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
        const int found = ::poll(ready, http_fd_ < 0 ? 1 : 2, static_cast<int>(look_every.count()));
        reap(false);
        if (found <= 0) continue;
        for (const auto& r : ready) {
            if ((r.revents & POLLIN) == 0) continue;
            sockaddr_storage peer{};
            socklen_t size = sizeof peer;
            const int fd = ::accept4(r.fd, reinterpret_cast<sockaddr*>(&peer), &size, SOCK_CLOEXEC);
            if (fd >= 0) {
                const bool local = r.fd == socket_fd_;
                admit(fd, local, local ? std::string{} : text_of(peer));
            } else {
                (void)::poll(nullptr, 0, static_cast<int>(look_every.count())); // out of descriptors: the client stays readable, do not spin
            }
        }
    }
}

void admin_listener::admit(int fd, bool local, std::string address) {
    const std::lock_guard lock{mutex_};
    if (std::ranges::count(clients_, local, &client::local) >= static_cast<std::ptrdiff_t>(clients_max_)) {
        if (local || !http_.tls) (void)admin_channel{fd, nullptr}.send(encode(admin::problem(503, "overload", "too many admin connections"), false, false));
        ::close(fd);
        return;
    }
    auto& c = clients_.emplace_back();
    c.fd = fd;
    c.local = local;
    c.address = std::move(address);
    c.thread = std::thread{[this, &c] {
        serve(c);
        (void)::shutdown(c.fd, SHUT_RDWR); // the peer sees the end now, the descriptor is closed when it is reaped
        c.done = true;
    }};
}

void admin_listener::serve(client& c) {
    admin_channel channel{c.fd, c.local || !http_.tls ? nullptr : http_.tls->current()};
    if (!channel.open(request_within)) return;
    std::string buffer;
    while (!stopping_) {
        auto q = receive(channel, buffer);
        if (!q || !answer(channel, c, std::move(*q))) return channel.finish(linger);
    }
}

// Nothing: the peer is gone, or has been told what is wrong.
std::optional<admin_listener::question> admin_listener::receive(admin_channel& from, std::string& buffer) {
    const auto refuse = [&](const admin::response& why) {
        (void)from.send(encode(why, false, from.over_tls()));
        return std::nullopt;
    };
    http::request_parser<http::string_body> parser;
    parser.eager(true);
    parser.header_limit(header_bytes_max);
    parser.body_limit(body_bytes_max);
    boost::system::error_code ec;
    bool continued = false;
    for (milliseconds waited{0}; !parser.is_done();) {
        if (!buffer.empty()) {
            const auto used = parser.put(boost::asio::buffer(buffer), ec);
            buffer.erase(0, used);
            if (ec == http::error::header_limit) return refuse(admin::problem(431, "too_big", "headers are limited to 16 KiB"));
            if (ec == http::error::body_limit) return refuse(admin::problem(413, "too_big", "a body is limited to 5 MiB"));
            if (ec && ec != http::error::need_more) return refuse(admin::problem(400, "invalid", "not an HTTP request: " + ec.message()));
            if (parser.is_done()) break;
        }
        if (!continued && parser.is_header_done() && parser.get()[http::field::expect] == "100-continue") {
            continued = true; // RFC 9110 §10.1.1: curl asks before it sends a large body
            if (!from.send("HTTP/1.1 100 Continue\r\n\r\n")) return std::nullopt;
        }
        char bytes[16 * 1024];
        const auto got = from.receive(bytes, look_every);
        if (got.what == admin_channel::outcome::end) return std::nullopt;
        if (got.what == admin_channel::outcome::nothing_yet && (stopping_ || (waited += look_every) >= request_within)) return std::nullopt;
        buffer.append(bytes, got.size);
    }
    const auto& r = parser.get();
    const auto method = r.method_string();
    const auto target = r.target();
    return question{.asked = request_of({method.data(), method.size()}, {target.data(), target.size()}, r.body()),
                    .key = key_in(r),
                    .keep_alive = r.keep_alive()};
}

// False: the connection ends.
bool admin_listener::answer(admin_channel& to, const client& c, question q) {
    if (const auto no = refusal_of(c, q)) return to.send(encode(*no, q.keep_alive, to.over_tls())) && q.keep_alive;
    if (q.asked.method == "GET" && q.asked.path == "/api/v1/stream") {
        stream(to, q);
        return false;
    }
    return to.send(encode(commands_.run(node_, std::move(q.asked)), q.keep_alive, to.over_tls())) && q.keep_alive;
}

std::optional<admin::response> admin_listener::refusal_of(const client& c, question& q) {
    if (c.local || q.asked.path == "/healthz" || q.asked.path == "/readyz" || q.asked.path == "/metrics") return std::nullopt;
    if (!http_.judge) {
        return admin::problem(403, "forbidden", "without authentication ([auth] in the configuration) only /healthz, /readyz and /metrics are answered here; "
                                                "use brokerctl, which talks to the admin socket");
    }
    if (!keys_are_safe_) {
        return admin::problem(403, "forbidden", "API keys are taken over TLS (admin.tls_cert, admin.tls_key) or on a loopback address; here only /healthz, "
                                                "/readyz and /metrics are answered");
    }
    if (!q.key) return not_authenticated("the credentials of the request are malformed, or more than one", ", error=\"invalid_request\"");
    if (q.key->empty()) return not_authenticated("an API key is needed: brokerctl apikey create NAME --scope manage", "");
    q.may = http_.judge(*q.key);
    if (q.may) return admin::refusal_of(q.asked, *q.may);
    const bool looked_at = [&] {
        const std::lock_guard lock{mutex_};
        return failures_.count(c.address, wall_clock());
    }();
    if (!looked_at) {
        auto later = admin::problem(429, "too_many_failures", "too many keys of this address were not good");
        later.headers = fmt::format("Retry-After: {}\r\n", failed_attempts::window.count());
        return later;
    }
    spdlog::warn("admin http: {} from {}: not answered: the API key is unknown, expired, or has another secret", q.asked.path, c.address);
    return not_authenticated("the key is not good", ", error=\"invalid_token\"");
}

// Server-sent events: one JSON object per message, until the client goes, or may not have them any more.
void admin_listener::stream(admin_channel& to, const question& q) {
    std::vector<std::string> filters;
    for (auto [at, end] = q.asked.query.equal_range("topic"); at != end; ++at) filters.push_back(at->second);
    const auto level = q.asked.get("qos", "1");
    if (filters.empty() || level.size() != 1 || level[0] < '0' || level[0] > '2') {
        (void)to.send(encode(admin::problem(400, "invalid", "topic=FILTER is needed, qos is 0, 1 or 2"), false, to.over_tls()));
        return;
    }
    auto running = node_.subscribe(filters, static_cast<qos>(level[0] - '0'));
    if (!running) {
        (void)to.send(encode(admin::problem(running.error()), false, to.over_tls()));
        return;
    }
    if (!to.send(fmt::format("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n{}{}\r\n: subscribed\n\n", security_headers,
                             strict_transport(to.over_tls())))) {
        return;
    }
    const auto still_may = [&] {
        if (!q.may) return true; // on the socket
        const auto now = http_.judge(*q.key);
        auto asked = q.asked;
        return now && !admin::refusal_of(asked, *now);
    };
    for (auto look_at = std::chrono::steady_clock::now(); !stopping_;) {
        std::string events;
        for (const auto& m : (*running)->take(look_every)) {
            events += fmt::format("data: {}\n\n", boost::json::serialize(admin::describe(*m)));
        }
        if (const auto now = std::chrono::steady_clock::now(); now >= look_at) {
            if (!still_may()) return;
            look_at = now + look_every;
        }
        if (!events.empty() && !to.send(events)) return;
        char ignored[64];
        if (to.receive(ignored, milliseconds{0}).what == admin_channel::outcome::end) return;
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
