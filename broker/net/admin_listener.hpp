// admin_listener: the admin API over HTTP/1.1: everything on a Unix socket only its owner may open, health and metrics on
// a TCP port. Parsed by Boost.Beast; blocking, a bounded number of threads, never a shard's.
#pragma once

#include "admin/registry.hpp"

#include <atomic>
#include <list>
#include <mutex>
#include <string>
#include <thread>

namespace broker {

class admin_listener {
public:
    // Throws std::runtime_error with one line that names address, reason and remedy. `http` is HOST:PORT or "off"; port 0
    // takes a free one. `clients_max`: connections of each kind; a flood over TCP must not lock out brokerctl.
    admin_listener(admin::node& on, std::string socket_path, const std::string& http, std::size_t clients_max = 32);
    ~admin_listener();
    void stop();
    [[nodiscard]] std::uint16_t http_port() const; // 0: off

private:
    struct client {
        std::thread thread;
        std::atomic<bool> done{false};
        int fd = -1;
        bool local = false; // on the Unix socket
    };

    void open_socket();
    void open_http(const std::string& address);
    void close_sockets();
    void accept_all();
    void admit(int fd, bool local);
    void serve(int fd, bool everything);
    [[nodiscard]] bool answer(int fd, const admin::request& r, bool keep_alive, bool everything);
    void stream(int fd, const admin::request& r);
    void reap(bool all);

    admin::node& node_;
    const std::size_t clients_max_;
    admin::registry commands_;
    std::string socket_path_;
    int socket_fd_ = -1;
    bool socket_bound_ = false; // the file is ours to remove
    int http_fd_ = -1;
    std::atomic<bool> stopping_{false};
    std::mutex mutex_;
    std::list<client> clients_;
    std::thread acceptor_;
};

} // namespace broker
