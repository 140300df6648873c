// credentials: what a peer brings to prove who it is, and where an HTTP request carries it.
//
//   Authorization: Bearer TOKEN | Basic BASE64(user:password)   RFC 6750 §2.1, RFC 7617
//   ?access_token=TOKEN                                         the parameter's name is configured
//   Cookie: NAME=TOKEN                                          likewise; only together with a list of origins
//   Sec-WebSocket-Protocol: mqtt, bearer.TOKEN                  for browsers: the only header a page may set; never echoed
//
// Nothing here is ever logged: redacted() is what a log may show of a request's target.
#pragma once

#include "core/result.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace broker::security {

struct credentials {
    std::string user{};                   // a login; empty with a token
    std::optional<std::string> password{}; // may be a token: access_control.hpp tells
    std::string token{};                  // from a bearer source
    std::string certificate{};            // the name of the verified certificate that its TLS connection showed
    // But for the certificate: who shows one may prove something else.
    [[nodiscard]] bool none() const { return user.empty() && !password && token.empty(); }
    friend bool operator==(const credentials&, const credentials&) = default;
};

// Where tokens are looked for in a request. Empty names: not there.
struct credential_sources {
    bool authorization = true;
    std::string query = "access_token";
    std::string cookie{};
    bool subprotocol = true;
};

struct header_line {
    std::string_view name{};
    std::string_view value{};
};

inline constexpr std::string_view bearer_subprotocol = "bearer.";

// Of an HTTP request. Error (for the log and a 400 or 401; it never has the credential in it): malformed, a scheme that is not served, or
// more than one (RFC 6750 §2).
[[nodiscard]] result<credentials, std::string> credentials_in(std::string_view target, std::span<const header_line> headers,
                                                            const credential_sources& sources);

// The target with the parameter's value replaced by REDACTED, wherever and however often it is there.
[[nodiscard]] std::string redacted(std::string_view target, std::string_view parameter);

} // namespace broker::security
