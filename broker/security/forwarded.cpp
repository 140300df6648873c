#include "security/forwarded.hpp"

#include "security/text_lines.hpp"

#include <algorithm>
#include <charconv>
#include <ranges>

namespace broker::security {

namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
bool same_word(std::string_view a, std::string_view b) { return std::ranges::equal(a, b, {}, lower, lower); }

// The elements of all lines of this header, in order. Quotes may hold commas (RFC 7239 §4).
std::vector<std::string_view> elements(std::span<const header_line> headers, std::string_view name) {
    std::vector<std::string_view> made;
    for (const auto& h : headers) {
        if (!same_word(h.name, name)) continue;
        std::size_t from = 0;
        bool quoted = false;
        for (std::size_t i = 0; i <= h.value.size(); ++i) {
            if (i < h.value.size() && h.value[i] == '"') quoted = !quoted;
            if (i < h.value.size() && (quoted || h.value[i] != ',')) continue;
            made.push_back(trimmed(h.value.substr(from, i - from)));
            from = i + 1;
        }
    }
    return made;
}

// "192.0.2.1", "192.0.2.1:4711", "[2001:db8::1]", "[2001:db8::1]:4711", and as X-Forwarded-For has it "2001:db8::1".
std::optional<ip_address> node_address(std::string_view node) {
    if (node.starts_with('[')) {
        const auto end = node.find(']');
        return end == std::string_view::npos ? std::nullopt : ip_address::parse(node.substr(1, end - 1));
    }
    if (std::ranges::count(node, ':') == 1) node = node.substr(0, node.find(':'));
    return ip_address::parse(node);
}

// for=NODE among the pairs of an element (RFC 7239 §5.2).
std::optional<ip_address> forwarded_for(std::string_view element) {
    for (const auto part : std::views::split(element, ';')) {
        const auto pair = trimmed(std::string_view{part.begin(), part.end()});
        const auto equals = pair.find('=');
        if (equals == std::string_view::npos || !same_word(pair.substr(0, equals), "for")) continue;
        auto node = pair.substr(equals + 1);
        if (node.size() >= 2 && node.starts_with('"') && node.ends_with('"')) node = node.substr(1, node.size() - 2);
        return node_address(node);
    }
    return std::nullopt;
}

template <class Number>
std::optional<Number> whole_number(std::string_view text) {
    Number n = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), n);
    if (ec != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return n;
}

// "PROXY TCP4 SOURCE DESTINATION PORT PORT\r\n", at most 107 bytes.
proxy_outcome read_version_1(std::string_view text) {
    constexpr std::size_t most = 107;
    const auto end = text.substr(0, most).find("\r\n");
    if (end == std::string_view::npos) {
        if (text.size() < most) return more_bytes_needed{};
        return bad_proxy_header{"PROXY 1: no line end within 107 bytes"};
    }
    std::vector<std::string_view> words;
    for (const auto part : std::views::split(text.substr(0, end), ' ')) words.emplace_back(part.begin(), part.end());
    proxy_header made{.size = end + 2};
    if (words.size() >= 2 && words[1] == "UNKNOWN") return made;
    if (words.size() != 6 || (words[1] != "TCP4" && words[1] != "TCP6")) return bad_proxy_header{"PROXY 1: neither TCP4, TCP6 nor UNKNOWN with their fields"};
    made.source = ip_address::parse(words[2]);
    const auto port = whole_number<std::uint16_t>(words[4]);
    if (!made.source || words[2].contains(':') != (words[1] == "TCP6") || !ip_address::parse(words[3]) || !port || !whole_number<std::uint16_t>(words[5])) {
        return bad_proxy_header{"PROXY 1: an address or port that is none"};
    }
    made.port = *port;
    return made;
}

std::uint16_t u16(byte_view bytes) { return static_cast<std::uint16_t>(bytes[0] << 8 | bytes[1]); }

// TLVs: type, length, value.
template <class Use>
bool each_tlv(byte_view rest, const Use& use) {
    while (!rest.empty()) {
        if (rest.size() < 3) return false;
        const std::size_t size = u16(rest.subspan(1));
        if (rest.size() < 3 + size) return false;
        if (!use(rest[0], rest.subspan(3, size))) return false;
        rest = rest.subspan(3 + size);
    }
    return true;
}

// PP2_TYPE_SSL: flags, verify result, TLVs of its own.
bool read_tls(byte_view value, proxy_header& into) {
    if (value.size() < 5) return false;
    into.tls = (value[0] & 0x01) != 0;
    const bool verified = value[1] == 0 && value[2] == 0 && value[3] == 0 && value[4] == 0 && (value[0] & 0x06) != 0; // it showed a certificate
    return each_tlv(value.subspan(5), [&](std::uint8_t type, byte_view inner) {
        if (type == 0x22 && verified) into.common_name = as_text(inner);
        return true;
    });
}

constexpr std::string_view signature_2{"\r\n\r\n\0\r\nQUIT\n", 12};

proxy_outcome read_version_2(byte_view front) {
    if (front.size() < 16) return more_bytes_needed{};
    const std::size_t length = u16(front.subspan(14));
    if (front[12] >> 4 != 2 || (front[12] & 0x0F) > 1) return bad_proxy_header{"PROXY 2: an unknown version or command"};
    if (16 + length > proxy_header_bytes_max) return bad_proxy_header{"PROXY 2: longer than 2048 bytes"};
    if (front.size() < 16 + length) return more_bytes_needed{};
    proxy_header made{.size = 16 + length};
    const auto body = front.subspan(16, length);
    const auto family = front[13] >> 4;
    if ((front[12] & 0x0F) == 0 || (family != 1 && family != 2)) return made; // LOCAL, or no IP addresses
    const std::size_t each = family == 1 ? 4 : 16;
    if (body.size() < 2 * each + 4) return bad_proxy_header{"PROXY 2: its addresses are cut"};
    std::array<std::uint8_t, 16> bytes{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
    std::ranges::copy(body.first(each), bytes.begin() + static_cast<std::ptrdiff_t>(16 - each));
    made.source = ip_address::from_bytes(bytes);
    made.port = u16(body.subspan(2 * each));
    const bool good = each_tlv(body.subspan(2 * each + 4), [&](std::uint8_t type, byte_view value) { return type != 0x20 || read_tls(value, made); });
    if (!good) return bad_proxy_header{"PROXY 2: a field that is cut"};
    return made;
}

} // namespace

ip_address client_address(const ip_address& peer, std::span<const header_line> headers, const proxy_trust& of) {
    auto believed = peer;
    std::vector<std::string_view> hops;
    bool standard = false;
    for (const auto& name : of.headers) {
        hops = elements(headers, name);
        standard = name == "forwarded";
        if (!hops.empty()) break;
    }
    for (const auto hop : std::views::reverse(hops)) {
        if (!of.trusted.contain(believed)) break;
        const auto before = standard ? forwarded_for(hop) : node_address(hop);
        if (!before) break;
        believed = *before;
    }
    return believed;
}

proxy_outcome read_proxy_header(byte_view front) {
    const auto text = as_text(front);
    constexpr std::string_view signature_1 = "PROXY ";
    const auto begins = [text](std::string_view with) { return text.substr(0, with.size()) == with.substr(0, text.size()); };
    if (begins(signature_1)) return text.size() < signature_1.size() ? proxy_outcome{more_bytes_needed{}} : read_version_1(text);
    if (begins(signature_2)) return text.size() < signature_2.size() ? proxy_outcome{more_bytes_needed{}} : read_version_2(front);
    return no_proxy_header{};
}

} // namespace broker::security
