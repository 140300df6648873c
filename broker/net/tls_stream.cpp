#include "net/tls_stream.hpp"

#include <boost/asio/error.hpp>

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

namespace broker {

namespace asio = boost::asio;

namespace {

constexpr std::size_t record_size = 16 * 1024; // RFC 8446 §5.1

std::string words_for(unsigned long error) {
    switch (ERR_GET_REASON(error)) {
    case SSL_R_HTTP_REQUEST: return "the client speaks plain HTTP";
    case SSL_R_HTTPS_PROXY_REQUEST: return "the client does not speak TLS"; // it begins like a proxy's, or STOMP's, CONNECT
    case SSL_R_WRONG_VERSION_NUMBER: return "the client does not speak TLS";
    case SSL_R_UNSUPPORTED_PROTOCOL: return "the client speaks no TLS version that is allowed here";
    case SSL_R_NO_SHARED_CIPHER: return "client and server have no cipher in common";
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE: return "the client shows no certificate";
    default: break;
    }
    const auto* const reason = ERR_reason_error_string(error);
    return reason == nullptr ? "TLS failed" : reason;
}

} // namespace

tls_stream::tls_stream(std::shared_ptr<const tls_context> with, int fd)
    : context_{std::move(with)}, ssl_{SSL_new(context_->native())} {
    if (ssl_ == nullptr || SSL_set_fd(ssl_, fd) != 1) {
        SSL_free(ssl_);
        throw std::bad_alloc{};
    }
    SSL_set_accept_state(ssl_);
}

tls_stream::~tls_stream() { SSL_free(ssl_); }

tls_stream::error_code tls_stream::outcome(int returned, wait_type& waits_for) {
    const int number = errno;
    switch (SSL_get_error(ssl_, returned)) {
    case SSL_ERROR_WANT_READ: waits_for = wait_type::wait_read; return asio::error::would_block;
    case SSL_ERROR_WANT_WRITE: waits_for = wait_type::wait_write; return asio::error::would_block;
    case SSL_ERROR_ZERO_RETURN: return asio::error::eof;
    case SSL_ERROR_SYSCALL:
        failed_ = true;
        if (number == 0) return asio::error::eof;
        problem_ = std::generic_category().message(number);
        return {number, boost::system::system_category()};
    default: break;
    }
    failed_ = true;
    const auto error = ERR_peek_error();
    met_http_ = ERR_GET_REASON(error) == SSL_R_HTTP_REQUEST;
    problem_ = words_for(error);
    if (ERR_GET_REASON(error) == SSL_R_CERTIFICATE_VERIFY_FAILED) {
        problem_ = fmt::format("the client's certificate: {}", X509_verify_cert_error_string(SSL_get_verify_result(ssl_)));
    }
    return {EPROTO, boost::system::system_category()};
}

void tls_stream::handshake(error_code& ec) {
    ERR_clear_error();
    errno = 0;
    const int done = SSL_accept(ssl_);
    ec = done == 1 ? error_code{} : outcome(done, read_waits_for_);
    established_ = unread_ = done == 1; // what the client sent behind its last message is read already
}

std::size_t tls_stream::read_some(std::span<std::uint8_t> to, error_code& ec) {
    ec = std::exchange(met_, {});
    std::size_t size = 0;
    unread_ = true;
    while (!ec && size != to.size()) {
        ERR_clear_error();
        errno = 0;
        std::size_t got = 0;
        const int done = SSL_read_ex(ssl_, to.data() + size, to.size() - size, &got);
        if (done == 1) {
            size += got;
        } else {
            ec = outcome(done, read_waits_for_);
        }
    }
    if (ec == asio::error::would_block) {
        unread_ = false;
        if (size != 0) ec = {};
    } else if (ec && size != 0) {
        met_ = std::exchange(ec, {});
    }
    return size;
}

std::size_t tls_stream::write_some(std::span<const byte_view> views, error_code& ec) {
    ec = {};
    if (views.empty()) return 0;
    std::array<std::uint8_t, record_size> joined;
    auto record = views.front().first(std::min(views.front().size(), record_size));
    if (record.size() < record_size && views.size() > 1) {
        std::size_t size = 0;
        for (const auto& view : views) {
            const auto part = std::min(view.size(), record_size - size);
            std::memcpy(joined.data() + size, view.data(), part);
            size += part;
            if (size == record_size) break;
        }
        record = {joined.data(), size};
    }
    ERR_clear_error();
    errno = 0;
    std::size_t written = 0;
    const int done = SSL_write_ex(ssl_, record.data(), record.size(), &written);
    if (done != 1) ec = outcome(done, write_waits_for_);
    return written;
}

void tls_stream::shut_down(error_code& ec) {
    ec = {};
    if (failed_ || !established_) return;
    ERR_clear_error();
    errno = 0;
    const int done = SSL_shutdown(ssl_);
    if (done < 0) ec = outcome(done, write_waits_for_);
}

bool tls_stream::resumed() const { return SSL_session_reused(ssl_) == 1; }

std::string_view tls_stream::version() const { return SSL_get_version(ssl_); }

std::string_view tls_stream::cipher() const {
    const auto* const name = SSL_get_cipher_name(ssl_);
    return name == nullptr ? "" : name;
}

} // namespace broker
