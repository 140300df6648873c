// address: IP addresses as values, and lists of networks.
#pragma once

#include "core/result.hpp"

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace broker::security {

// An IPv4 address is its mapped form ::ffff:a.b.c.d, so that both spellings of it are one.
class ip_address {
public:
    // "192.0.2.1", "2001:db8::1". Nothing: neither; zones ("%eth0") and ports are not part of an address.
    [[nodiscard]] static std::optional<ip_address> parse(std::string_view text);
    [[nodiscard]] static ip_address from_bytes(const std::array<std::uint8_t, 16>& bytes) { return ip_address{bytes}; }
    [[nodiscard]] std::string text() const;
    [[nodiscard]] bool is_v4() const;
    [[nodiscard]] bool is_loopback() const;
    // Whom to count and to ban: an IPv4 address alone, of IPv6 the /64, which one subscriber has.
    [[nodiscard]] ip_address site() const;
    [[nodiscard]] const std::array<std::uint8_t, 16>& bytes() const { return bytes_; }
    friend auto operator<=>(const ip_address&, const ip_address&) = default;

private:
    explicit ip_address(const std::array<std::uint8_t, 16>& bytes) : bytes_{bytes} {}
    std::array<std::uint8_t, 16> bytes_{};
};

struct ip_endpoint {
    ip_address address;
    std::uint16_t port = 0;
    [[nodiscard]] std::string text() const; // "192.0.2.1:4711", "[2001:db8::1]:4711"
};

class networks {
public:
    // "10.0.0.0/8", "2001:db8::/32", or one address. Error: the entry that is none; one with bits behind its prefix as well.
    [[nodiscard]] static result<networks, std::string> parse(const std::vector<std::string>& entries);
    [[nodiscard]] bool contain(const ip_address& a) const;
    [[nodiscard]] bool empty() const { return list_.empty(); }

    struct network {
        ip_address base;
        unsigned bits = 0; // of 128
        [[nodiscard]] std::string text() const; // an address alone has no prefix
    };
    [[nodiscard]] const std::vector<network>& all() const { return list_; }

private:
    std::vector<network> list_;
};

} // namespace broker::security

template <>
struct std::hash<broker::security::ip_address> {
    std::size_t operator()(const broker::security::ip_address& a) const noexcept {
        const auto& b = a.bytes();
        return std::hash<std::string_view>{}({reinterpret_cast<const char*>(b.data()), b.size()});
    }
};
