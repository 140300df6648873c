// stream: one TCP connection that never blocks, plain or with TLS.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include <sys/socket.h>

struct ssl_ctx_st;
struct ssl_st;

namespace broker::cli::bench {

// Where all connections go, resolved once.
struct address {
    std::string host{}; // must be in its certificate
    sockaddr_storage at{};
    socklen_t size = 0;
    ssl_ctx_st* tls = nullptr; // null: without TLS; outlives the streams
};

// Throws broker::cli::unreachable: there is no such host.
[[nodiscard]] address resolve(const std::string& host, const std::string& port);

class stream {
public:
    enum class state : unsigned char { wants_read, wants_write, open, failed };

    explicit stream(const address& to);
    ~stream();
    stream(const stream&) = delete;
    stream& operator=(const stream&) = delete;

    [[nodiscard]] int fd() const { return fd_; }
    // Goes on connecting: until open or failed, called when what it wants is there.
    [[nodiscard]] state advance();
    // Why it failed or ended, one line.
    [[nodiscard]] const std::string& why() const { return why_; }

    // Bytes; 0: none for now; below 0: it has ended.
    [[nodiscard]] std::ptrdiff_t read(std::span<char> to);
    [[nodiscard]] std::ptrdiff_t write(std::string_view bytes);
    // With TLS: whether read() has more than the socket can tell.
    [[nodiscard]] bool is_tls() const { return ssl_ != nullptr; }
    void shut_down(); // our half

private:
    std::ptrdiff_t outcome(int result); // of an operation of TLS that did not succeed

    int fd_ = -1;
    ssl_st* ssl_ = nullptr;
    bool connected_ = false; // TCP
    std::string why_{};
};

} // namespace broker::cli::bench
