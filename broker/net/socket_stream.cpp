#include "net/socket_stream.hpp"

#include <boost/asio/error.hpp>

#include <array>
#include <cerrno>
#include <utility>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

namespace broker {

namespace asio = boost::asio;

namespace {

boost::system::error_code failure() { return {errno, boost::system::system_category()}; }

} // namespace

socket_stream::socket_stream(int fd) : fd_{fd} {
    const int on = 1;
    (void)::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

void socket_stream::close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

void socket_stream::became(const socket_events& what) {
    readable_ |= what.readable;
    writable_ |= what.writable;
    ended_ |= what.ended;
}

std::size_t socket_stream::receive(std::span<std::uint8_t> to, int flags, error_code& ec) {
    const auto size = ::recv(fd_, to.data(), to.size(), flags);
    ec = size > 0 ? error_code{} : size == 0 ? error_code{asio::error::eof} : failure();
    // After less than there was room for there is nothing more: what comes then is another edge. An end may have come with it.
    if (ec == asio::error::would_block || (!ec && flags == 0 && static_cast<std::size_t>(size) < to.size() && !ended_)) readable_ = false;
    return ec ? 0 : static_cast<std::size_t>(size);
}

std::size_t socket_stream::read_some(std::span<std::uint8_t> to, error_code& ec) {
    if (!tls_) return receive(to, 0, ec);
    const auto size = tls_->read_some(to, ec);
    if (!tls_->has_unread()) not_ready(tls_->read_waits_for());
    return size;
}

std::size_t socket_stream::peek(std::span<std::uint8_t> to, error_code& ec) { return receive(to, MSG_PEEK, ec); }

void socket_stream::handshake(error_code& ec) {
    tls_->handshake(ec);
    if (ec == asio::error::would_block) not_ready(tls_->read_waits_for());
}

std::size_t socket_stream::write_some(std::span<const byte_view> views, error_code& ec) {
    if (tls_) {
        const auto written = tls_->write_some(views, ec);
        if (ec == asio::error::would_block) not_ready(tls_->write_waits_for());
        return written;
    }
    std::array<iovec, views_per_write> parts;
    for (std::size_t i = 0; i != views.size(); ++i) parts[i] = {const_cast<std::uint8_t*>(views[i].data()), views[i].size()};
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = views.size();
    const auto written = ::sendmsg(fd_, &message, MSG_NOSIGNAL);
    ec = written < 0 ? failure() : error_code{};
    if (ec == asio::error::would_block) writable_ = false;
    return ec ? 0 : static_cast<std::size_t>(written);
}

void socket_stream::end_sending(error_code& ec) {
    if (tls_) tls_->shut_down(ec);
    if (ec == asio::error::would_block) return not_ready(tls_->write_waits_for());
    if (::shutdown(fd_, SHUT_WR) != 0) ec = failure();
}

} // namespace broker
