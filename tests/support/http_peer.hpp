// http_peer: a server on a loopback port that answers whatever it is told to, one connection after the other.
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace broker::test {

class http_peer {
public:
    // `answer`: the bytes for a request; empty: none, until the client goes. Called on the server's thread.
    explicit http_peer(std::function<std::string(const std::string&)> answer) : answer_{std::move(answer)}, listening_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
        sockaddr_in here{};
        here.sin_family = AF_INET;
        here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        ::bind(listening_, reinterpret_cast<const sockaddr*>(&here), sizeof here);
        ::listen(listening_, 64);
        socklen_t size = sizeof here;
        ::getsockname(listening_, reinterpret_cast<sockaddr*>(&here), &size);
        port_ = ntohs(here.sin_port);
        thread_ = std::thread{[this] { serve(); }};
    }
    ~http_peer() {
        ::shutdown(listening_, SHUT_RDWR);
        thread_.join();
        ::close(listening_);
    }
    http_peer(const http_peer&) = delete;
    http_peer& operator=(const http_peer&) = delete;

    [[nodiscard]] std::string url(const std::string& target = "/") const { return "http://127.0.0.1:" + std::to_string(port_) + target; }
    [[nodiscard]] std::vector<std::string> requests() const {
        const std::lock_guard lock{mutex_};
        return requests_;
    }
    [[nodiscard]] static std::string ok(const std::string& body, const std::string& status = "200 OK") {
        return "HTTP/1.1 " + status + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    }

private:
    void serve() {
        for (;;) {
            const int peer = ::accept(listening_, nullptr, nullptr);
            if (peer < 0) return;
            const auto request = read(peer);
            {
                const std::lock_guard lock{mutex_};
                requests_.push_back(request);
            }
            const auto answer = answer_(request);
            char rest = 0;
            if (answer.empty()) (void)::recv(peer, &rest, 1, 0);
            else (void)::send(peer, answer.data(), answer.size(), MSG_NOSIGNAL);
            ::close(peer);
        }
    }
    static std::string read(int peer) {
        std::string text;
        char piece[4096];
        for (;;) {
            const auto end = text.find("\r\n\r\n");
            const auto length = text.find("Content-Length: ");
            const auto body = length == std::string::npos || end == std::string::npos ? 0 : std::stoul(text.substr(length + 16));
            if (end != std::string::npos && text.size() >= end + 4 + body) return text;
            const auto size = ::recv(peer, piece, sizeof piece, 0);
            if (size <= 0) return text;
            text.append(piece, static_cast<std::size_t>(size));
        }
    }

    std::function<std::string(const std::string&)> answer_;
    int listening_;
    std::uint16_t port_ = 0;
    mutable std::mutex mutex_;
    std::vector<std::string> requests_;
    std::thread thread_;
};

} // namespace broker::test
