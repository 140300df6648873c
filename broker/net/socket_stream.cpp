#include "net/socket_stream.hpp"

#include <array>

#include <sys/socket.h>

namespace broker {

namespace asio = boost::asio;

socket_stream::socket_stream(socket_type socket) : socket_{std::move(socket)} {
    error_code ignored;
    socket_.non_blocking(true, ignored);
    socket_.set_option(tcp::no_delay{true}, ignored);
}

std::size_t socket_stream::read_some(std::span<std::uint8_t> to, error_code& ec) {
    return tls_ ? tls_->read_some(to, ec) : socket_.read_some(asio::buffer(to.data(), to.size()), ec);
}

std::size_t socket_stream::peek(std::span<std::uint8_t> to, error_code& ec) {
    return socket_.receive(asio::buffer(to.data(), to.size()), MSG_PEEK, ec);
}

std::size_t socket_stream::write_some(std::span<const byte_view> views, error_code& ec) {
    if (tls_) return tls_->write_some(views, ec);
    std::array<asio::const_buffer, views_per_write> buffers;
    for (std::size_t i = 0; i != views.size(); ++i) buffers[i] = {views[i].data(), views[i].size()};
    return socket_.write_some(std::span{buffers}.first(views.size()), ec);
}

void socket_stream::end_sending(error_code& ec) {
    if (tls_) tls_->shut_down(ec);
    if (ec == asio::error::would_block) return;
    socket_.shutdown(tcp::socket::shutdown_send, ec);
}

} // namespace broker
