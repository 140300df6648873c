// admin_listener: the admin API over HTTP/1.1: everything on a Unix socket only its owner may open; on a TCP port health and metrics, and
// to whoever brings an API key what it may. Parsed by Boost.Beast; blocking, a bounded number of threads, never a shard's.
#pragma once

#include "admin/registry.hpp"
#include "net/admin_channel.hpp"
#include "net/failed_attempts.hpp"
#include "net/tls_endpoint.hpp"

#include <atomic>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <thread>

namespace broker {

struct admin_http {
    std::string address{"off"};          // HOST:PORT; port 0 takes a free one
    std::shared_ptr<tls_endpoint> tls{}; // null: plain
    // What an API key may; null: it is not good. Called from any of the listener's threads. Nothing: there is no authentication.
    std::function<std::shared_ptr<const security::rights>(std::string_view key)> judge{};
};

class admin_listener {
public:
    // Throws std::runtime_error with one line that names address, reason and remedy. `clients_max`: connections of each kind; a flood over TCP must not lock out brokerctl.
    admin_listener(admin::node& on, std::string socket_path, admin_http http, std::size_t clients_max = 32);
    ~admin_listener();
    void stop();
    [[nodiscard]] std::uint16_t http_port() const; // 0: off

private:
    struct client {
        std::thread thread;
        std::atomic<bool> done{false};
        int fd = -1;
        bool local = false; // on the Unix socket
        std::string address{}; // without port; of TCP
    };
    struct question {
        admin::request asked{};
        std::optional<std::string> key{}; // empty: none was brought; nothing: malformed
        std::shared_ptr<const security::rights> may{}; // of the key
        bool keep_alive = false;
    };

    void open_socket();
    void open_http(const std::string& address);
    void close_sockets();
    void accept_all();
    void admit(int fd, bool local, std::string address);
    void serve(client& c);
    [[nodiscard]] std::optional<question> receive(admin_channel& from, std::string& buffer);
    [[nodiscard]] bool answer(admin_channel& to, const client& c, question q);
    [[nodiscard]] std::optional<admin::response> refusal_of(const client& c, question& q);
    void stream(admin_channel& to, const question& q);
    void reap(bool all);

    admin::node& node_;
    const std::size_t clients_max_;
    admin::registry commands_;
    std::string socket_path_;
    int socket_fd_ = -1;
    bool socket_bound_ = false; // the file is ours to remove
    const admin_http http_;
    int http_fd_ = -1;
    bool keys_are_safe_ = false; // what is sent over TCP is encrypted, or does not leave the machine
    std::atomic<bool> stopping_{false};
    std::mutex mutex_;
    std::list<client> clients_;
    failed_attempts failures_; // under mutex_
    std::thread acceptor_;
};

} // namespace broker
