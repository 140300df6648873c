#include "cli/client.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <fmt/format.h>

#include <cerrno>
#include <system_error>

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace broker::cli {

namespace http = boost::beast::http;

namespace {

class file {
public:
    explicit file(int fd) : fd_{fd} {}
    ~file() { ::close(fd_); }
    file(const file&) = delete;
    file& operator=(const file&) = delete;
    [[nodiscard]] int get() const { return fd_; }

private:
    int fd_;
};

void send_request(int fd, const std::string& method, const std::string& target, const std::string& body) {
    const auto text = fmt::format("{} {} HTTP/1.1\r\nHost: brokerd\r\nConnection: close\r\nContent-Type: application/json\r\n"
                                  "Content-Length: {}\r\n\r\n{}", method, target, body.size(), body);
    std::string_view rest = text;
    while (!rest.empty()) {
        const auto sent = ::send(fd, rest.data(), rest.size(), MSG_NOSIGNAL);
        if (sent <= 0) throw unreachable{"the broker closed the connection"};
        rest.remove_prefix(static_cast<std::size_t>(sent));
    }
}

} // namespace

int client::open() const {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path_.size() >= sizeof address.sun_path) throw unreachable{fmt::format("{}: the path is too long", path_)};
    path_.copy(address.sun_path, path_.size());
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        const auto why = std::generic_category().message(errno);
        ::close(fd);
        throw unreachable{fmt::format("no broker answers on {}: {}; start it (./dev run, or systemctl start brokerd), or name "
                                      "its socket with --socket or BROKERCTL_SOCKET", path_, why)};
    }
    return fd;
}

answer client::call(const std::string& method, const std::string& target, const std::string& body) const {
    const file fd{open()};
    send_request(fd.get(), method, target, body);
    http::response_parser<http::string_body> parser;
    parser.eager(true);
    parser.body_limit(1ULL << 30);
    std::string buffer;
    boost::system::error_code ec;
    while (!parser.is_done()) {
        pollfd p{.fd = fd.get(), .events = POLLIN, .revents = 0};
        if (::poll(&p, 1, static_cast<int>(patience_.count())) <= 0) {
            throw unreachable{fmt::format("the broker did not answer within {} ms; give it more with --timeout", patience_.count())};
        }
        char bytes[64 * 1024];
        const auto got = ::recv(fd.get(), bytes, sizeof bytes, 0);
        if (got <= 0) throw unreachable{"the broker closed the connection"};
        buffer.append(bytes, static_cast<std::size_t>(got));
        buffer.erase(0, parser.put(boost::asio::buffer(buffer), ec));
        if (ec && ec != http::error::need_more) throw unreachable{"the broker's answer is not HTTP: " + ec.message()};
    }
    return {.status = parser.get().result_int(), .body = parser.get().body()};
}

answer client::stream(const std::string& target, const std::function<bool(const std::string&)>& on_event,
                      const std::function<bool()>& idle) const {
    const file fd{open()};
    send_request(fd.get(), "GET", target, "");
    std::string buffer;
    bool begun = false;
    for (;;) {
        pollfd p{.fd = fd.get(), .events = POLLIN, .revents = 0};
        if (::poll(&p, 1, 200) == 0) {
            if (!idle()) return {.status = 200};
            continue;
        }
        char bytes[64 * 1024];
        const auto got = ::recv(fd.get(), bytes, sizeof bytes, 0);
        if (got <= 0 && !begun) throw unreachable{"the broker closed the connection"};
        if (got <= 0) return {.status = begun ? 200U : 0U};
        buffer.append(bytes, static_cast<std::size_t>(got));
        if (!begun) {
            const auto end = buffer.find("\r\n\r\n");
            if (end == std::string::npos) continue;
            if (!buffer.starts_with("HTTP/1.1 200")) return {.status = 400, .body = buffer.substr(end + 4)};
            buffer.erase(0, end + 4);
            begun = true;
        }
        for (auto end = buffer.find("\n\n"); end != std::string::npos; end = buffer.find("\n\n")) {
            const auto event = buffer.substr(0, end);
            buffer.erase(0, end + 2);
            if (event.starts_with("data: ") && !on_event(event.substr(6))) return {.status = 200};
        }
    }
}

std::string encode_percent(const std::string& text) {
    std::string encoded;
    for (const char c : text) {
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.') {
            encoded.push_back(c);
        } else {
            encoded += fmt::format("%{:02X}", static_cast<unsigned char>(c));
        }
    }
    return encoded;
}

} // namespace broker::cli
