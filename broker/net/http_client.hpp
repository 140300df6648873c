// http_client: requests to one URL, for threads that may wait: keys of an issuer, questions to a hook. HTTP/1.1, each request on a
// connection of its own. Redirects are not followed: whoever answers is who was configured. With https the server's certificate and name
// are verified, TLS 1.2 at least.
// Threading: immutable; requests from any thread, each blocking its own.
#pragma once

#include "core/result.hpp"
#include "core/time.hpp"

#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>

namespace broker {

struct http_url {
    bool tls = false;
    std::string host{}; // an IPv6 address without its brackets
    std::uint16_t port = 0;
    std::string target{}; // "/keys?x=1"
};
// Error: one line. A user, a password or a fragment in it are refused.
[[nodiscard]] result<http_url, std::string> parse_http_url(std::string_view text);

class http_client {
public:
    struct settings {
        std::string ca_file{}; // PEM; empty: the authorities the system trusts
        milliseconds timeout{5'000}; // of a whole request. What the system's resolver takes beyond it comes on top
        std::size_t body_bytes_max = 256 * 1024; // of an answer
        bool plain_anywhere = false; // http:// to hosts that are not this one
    };
    struct header {
        std::string name{};
        std::string value{};
    };
    struct answer {
        unsigned status = 0;
        std::string body{};
    };
    struct failure {
        std::string what{}; // one line: "connect to 127.0.0.1:8080: Connection refused"
        bool timed_out = false;
    };

    // Error: one line: the URL, the file, what to do.
    [[nodiscard]] static result<http_client, std::string> make(std::string_view url, const settings& chosen);

    // Any status is an answer. `ending`: the request is given up then.
    [[nodiscard]] result<answer, failure> get(const std::stop_token& ending = {}) const;
    [[nodiscard]] result<answer, failure> post_json(std::string body, std::span<const header> headers, const std::stop_token& ending = {}) const;

private:
    struct parts;
    explicit http_client(std::shared_ptr<const parts> made) : parts_{std::move(made)} {}

    std::shared_ptr<const parts> parts_;
};

} // namespace broker
