// socket_stream: a connection's bytes: a socket, and TLS over it once that is spoken. Non-blocking: its functions do what can be done
// now and say would_block when the socket must become ready first.
// Threading: its shard's.
#pragma once

#include "core/bytes.hpp"
#include "net/tls_stream.hpp"

#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <memory>
#include <span>

namespace broker {

class socket_stream {
public:
    using error_code = boost::system::error_code;
    using tcp = boost::asio::ip::tcp;
    static constexpr std::size_t views_per_write = 64;

    // On one io_context for life, and smaller for it.
    using socket_type = boost::asio::basic_stream_socket<tcp, boost::asio::io_context::executor_type>;

    explicit socket_stream(socket_type socket);

    [[nodiscard]] socket_type& socket() { return socket_; }
    void speak_tls(std::shared_ptr<const tls_context> with) { tls_ = std::make_unique<tls_stream>(std::move(with), socket_.native_handle()); }
    void speak_plain() { tls_.reset(); } // what goes out and comes in from here on is
    [[nodiscard]] tls_stream* tls() { return tls_.get(); } // null: plain

    [[nodiscard]] std::size_t read_some(std::span<std::uint8_t> to, error_code& ec);
    // What lies in front, without taking it: of the socket itself, before TLS.
    [[nodiscard]] std::size_t peek(std::span<std::uint8_t> to, error_code& ec);
    [[nodiscard]] std::size_t write_some(std::span<const byte_view> views, error_code& ec); // at most views_per_write
    // The goodbye of TLS and the socket's. After would_block: again when it is writable.
    void end_sending(error_code& ec);

    [[nodiscard]] bool has_unread() const { return tls_ && tls_->has_unread(); }
    [[nodiscard]] tcp::socket::wait_type read_waits_for() const { return tls_ ? tls_->read_waits_for() : tcp::socket::wait_read; }
    [[nodiscard]] tcp::socket::wait_type write_waits_for() const { return tls_ ? tls_->write_waits_for() : tcp::socket::wait_write; }

private:
    socket_type socket_;
    std::unique_ptr<tls_stream> tls_;
};

} // namespace broker
