#include "net/admin_channel.hpp"

#include <boost/asio/error.hpp>

#include <chrono>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

namespace broker {

namespace {

using clock = std::chrono::steady_clock;

milliseconds left_until(clock::time_point end) { return std::chrono::duration_cast<milliseconds>(end - clock::now()); }

} // namespace

admin_channel::admin_channel(int fd, std::shared_ptr<const tls_context> with) : fd_{fd} {
    (void)::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
    if (with) tls_.emplace(std::move(with), fd);
}

bool admin_channel::wait(short events, milliseconds patience) const {
    pollfd p{.fd = fd_, .events = events, .revents = 0};
    return ::poll(&p, 1, static_cast<int>(std::max<milliseconds::rep>(patience.count(), 0))) > 0;
}

bool admin_channel::wait(tls_stream::wait_type type, milliseconds patience) const {
    return wait(static_cast<short>(type == tls_stream::wait_type::wait_write ? POLLOUT : POLLIN), patience);
}

bool admin_channel::open(milliseconds within) {
    if (!tls_) return true;
    const auto end = clock::now() + within;
    for (;;) {
        tls_stream::error_code ec;
        tls_->handshake(ec);
        if (!ec) return true;
        if (ec != boost::asio::error::would_block || !wait(tls_->read_waits_for(), left_until(end))) return false;
    }
}

admin_channel::received admin_channel::receive(std::span<char> to, milliseconds patience) {
    const auto end = clock::now() + patience;
    for (;;) {
        auto waits_for = tls_stream::wait_type::wait_read;
        if (tls_) {
            tls_stream::error_code ec;
            const auto size = tls_->read_some({reinterpret_cast<std::uint8_t*>(to.data()), to.size()}, ec);
            if (size != 0) return {.what = outcome::some, .size = size};
            if (ec && ec != boost::asio::error::would_block) return {};
            waits_for = tls_->read_waits_for();
        } else {
            const auto got = ::recv(fd_, to.data(), to.size(), 0);
            if (got > 0) return {.what = outcome::some, .size = static_cast<std::size_t>(got)};
            if (got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) return {};
        }
        if (!wait(waits_for, left_until(end))) return {.what = outcome::nothing_yet};
    }
}

bool admin_channel::send(std::string_view bytes) {
    while (!bytes.empty()) {
        auto waits_for = tls_stream::wait_type::wait_write;
        std::size_t size = 0;
        if (tls_) {
            tls_stream::error_code ec;
            const auto view = as_bytes(bytes);
            size = tls_->write_some({&view, 1}, ec);
            if (ec && ec != boost::asio::error::would_block) return false;
            waits_for = tls_->write_waits_for();
        } else {
            const auto sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) return false;
            size = sent > 0 ? static_cast<std::size_t>(sent) : 0;
        }
        bytes.remove_prefix(size);
        if (size == 0 && !wait(waits_for, send_within)) return false;
    }
    return true;
}

void admin_channel::finish(milliseconds linger) {
    if (tls_) {
        tls_stream::error_code ignored;
        tls_->shut_down(ignored);
    }
    if (::shutdown(fd_, SHUT_WR) != 0) return;
    const auto end = clock::now() + linger;
    char ignored[16 * 1024];
    while (wait(POLLIN, left_until(end))) {
        if (::recv(fd_, ignored, sizeof ignored, 0) <= 0) return;
    }
}

} // namespace broker
