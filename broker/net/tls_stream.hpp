// tls_stream: the server's side of TLS over a non-blocking socket that somebody else owns. Its functions are those of an
// Asio socket: they do what can be done now, and say would_block when the socket must become ready first.
// Threading: none of its own.
#pragma once

#include "core/bytes.hpp"
#include "net/tls_context.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <memory>
#include <span>
#include <string>

namespace broker {

class tls_stream {
public:
    using error_code = boost::system::error_code;
    using wait_type = boost::asio::ip::tcp::socket::wait_type;

    // `fd` must outlive the stream.
    tls_stream(std::shared_ptr<const tls_context> with, int fd);
    ~tls_stream();
    tls_stream(const tls_stream&) = delete;
    tls_stream& operator=(const tls_stream&) = delete;

    // To be called until it succeeds or fails with something else than would_block.
    void handshake(error_code& ec);
    [[nodiscard]] bool established() const { return established_; }
    [[nodiscard]] bool resumed() const; // an earlier session, without certificates

    // Fills `to` as far as possible. Less than all of it means that the socket must become ready before there is more,
    // unless has_unread(). The peer's goodbye and the end of the socket are both asio::error::eof.
    [[nodiscard]] std::size_t read_some(std::span<std::uint8_t> to, error_code& ec);
    // The socket need not become readable for read_some() to give more.
    [[nodiscard]] bool has_unread() const { return unread_; }

    // Writes from the front of `views`, as one record when they are small. After would_block the next call must offer the
    // same bytes again, more may follow them.
    [[nodiscard]] std::size_t write_some(std::span<const byte_view> views, error_code& ec);

    // Says goodbye: nothing can be written after it. Nothing happens to a stream that failed.
    void shut_down(error_code& ec);

    // What the socket must be ready for when the last call of the kind would have blocked.
    [[nodiscard]] wait_type read_waits_for() const { return read_waits_for_; }
    [[nodiscard]] wait_type write_waits_for() const { return write_waits_for_; }

    // Once a call has failed: why, for the log.
    [[nodiscard]] const std::string& problem() const { return problem_; }
    [[nodiscard]] bool met_http() const { return met_http_; } // the handshake failed because the client spoke plain HTTP
    [[nodiscard]] std::string identity() const { return context_->identity_of(ssl_); }
    [[nodiscard]] std::string_view version() const;           // "TLSv1.3"
    [[nodiscard]] std::string_view cipher() const;

private:
    error_code outcome(int returned, wait_type& waits_for);

    std::shared_ptr<const tls_context> context_;
    ssl_st* ssl_;
    wait_type read_waits_for_ = wait_type::wait_read;
    wait_type write_waits_for_ = wait_type::wait_write;
    bool established_ = false;
    bool unread_ = false;
    bool failed_ = false;
    bool met_http_ = false;
    error_code met_; // after bytes that were read before it
    std::string problem_;
};

} // namespace broker
