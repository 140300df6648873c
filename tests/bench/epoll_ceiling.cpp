// What the kernel leaves for a broker: a WebSocket fan-out with as little as possible around its system calls, on one thread. Whoever
// subscribes gets everything that is published, at QoS 0, whatever the filter; every client speaks the same version of MQTT.
//
//   epoll_ceiling PORT        then: wsload fanout --mqtt ws://127.0.0.1:PORT/ --subs 100 --broker-pid PID
//
// A turn takes what readable sockets hold, appends each publication, framed, to every subscriber's buffer, and makes one write for each
// subscriber. Nothing is checked that a broker must check; never let it face anything but a load generator.
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

constexpr std::size_t buffer_bytes = 256 * 1024;
constexpr std::size_t unsent_max = 256 * 1024 * 1024; // of one connection; then it is closed

struct connection {
    int fd = -1;
    bool upgraded = false;
    bool subscribed = false;
    bool v5 = false;
    bool blocked = false; // waits until the socket takes more
    bool dirty = false;
    std::string in{};     // frames that are not whole
    std::string packets{}; // MQTT packets that are not whole
    std::string out{};
};

void append_frame(std::string& to, std::string_view payload) {
    const auto size = payload.size();
    to += '\x82';
    if (size < 126) {
        to += static_cast<char>(size);
    } else if (size < 65'536) {
        to += '\x7E';
        to += static_cast<char>(size >> 8);
        to += static_cast<char>(size & 0xFF);
    } else {
        to += '\x7F';
        for (int shift = 56; shift >= 0; shift -= 8) to += static_cast<char>(size >> shift & 0xFF);
    }
    to += payload;
}

class ceiling {
public:
    explicit ceiling(std::uint16_t port) : listener_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)}, epoll_{::epoll_create1(EPOLL_CLOEXEC)} {
        const int on = 1;
        (void)::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        sockaddr_in at{};
        at.sin_family = AF_INET;
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        at.sin_port = htons(port);
        if (::bind(listener_, reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0 || ::listen(listener_, 4096) != 0) {
            std::perror("epoll_ceiling: listen");
            std::exit(71);
        }
        epoll_event e{.events = EPOLLIN, .data = {.ptr = nullptr}};
        (void)::epoll_ctl(epoll_, EPOLL_CTL_ADD, listener_, &e);
    }

    [[noreturn]] void run() {
        std::array<epoll_event, 256> events{};
        for (;;) {
            const int count = ::epoll_wait(epoll_, events.data(), events.size(), -1);
            for (int i = 0; i < count; ++i) {
                const auto& e = events[static_cast<std::size_t>(i)];
                auto* const c = static_cast<connection*>(e.data.ptr);
                if (c == nullptr) {
                    accept();
                    continue;
                }
                if ((e.events & EPOLLOUT) != 0) {
                    c->blocked = false;
                    mark(*c);
                }
                if ((e.events & ~std::uint32_t{EPOLLOUT}) != 0) read(*c);
            }
            for (auto* const c : dirty_) write(*c);
            dirty_.clear();
            for (auto* const c : gone_) forget(*c);
            gone_.clear();
        }
    }

private:
    void accept() {
        for (;;) {
            const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (fd < 0) return;
            const int on = 1;
            (void)::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            auto& c = *all_.emplace_back(std::make_unique<connection>());
            c.fd = fd;
            watch(c, EPOLL_CTL_ADD);
        }
    }

    void watch(connection& c, int how) {
        epoll_event e{.events = EPOLLIN | (c.blocked ? std::uint32_t{EPOLLOUT} : 0U), .data = {.ptr = &c}};
        (void)::epoll_ctl(epoll_, how, c.fd, &e);
    }

    void mark(connection& c) {
        if (!c.dirty) dirty_.push_back(&c);
        c.dirty = true;
    }

    void close(connection& c) {
        if (c.fd < 0) return;
        ::close(c.fd);
        c.fd = -1;
        std::erase(subscribers_, &c);
        gone_.push_back(&c);
    }

    void forget(const connection& c) {
        std::erase_if(all_, [&](const auto& one) { return one.get() == &c; });
    }

    void read(connection& c) {
        if (c.fd < 0) return;
        const auto got = ::recv(c.fd, buffer_.data(), buffer_.size(), 0);
        if (got < 0 && errno == EAGAIN) return;
        if (got <= 0) return close(c);
        if (c.in.empty() && c.upgraded) {
            c.in.assign(take_frames(c, {buffer_.data(), static_cast<std::size_t>(got)}));
            return;
        }
        c.in.append(buffer_.data(), static_cast<std::size_t>(got));
        if (!c.upgraded && !upgrade(c)) return;
        c.in.erase(0, c.in.size() - take_frames(c, {c.in.data(), c.in.size()}).size());
    }

    bool upgrade(connection& c) {
        const auto end = c.in.find("\r\n\r\n");
        if (end == std::string::npos) return false;
        c.in.erase(0, end + 4);
        // The answer to the key of RFC 6455 §1.3, which load generators use.
        c.out += "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n";
        mark(c);
        return c.upgraded = true;
    }

    // Whole frames; returns the rest.
    std::string_view take_frames(connection& c, std::span<char> bytes) {
        while (bytes.size() >= 6) {
            std::size_t head = 2;
            std::uint64_t size = static_cast<std::uint8_t>(bytes[1]) & 0x7FU;
            if (size >= 126) {
                const std::size_t more = size == 126 ? 2 : 8;
                if (bytes.size() < 2 + more) break;
                size = 0;
                for (; head != 2 + more; ++head) size = size << 8 | static_cast<std::uint8_t>(bytes[head]);
            }
            if (bytes.size() < head + 4 + size) break;
            const auto opcode = static_cast<std::uint8_t>(bytes[0]) & 0x0FU;
            const auto payload = bytes.subspan(head + 4, size);
            unmask(payload, bytes.data() + head);
            bytes = bytes.subspan(head + 4 + size);
            if (opcode == 8) {
                close(c);
                return {};
            }
            if (opcode > 2) continue;
            std::string_view packets{payload.data(), payload.size()};
            if (!c.packets.empty()) packets = c.packets.append(packets);
            const auto rest = take_packets(c, packets);
            if (c.packets.empty()) c.packets.assign(rest);
            else c.packets.erase(0, c.packets.size() - rest.size());
        }
        return {bytes.data(), bytes.size()};
    }

    static void unmask(std::span<char> payload, const char* mask) {
        std::uint32_t key = 0;
        std::memcpy(&key, mask, sizeof key);
        if (key == 0) return;
        for (std::size_t i = 0; i != payload.size(); ++i) payload[i] = static_cast<char>(payload[i] ^ mask[i % 4]);
    }

    // Whole packets; returns the rest.
    std::string_view take_packets(connection& c, std::string_view bytes) {
        while (bytes.size() >= 2) {
            std::size_t size = 0;
            std::size_t at = 1;
            for (unsigned shift = 0; at != bytes.size(); shift += 7) {
                const auto b = static_cast<std::uint8_t>(bytes[at++]);
                size |= static_cast<std::size_t>(b & 0x7F) << shift;
                if ((b & 0x80) != 0) continue;
                if (bytes.size() - at < size) return bytes;
                on_packet(c, bytes.substr(0, at + size), at);
                bytes.remove_prefix(at + size);
                at = 0;
                break;
            }
            if (at != 0) return bytes;
        }
        return bytes;
    }

    void on_packet(connection& c, std::string_view packet, std::size_t head) {
        using namespace std::string_view_literals;
        switch (static_cast<std::uint8_t>(packet[0]) >> 4) {
        case 1: // CONNECT
            c.v5 = packet.size() > head + 6 && packet[head + 6] == 5;
            answer(c, c.v5 ? "\x20\x03\x00\x00\x00"sv : "\x20\x02\x00\x00"sv);
            return;
        case 3: // PUBLISH
            frame_.clear();
            append_frame(frame_, packet);
            for (auto* const s : subscribers_) {
                s->out += frame_;
                mark(*s);
            }
            return;
        case 8: { // SUBSCRIBE, one filter
            std::string suback = c.v5 ? "\x90\x04" : "\x90\x03";
            suback += packet.substr(head, 2);
            suback.append(c.v5 ? 2 : 1, '\0');
            answer(c, suback);
            if (!c.subscribed) subscribers_.push_back(&c);
            c.subscribed = true;
            return;
        }
        case 12: return answer(c, "\xD0\x00"sv); // PINGREQ
        default: return;
        }
    }

    void answer(connection& c, std::string_view packet) {
        append_frame(c.out, packet);
        mark(c);
    }

    void write(connection& c) {
        c.dirty = false;
        if (c.fd < 0 || c.blocked) return;
        const auto sent = ::send(c.fd, c.out.data(), c.out.size(), MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN) return close(c);
        if (sent > 0) c.out.erase(0, static_cast<std::size_t>(sent));
        if (c.out.size() > unsent_max) return close(c);
        const bool was_blocked = std::exchange(c.blocked, !c.out.empty());
        if (c.blocked || was_blocked) watch(c, EPOLL_CTL_MOD);
    }

    int listener_;
    int epoll_;
    std::vector<std::unique_ptr<connection>> all_;
    std::vector<connection*> subscribers_;
    std::vector<connection*> dirty_; // to be written
    std::vector<connection*> gone_;
    std::string frame_;
    std::vector<char> buffer_ = std::vector<char>(buffer_bytes);
};

} // namespace

int main(int argc, char** argv) {
    const long port = argc == 2 ? std::strtol(argv[1], nullptr, 10) : 0;
    if (port < 1 || port > 65'535) {
        std::fputs("epoll_ceiling PORT: fans out what MQTT clients publish over ws://127.0.0.1:PORT\n", stderr);
        return 64;
    }
    ceiling{static_cast<std::uint16_t>(port)}.run();
}
