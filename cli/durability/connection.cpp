#include "cli/durability/connection.hpp"

#include <array>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace broker::cli::durability {

connection::connection(std::uint16_t port) : fd_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    if (fd_ >= 0 && ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) drop();
    // Without a listener a socket may get the port it asks for as its own, and be connected with itself.
    sockaddr_in own{};
    socklen_t size = sizeof own;
    if (fd_ >= 0 && ::getsockname(fd_, reinterpret_cast<sockaddr*>(&own), &size) == 0 && own.sin_port == address.sin_port) drop();
    const int on = 1;
    if (fd_ >= 0) (void)::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

connection::~connection() { drop(); }

void connection::drop() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
}

void connection::send(std::string_view bytes) {
    while (fd_ >= 0 && !bytes.empty()) {
        const auto n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (n <= 0) return drop();
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
}

void connection::read(std::chrono::milliseconds at_most) {
    if (fd_ < 0) return;
    pollfd waiting{.fd = fd_, .events = POLLIN, .revents = 0};
    if (::poll(&waiting, 1, static_cast<int>(at_most.count())) <= 0) return;
    std::array<char, 65'536> some{};
    const auto n = ::recv(fd_, some.data(), some.size(), 0);
    if (n <= 0) return drop();
    buffer_.append(some.data(), static_cast<std::size_t>(n));
}

// --- MQTT 5 ---

namespace mqtt {

namespace {

void append_number(std::string& to, std::uint16_t n) {
    to.push_back(static_cast<char>(n >> 8));
    to.push_back(static_cast<char>(n & 0xFF));
}

void append_text(std::string& to, std::string_view text) {
    append_number(to, static_cast<std::uint16_t>(text.size()));
    to += text;
}

std::string framed(std::uint8_t first, std::string_view rest) {
    std::string made(1, static_cast<char>(first));
    auto size = rest.size();
    do {
        made.push_back(static_cast<char>((size & 0x7F) | (size > 0x7F ? 0x80 : 0)));
        size >>= 7;
    } while (size != 0);
    return made += rest;
}

// A packet that is whole, read from the front.
class reader {
public:
    explicit reader(std::string_view bytes) : bytes_{bytes} {}
    [[nodiscard]] bool empty() const { return bytes_.empty(); }
    std::uint8_t byte() {
        if (bytes_.empty()) return 0;
        const auto b = static_cast<std::uint8_t>(bytes_.front());
        bytes_.remove_prefix(1);
        return b;
    }
    std::uint16_t number() {
        const auto high = byte();
        return static_cast<std::uint16_t>(high << 8 | byte());
    }
    std::string_view bytes(std::size_t n) {
        const auto some = bytes_.substr(0, n);
        bytes_.remove_prefix(some.size());
        return some;
    }
    std::size_t variable() {
        std::size_t n = 0;
        for (unsigned shift = 0; shift != 28; shift += 7) {
            const auto b = byte();
            n |= static_cast<std::size_t>(b & 0x7F) << shift;
            if ((b & 0x80) == 0) break;
        }
        return n;
    }
    [[nodiscard]] std::string_view rest() const { return bytes_; }

private:
    std::string_view bytes_;
};

packet decoded(std::uint8_t first, std::string_view content) {
    packet p{.what = static_cast<type>(first >> 4), .flags = static_cast<std::uint8_t>(first & 0x0F)};
    reader r{content};
    switch (p.what) {
    case type::connack:
        p.session_present = (r.byte() & 1) != 0;
        p.reason = r.byte();
        break;
    case type::publish:
        p.topic = r.bytes(r.number());
        if ((p.flags & 0x06) != 0) p.id = r.number();
        (void)r.bytes(r.variable());
        p.payload = r.rest();
        break;
    case type::suback:
        p.id = r.number();
        (void)r.bytes(r.variable());
        p.reason = r.byte();
        break;
    default:
        p.id = r.number();
        if (!r.empty()) p.reason = r.byte();
    }
    return p;
}

} // namespace

std::string connect(std::string_view client_id, bool clean_start, bool keeps_session, const std::optional<will>& last) {
    std::string body;
    append_text(body, "MQTT");
    body.push_back(5);
    body.push_back(static_cast<char>((clean_start ? 0x02 : 0) | (last ? 0x04 | 0x08 : 0))); // a will of QoS 1
    append_number(body, 0);                                                                   // no keep alive
    if (keeps_session) {
        body += std::string_view{"\x05\x11\xFF\xFF\xFF\xFF", 6}; // Session Expiry Interval: never
    } else {
        body.push_back(0);
    }
    append_text(body, client_id);
    if (last) {
        body.push_back(0);
        append_text(body, last->topic);
        append_text(body, last->payload);
    }
    return framed(0x10, body);
}

std::string publish(std::string_view topic, std::string_view payload, std::uint8_t qos, std::uint16_t id, bool retain, bool dup) {
    std::string body;
    append_text(body, topic);
    append_number(body, id);
    body.push_back(0);
    body += payload;
    return framed(static_cast<std::uint8_t>(0x30 | (dup ? 0x08 : 0) | (qos << 1) | (retain ? 1 : 0)), body);
}

std::string answer(type what, std::uint16_t id) {
    std::string body;
    append_number(body, id);
    return framed(static_cast<std::uint8_t>((static_cast<unsigned>(what) << 4) | (what == type::pubrel ? 2U : 0U)), body);
}

std::string subscribe(std::string_view filter, std::uint8_t qos, std::uint16_t id) {
    std::string body;
    append_number(body, id);
    body.push_back(0);
    append_text(body, filter);
    body.push_back(static_cast<char>(qos));
    return framed(0x82, body);
}

std::optional<packet> take(std::string& buffer) {
    std::size_t size = 0;
    std::size_t at = 1;
    for (unsigned shift = 0;; shift += 7) {
        if (at >= buffer.size()) return std::nullopt;
        const auto b = static_cast<std::uint8_t>(buffer[at++]);
        size |= static_cast<std::size_t>(b & 0x7F) << shift;
        if ((b & 0x80) == 0) break;
    }
    if (buffer.size() < at + size) return std::nullopt;
    auto p = decoded(static_cast<std::uint8_t>(buffer[0]), std::string_view{buffer}.substr(at, size));
    buffer.erase(0, at + size);
    return p;
}

} // namespace mqtt

// --- STOMP 1.2 ---

namespace stomp {

std::string frame::get(std::string_view name) const {
    const auto line = "\n" + std::string{name} + ":";
    const auto at = ("\n" + headers).find(line);
    if (at == std::string::npos) return {};
    const auto from = at + line.size() - 1;
    return headers.substr(from, headers.find('\n', from) - from);
}

// The bodies of this check hold no NUL.
std::optional<frame> take(std::string& buffer) {
    while (buffer.starts_with('\n')) buffer.erase(0, 1);
    const auto end = buffer.find('\0');
    if (end == std::string::npos) return std::nullopt;
    const auto text = buffer.substr(0, end);
    buffer.erase(0, end + 1);
    const auto command = text.find('\n');
    const auto head = text.find("\n\n");
    if (head == std::string::npos) return frame{};
    return frame{.command = text.substr(0, command),
                 .headers = head == command ? std::string{} : text.substr(command + 1, head - command),
                 .body = text.substr(head + 2)};
}

} // namespace stomp

} // namespace broker::cli::durability
