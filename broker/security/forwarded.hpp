// forwarded: the address a connection really comes from, when a trusted proxy says so: Forwarded (RFC 7239), X-Forwarded-For,
// PROXY protocol 1 and 2. From anybody else nothing is believed: whoever calls this has looked at the peer's address.
#pragma once

#include "core/bytes.hpp"
#include "security/address.hpp"
#include "security/credentials.hpp"

#include <span>
#include <string>
#include <variant>
#include <vector>

namespace broker::security {

// What is believed of proxies in front of a listener.
struct proxy_trust {
    enum class protocol : std::uint8_t { off, optional, required };
    networks trusted{};
    // "x-forwarded-for", "forwarded"; the first that is there counts. Only those that the proxies write themselves: another one a client
    // can send through them.
    std::vector<std::string> headers{"x-forwarded-for"};
    protocol header = protocol::off; // the PROXY protocol's, of a trusted proxy: in front of everything
};

// Proxies append: read from the right, the first address that is no trusted proxy is the client. What is malformed, hidden
// ("unknown", "_name") or missing ends the search: the last one that was believed is the answer, `peer` at worst.
[[nodiscard]] ip_address client_address(const ip_address& peer, std::span<const header_line> headers, const proxy_trust& of);

// The first bytes of a connection from a proxy that speaks the PROXY protocol.
struct proxy_header {
    std::size_t size = 0;               // bytes it took; what follows is the client's
    std::optional<ip_address> source{}; // nothing: the proxy's own connection (health checks): the peer is the client
    std::uint16_t port = 0;
    std::optional<bool> tls{};          // 2 only: whether the client spoke TLS with the proxy
    std::string common_name{};          // of the client's certificate, if the proxy verified one
};
struct no_proxy_header {};  // these bytes do not begin with one
struct more_bytes_needed {};
struct bad_proxy_header {
    std::string_view why{}; // a literal
};
using proxy_outcome = std::variant<more_bytes_needed, no_proxy_header, bad_proxy_header, proxy_header>;

inline constexpr std::size_t proxy_header_bytes_max = 2'048;
[[nodiscard]] proxy_outcome read_proxy_header(byte_view front);

} // namespace broker::security
