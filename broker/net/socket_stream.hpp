// socket_stream: a connection's bytes: a socket, and TLS over it once that is spoken. Non-blocking: its functions do what can be done
// now and say would_block when the socket must become ready first. Whether it is, the shard tells it, in edges: can_read() and can_write()
// say whether the next call may find something to do.
// Threading: its shard's.
#pragma once

#include "core/bytes.hpp"
#include "net/tls_stream.hpp"
#include "shard/shard.hpp"

#include <memory>
#include <span>

namespace broker {

class socket_stream {
public:
    using error_code = boost::system::error_code;
    static constexpr std::size_t views_per_write = 64;

    explicit socket_stream(int fd); // takes it: a connected, non-blocking socket
    ~socket_stream() { close(); }
    socket_stream(const socket_stream&) = delete;
    socket_stream& operator=(const socket_stream&) = delete;

    [[nodiscard]] int fd() const { return fd_; }
    void close();
    void speak_tls(std::shared_ptr<const tls_context> with) { tls_ = std::make_unique<tls_stream>(std::move(with), fd_); }
    void speak_plain() { tls_.reset(); } // what goes out and comes in from here on is
    [[nodiscard]] const tls_stream* tls() const { return tls_.get(); } // null: plain

    void handshake(error_code& ec); // of TLS
    [[nodiscard]] std::size_t read_some(std::span<std::uint8_t> to, error_code& ec);
    // What lies in front, without taking it: of the socket itself, before TLS.
    [[nodiscard]] std::size_t peek(std::span<std::uint8_t> to, error_code& ec);
    [[nodiscard]] std::size_t write_some(std::span<const byte_view> views, error_code& ec); // at most views_per_write
    // The goodbye of TLS and the socket's. After would_block: again when can_write().
    void end_sending(error_code& ec);

    void became(const socket_events& what);
    [[nodiscard]] bool can_read() const { return tls_ ? tls_->has_unread() || is_ready(tls_->read_waits_for()) : readable_; }
    [[nodiscard]] bool can_write() const { return tls_ ? is_ready(tls_->write_waits_for()) : writable_; }

private:
    using wait_type = tls_stream::wait_type;
    [[nodiscard]] bool is_ready(wait_type w) const { return w == wait_type::wait_write ? writable_ : readable_; }
    void not_ready(wait_type w) { (w == wait_type::wait_write ? writable_ : readable_) = false; }
    [[nodiscard]] std::size_t receive(std::span<std::uint8_t> to, int flags, error_code& ec);

    int fd_; // -1: closed
    bool readable_ = false;
    bool writable_ = false;
    bool ended_ = false; // the peer's side: there may be no further edge
    std::unique_ptr<tls_stream> tls_;
};

} // namespace broker
