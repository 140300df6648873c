// What every HTTP answer says to a browser that shows it: it is no page, and nobody keeps or frames it.
#pragma once

#include <string_view>

namespace broker {

inline constexpr std::string_view security_headers = "X-Content-Type-Options: nosniff\r\n"
                                                     "Cache-Control: no-store\r\n"
                                                     "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n"
                                                     "Referrer-Policy: no-referrer\r\n"
                                                     "X-Frame-Options: DENY\r\n";
// RFC 6797 §7.1: only over TLS.
inline constexpr std::string_view strict_transport_header = "Strict-Transport-Security: max-age=31536000\r\n";

[[nodiscard]] constexpr std::string_view strict_transport(bool over_tls) { return over_tls ? strict_transport_header : std::string_view{}; }

} // namespace broker
