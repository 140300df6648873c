#include "conformance/peer.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace broker::test {

namespace {

constexpr std::uint8_t binary = 0x2;
constexpr std::uint8_t close_opcode = 0x8;
constexpr std::uint8_t ping = 0x9;

int connected_socket(std::uint16_t port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        ::close(fd);
        return -1;
    }
    // Without a listener a socket may get the port it asks for as its own, and be connected with itself.
    sockaddr_in own{};
    socklen_t size = sizeof own;
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&own), &size) == 0 && own.sin_port == address.sin_port) {
        ::close(fd);
        return -1;
    }
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

// Masked with a key that changes every byte, so that a server that forgets to unmask is seen.
void append_frame(std::string& to, std::uint8_t opcode, std::string_view payload) {
    constexpr std::array<unsigned char, 4> key{0x37, 0xfa, 0x21, 0x3d};
    const auto size = payload.size();
    to.push_back(static_cast<char>(0x80U | opcode));
    if (size < 126) {
        to.push_back(static_cast<char>(0x80U | size));
    } else {
        const bool wide = size > 0xFFFF;
        to.push_back(static_cast<char>(wide ? 0xFF : 0xFE));
        for (int shift = wide ? 56 : 8; shift >= 0; shift -= 8) to.push_back(static_cast<char>(size >> shift & 0xFF));
    }
    for (const auto k : key) to.push_back(static_cast<char>(k));
    for (std::size_t i = 0; i != size; ++i) {
        to.push_back(static_cast<char>(static_cast<unsigned char>(payload[i]) ^ key[i % key.size()]));
    }
}

} // namespace

std::string_view name(transport t) {
    switch (t) {
    case transport::tcp: return "TCP";
    case transport::websocket: return "WebSocket";
    case transport::websocket_bytes: return "WebSocket, byte by byte";
    }
    return "";
}

bool peer::answers(std::uint16_t port) {
    const int fd = connected_socket(port);
    if (fd >= 0) ::close(fd);
    return fd >= 0;
}

peer::peer(transport over, std::uint16_t port, std::string_view subprotocol) : over_{over}, fd_{connected_socket(port)} {
    if (fd_ < 0) throw std::runtime_error("cannot connect to port " + std::to_string(port));
    if (over_ != transport::tcp) shake_hands(subprotocol);
}

peer::~peer() { ::close(fd_); }

void peer::shake_hands(std::string_view subprotocol) {
    write("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: " +
          std::string{subprotocol} + "\r\n\r\n");
    const auto over = std::exchange(over_, transport::tcp); // not framed yet
    std::size_t end = std::string::npos;
    while ((end = received_.find("\r\n\r\n")) == std::string::npos) {
        if (!read_more()) throw std::runtime_error("no answer to the upgrade request, but: " + received_);
    }
    over_ = over;
    response_ = received_.substr(0, end + 4);
    raw_ = received_.substr(end + 4);
    received_.clear();
    if (!response_.starts_with("HTTP/1.1 101 ")) throw std::runtime_error("the upgrade was refused: " + response_);
    take_frames();
}

void peer::send(std::string_view bytes) {
    std::string frames;
    switch (over_) {
    case transport::tcp: return write(bytes);
    case transport::websocket: append_frame(frames, binary, bytes); break;
    case transport::websocket_bytes:
        for (std::size_t i = 0; i != bytes.size(); ++i) append_frame(frames, binary, bytes.substr(i, 1));
        break;
    }
    write(frames);
}

void peer::send_frame(std::uint8_t opcode, std::string_view payload) {
    std::string frame;
    append_frame(frame, opcode, payload);
    write(frame);
}

// A peer that has closed takes no more: that is for the reader to find out.
void peer::write(std::string_view bytes) {
    while (!bytes.empty()) {
        const auto n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (n <= 0) return;
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
}

bool peer::read_within(std::chrono::milliseconds limit) {
    const auto until = std::chrono::steady_clock::now() + limit;
    const auto before = received_.size();
    while (!ended_ && received_.size() == before) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
        pollfd waiting{.fd = fd_, .events = POLLIN, .revents = 0};
        if (::poll(&waiting, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0))) <= 0) return false;
        std::array<char, 65536> buffer{};
        const auto n = ::recv(fd_, buffer.data(), buffer.size(), 0);
        if (n <= 0) {
            ended_ = true;
        } else if (over_ == transport::tcp) {
            received_.append(buffer.data(), static_cast<std::size_t>(n));
        } else {
            raw_.append(buffer.data(), static_cast<std::size_t>(n));
            take_frames();
        }
    }
    return received_.size() != before;
}

void peer::take_frames() {
    const auto byte = [this](std::size_t i) { return static_cast<unsigned char>(raw_[i]); };
    for (;;) {
        if (raw_.size() < 2) return;
        std::size_t size = byte(1) & 0x7FU;
        const std::size_t wide = size < 126 ? 0 : size == 126 ? 2 : 8;
        if (raw_.size() < 2 + wide) return;
        if (wide != 0) size = 0;
        for (std::size_t i = 0; i != wide; ++i) size = size << 8 | byte(2 + i);
        const auto head = 2 + wide;
        if (raw_.size() < head + size) return;
        const auto opcode = byte(0) & 0x0FU;
        const auto payload = raw_.substr(head, size);
        raw_.erase(0, head + size);
        if (opcode == close_opcode) {
            close_code_ = payload.size() < 2 ? 1005
                                             : static_cast<std::uint16_t>(static_cast<unsigned char>(payload[0]) << 8 |
                                                                          static_cast<unsigned char>(payload[1]));
            send_frame(close_opcode, payload.substr(0, 2));
        } else if (opcode == ping) {
            send_frame(0xA, payload);
        } else {
            messages_.push_back({.opcode = static_cast<std::uint8_t>(opcode), .size = payload.size()});
            received_ += payload;
        }
    }
}

} // namespace broker::test
