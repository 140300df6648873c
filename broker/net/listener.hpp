// listener: one address, accepted on every shard with SO_REUSEPORT so that the kernel spreads connections.
#pragma once

#include "net/connection.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <atomic>
#include <memory>
#include <string>

namespace broker {

struct listener_address {
    std::string name; // "web"
    listener_kind kind = listener_kind::websocket;
    std::string host;
    std::uint16_t port = 0;
    bool over_tls = false;
};

[[nodiscard]] std::string url(const listener_address& at);

// Throws start_error when the address cannot be bound alone: SO_REUSEPORT would let two servers share a port silently.
// Port 0 is replaced by the port the system chose.
void probe(listener_address& at);

struct start_error {
    std::string what; // one line: what, where, why, what to do
};

class listener {
public:
    // On the shard's thread or before it runs. Throws start_error.
    listener(shard& on, const listener_address& at, const listener_info& info, connection_environment& environment);
    ~listener();
    void stop(); // on the shard's thread

private:
    void accept();
    void accept_waiting();
    void pause(nanoseconds time);

    shard& shard_;
    const listener_info& info_;
    connection_environment& environment_;
    boost::asio::ip::tcp::acceptor acceptor_;
    boost::asio::steady_timer pause_;
    bool stuck_ = false; // a connection waits that cannot be accepted
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

} // namespace broker
