#include "security/address.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include <arpa/inet.h>

namespace broker::security {

namespace {
constexpr std::array<std::uint8_t, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
constexpr unsigned mapped_bits = 96;

bool same_front(const ip_address& a, const ip_address& b, unsigned bits) {
    const auto whole = bits / 8;
    if (!std::equal(a.bytes().begin(), a.bytes().begin() + whole, b.bytes().begin())) return false;
    const auto rest = bits % 8;
    return rest == 0 || (a.bytes()[whole] ^ b.bytes()[whole]) >> (8 - rest) == 0;
}
} // namespace

std::optional<ip_address> ip_address::parse(std::string_view text) {
    const std::string ended{text}; // inet_pton stops at a NUL, and so would a name with one inside
    if (ended.contains('\0')) return std::nullopt;
    std::array<std::uint8_t, 16> bytes{};
    if (text.contains(':')) return ::inet_pton(AF_INET6, ended.c_str(), bytes.data()) == 1 ? std::optional{ip_address{bytes}} : std::nullopt;
    std::ranges::copy(mapped, bytes.begin());
    return ::inet_pton(AF_INET, ended.c_str(), bytes.data() + mapped.size()) == 1 ? std::optional{ip_address{bytes}} : std::nullopt;
}

bool ip_address::is_v4() const { return std::equal(mapped.begin(), mapped.end(), bytes_.begin()); }

bool ip_address::is_loopback() const { return is_v4() ? bytes_[mapped.size()] == 127 : *this == *parse("::1"); }

ip_address ip_address::site() const {
    auto front = bytes_;
    if (!is_v4()) std::fill(front.begin() + 8, front.end(), std::uint8_t{0});
    return ip_address{front};
}

std::string ip_address::text() const {
    std::array<char, INET6_ADDRSTRLEN> made{};
    if (is_v4()) {
        ::inet_ntop(AF_INET, bytes_.data() + mapped.size(), made.data(), made.size());
    } else {
        ::inet_ntop(AF_INET6, bytes_.data(), made.data(), made.size());
    }
    return made.data();
}

std::string ip_endpoint::text() const { return fmt::format(fmt::runtime(address.is_v4() ? "{}:{}" : "[{}]:{}"), address.text(), port); }

std::string networks::network::text() const {
    if (bits == 128) return base.text();
    return fmt::format("{}/{}", base.text(), base.is_v4() && bits >= mapped_bits ? bits - mapped_bits : bits);
}

result<networks, std::string> networks::parse(const std::vector<std::string>& entries) {
    networks made;
    for (const auto& entry : entries) {
        const auto slash = entry.find('/');
        const auto base = ip_address::parse(std::string_view{entry}.substr(0, slash));
        const auto wrong = [&](std::string_view what) { return fail(fmt::format("network '{}': {}", entry, what)); };
        if (!base) return wrong("write 10.0.0.0/8, 2001:db8::/32 or an address");
        const bool v4 = !entry.contains(':');
        unsigned bits = v4 ? 32 : 128;
        if (slash != std::string::npos) {
            const auto digits = std::string_view{entry}.substr(slash + 1);
            const auto most = bits;
            const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
            if (ec != std::errc{} || end != digits.data() + digits.size() || bits > most) return wrong(fmt::format("its prefix is 0 to {}", most));
        }
        if (v4) bits += mapped_bits;
        auto front = base->bytes();
        for (unsigned b = bits; b < 128; ++b) front[b / 8] = static_cast<std::uint8_t>(front[b / 8] & ~(0x80U >> b % 8));
        if (front != base->bytes()) return wrong(fmt::format("it has bits behind its prefix; write {}", ip_address::from_bytes(front).text()));
        made.list_.push_back({.base = *base, .bits = bits});
    }
    return made;
}

bool networks::contain(const ip_address& a) const {
    return std::ranges::any_of(list_, [&](const network& n) { return same_front(n.base, a, n.bits); });
}

} // namespace broker::security
