// wire: bytes to and from the broker: its Unix socket, or a TCP port, plain or with TLS.
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

struct ssl_ctx_st;
struct ssl_st;

namespace broker::cli {

struct unreachable : std::runtime_error { // no broker answers: exit status 3
    using std::runtime_error::runtime_error;
};

// Where the broker is.
struct endpoint {
    std::string socket{}; // path of its Unix socket; empty: by the others
    bool tls = false;
    std::string host{};
    std::string port{};
    std::string ca{}; // certificates that are trusted (PEM); empty: those of the system
};
// http://HOST:PORT, https://HOST:PORT. Throws std::runtime_error, one line.
[[nodiscard]] endpoint endpoint_of(const std::string& url, const std::string& ca);

// A client's side of TLS. `ca`: certificates that are trusted (PEM); empty: those of the system. The caller frees what it gets.
[[nodiscard]] ssl_ctx_st* tls_trusting(const std::string& ca); // throws std::runtime_error, one line
// Its name, or its address, must be in the certificate.
[[nodiscard]] ssl_st* tls_expecting(ssl_ctx_st* context, const std::string& host);
[[nodiscard]] std::string why_tls_failed(ssl_st* handshake);

class wire {
public:
    explicit wire(const endpoint& to); // throws unreachable
    ~wire();
    wire(const wire&) = delete;
    wire& operator=(const wire&) = delete;

    void send(std::string_view bytes); // throws unreachable
    // What has come; 0: the end. Nothing: not within `patience`.
    [[nodiscard]] std::optional<std::size_t> receive(std::span<char> to, std::chrono::milliseconds patience);

private:
    void shake_hands(const endpoint& to);

    int fd_ = -1;
    ssl_ctx_st* context_ = nullptr;
    ssl_st* ssl_ = nullptr;
};

} // namespace broker::cli
