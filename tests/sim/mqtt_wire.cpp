#include "sim/mqtt_wire.hpp"

#include "session/backlog.hpp"

namespace broker::sim::mqtt_wire {

namespace {

std::size_t byte_at(std::string_view s, std::size_t at) { return static_cast<unsigned char>(s[at]); }

std::string variable(std::size_t value) {
    std::string bytes;
    do {
        bytes += static_cast<char>((value & 0x7F) | (value > 0x7F ? 0x80 : 0));
        value >>= 7;
    } while (value != 0);
    return bytes;
}

// Reads a variable byte integer and moves `at` behind it.
std::size_t take_variable(std::string_view s, std::size_t& at) {
    std::size_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
        const auto b = byte_at(s, at++);
        value |= (b & 0x7F) << shift;
        if ((b & 0x80) == 0) return value;
    }
}

} // namespace

std::string u16(std::size_t v) { return {static_cast<char>(v >> 8), static_cast<char>(v & 0xFF)}; }
std::string u32(std::size_t v) { return u16(v >> 16) + u16(v & 0xFFFF); }
std::string text(std::string_view s) { return u16(s.size()) + std::string{s}; }
std::string packet(int first, const std::string& body) {
    return std::string(1, static_cast<char>(first)) + variable(body.size()) + body;
}
std::string properties(bool v5, const std::string& block) { return v5 ? variable(block.size()) + block : ""; }

std::size_t u16_at(std::string_view body, std::size_t at) { return byte_at(body, at) << 8 | byte_at(body, at + 1); }

std::vector<packet_in> take_packets(std::string& bytes) {
    std::vector<packet_in> all;
    std::size_t at = 0;
    while (bytes.size() - at >= 2) {
        auto body = at + 1;
        const auto size = take_variable(bytes, body);
        if (bytes.size() - body < size) break;
        all.push_back({.type = static_cast<unsigned char>(bytes[at]) >> 4,
                       .flags = bytes[at] & 0x0F,
                       .body = bytes.substr(body, size)});
        at = body + size;
    }
    bytes.erase(0, at);
    return all;
}

std::string priority_property(unsigned priority) { return "\x26" + text("priority") + text(std::to_string(priority)); }

publish_in parse_publish(const packet_in& p, bool v5) {
    publish_in m{.dup = (p.flags & 8) != 0, .retain = (p.flags & 1) != 0, .level = static_cast<unsigned>(p.flags >> 1 & 3)};
    std::size_t at = 2 + u16_at(p.body, 0);
    m.topic = p.body.substr(2, at - 2);
    if (m.level != 0) {
        m.id = u16_at(p.body, at);
        at += 2;
    }
    if (v5) {
        m.priority = default_priority;
        const auto size = take_variable(p.body, at);
        const auto end = at + size;
        while (at < end) {
            switch (byte_at(p.body, at++)) {
            case 0x01: ++at; break;
            case 0x02:
                m.expiry_s = u16_at(p.body, at) << 16 | u16_at(p.body, at + 2);
                at += 4;
                break;
            case 0x03:
            case 0x08:
            case 0x09: at += 2 + u16_at(p.body, at); break;
            case 0x0B: (void)take_variable(p.body, at); break;
            case 0x26:
                if (p.body.compare(at, 10, text("priority")) == 0) m.priority = static_cast<unsigned>(byte_at(p.body, at + 12) - '0');
                at += 2 + u16_at(p.body, at);
                at += 2 + u16_at(p.body, at);
                break;
            default: at = end; break;
            }
        }
    }
    m.payload = p.body.substr(at);
    return m;
}

unsigned reason_of(const packet_in& p, bool v5) {
    return v5 && p.body.size() > 2 ? static_cast<unsigned>(byte_at(p.body, 2)) : 0;
}

std::string codes_of(const packet_in& p, bool v5) {
    std::size_t at = 2;
    if (v5) {
        const auto size = take_variable(p.body, at);
        at += size;
    }
    return p.body.substr(at);
}

} // namespace broker::sim::mqtt_wire
