// tls_tickets: what a listener's session tickets are encrypted with (RFC 5077 §4). A key encrypts for half a day and decrypts for half a day
// more, longer than any session may be resumed; then it is gone from memory, and what was recorded of its sessions in TLS 1.2 stays closed
// to whoever breaks in later.
// Threading: any.
#pragma once

#include "core/time.hpp"

#include <array>
#include <mutex>
#include <optional>

struct evp_cipher_ctx_st;
struct evp_mac_ctx_st;
struct ssl_ctx_st;
struct ssl_st;

namespace broker {

class tls_tickets {
public:
    static constexpr seconds key_life{12 * 3600};

    tls_tickets();
    ~tls_tickets();
    tls_tickets(const tls_tickets&) = delete;
    tls_tickets& operator=(const tls_tickets&) = delete;

    // To be called now and then: a new key if the present one is as old as it may become.
    void rotate(time_point now);

    // Outlives the context and its connections.
    void serve(ssl_ctx_st* context);

private:
    struct key {
        std::array<unsigned char, 16> name{};
        std::array<unsigned char, 32> cipher{};
        std::array<unsigned char, 32> mac{};
    };
    [[nodiscard]] static key random_key();
    static int choose(ssl_st* connection, unsigned char* name, unsigned char* iv, evp_cipher_ctx_st* cipher, evp_mac_ctx_st* mac, int encrypts);

    std::mutex mutex_;
    key present_;
    std::optional<key> former_;
    std::optional<time_point> made_; // nothing: nobody has asked for the time yet
};

} // namespace broker
