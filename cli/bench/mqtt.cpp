#include "cli/bench/mqtt.hpp"

#include <fmt/format.h>

namespace broker::cli::bench::mqtt {

namespace {

void put_number(std::string& to, std::size_t n) {
    to.push_back(static_cast<char>(n >> 8 & 0xFF));
    to.push_back(static_cast<char>(n & 0xFF));
}

void put_text(std::string& to, std::string_view text) {
    put_number(to, text.size());
    to += text;
}

void put_length(std::string& to, std::size_t n) {
    do {
        to.push_back(static_cast<char>((n & 0x7F) | (n > 0x7F ? 0x80U : 0U)));
        n >>= 7;
    } while (n != 0);
}

std::string framed(unsigned first, std::string_view rest) {
    std::string made(1, static_cast<char>(first));
    put_length(made, rest.size());
    return made += rest;
}

// What is beyond the end reads as 0; over() tells.
class cursor {
public:
    explicit cursor(std::string_view bytes) : bytes_{bytes} {}
    [[nodiscard]] bool empty() const { return bytes_.empty(); }
    [[nodiscard]] bool over() const { return over_; }
    [[nodiscard]] std::string_view rest() const { return bytes_; }
    std::string_view bytes(std::size_t n) {
        over_ |= n > bytes_.size();
        const auto some = bytes_.substr(0, n);
        bytes_.remove_prefix(some.size());
        return some;
    }
    std::uint8_t byte() {
        const auto one = bytes(1);
        return one.empty() ? std::uint8_t{0} : static_cast<std::uint8_t>(one.front());
    }
    std::uint16_t number() {
        const auto high = byte();
        return static_cast<std::uint16_t>(high << 8 | byte());
    }
    std::string_view text() { return bytes(number()); }
    std::size_t length() {
        std::size_t n = 0;
        for (unsigned shift = 0; shift != 28; shift += 7) {
            const auto b = byte();
            n |= static_cast<std::size_t>(b & 0x7F) << shift;
            if ((b & 0x80) == 0) return n;
        }
        over_ = true;
        return n;
    }

private:
    std::string_view bytes_;
    bool over_ = false;
};

// MQTT 5 §2.2.2.2: what each property's value is.
void read_properties(cursor& in, packet& p) {
    cursor properties{in.bytes(in.length())};
    while (!properties.empty() && !properties.over()) {
        switch (properties.byte()) {
        case 0x21: p.receive_maximum = properties.number(); break;
        case 0x13: p.keep_alive_s = properties.number(); break;
        case 0x1F: p.reason_string = properties.text(); break;
        case 0x01: case 0x17: case 0x19: case 0x24: case 0x25: case 0x28: case 0x29: case 0x2A: (void)properties.byte(); break;
        case 0x22: case 0x23: (void)properties.number(); break;
        case 0x02: case 0x11: case 0x18: case 0x27: (void)properties.bytes(4); break;
        case 0x0B: (void)properties.length(); break;
        case 0x26:
            (void)properties.text();
            (void)properties.text();
            break;
        default: (void)properties.text();
        }
    }
}

} // namespace

std::string connect(bool v5, const login& as) {
    std::string body;
    put_text(body, "MQTT");
    body.push_back(v5 ? 5 : 4);
    body.push_back(static_cast<char>(0x02U | (as.user.empty() ? 0U : 0x80U) | (as.password.empty() ? 0U : 0x40U))); // clean
    put_number(body, keep_alive_s);
    if (v5) body.push_back(0);
    put_text(body, as.client_id);
    if (!as.user.empty()) put_text(body, as.user);
    if (!as.password.empty()) put_text(body, as.password);
    return framed(0x10, body);
}

std::string subscribe(bool v5, std::string_view filter, unsigned qos) {
    std::string body;
    put_number(body, 1);
    if (v5) body.push_back(0);
    put_text(body, filter);
    body.push_back(static_cast<char>(qos));
    return framed(0x82, body);
}

std::string publish_head(bool v5, std::string_view topic, unsigned qos, std::size_t payload_size) {
    std::string head(1, static_cast<char>(0x30U | qos << 1));
    put_length(head, 2 + topic.size() + (qos == 0 ? 0U : 2U) + (v5 ? 1U : 0U) + payload_size);
    put_text(head, topic);
    return head;
}

void append_answer(std::string& to, type what, std::uint16_t id) {
    to.push_back(static_cast<char>(static_cast<unsigned>(what) << 4 | (what == type::pubrel ? 2U : 0U)));
    to.push_back(2);
    put_number(to, id);
}

std::expected<std::optional<packet>, std::string> take(std::string_view& bytes, bool v5) {
    if (bytes.size() < 2) return std::nullopt;
    std::size_t size = 0;
    std::size_t at = 1;
    for (unsigned shift = 0;; shift += 7) {
        if (shift == 28) return std::unexpected{"it sent a packet whose length takes five bytes"};
        if (at == bytes.size()) return std::nullopt;
        const auto b = static_cast<std::uint8_t>(bytes[at++]);
        size |= static_cast<std::size_t>(b & 0x7F) << shift;
        if ((b & 0x80) == 0) break;
    }
    if (bytes.size() - at < size) return std::nullopt;
    const auto first = static_cast<std::uint8_t>(bytes.front());
    packet p{.what = static_cast<type>(first >> 4), .flags = static_cast<std::uint8_t>(first & 0x0F)};
    cursor in{bytes.substr(at, size)};
    bytes.remove_prefix(at + size);
    switch (p.what) {
    case type::connack:
        (void)in.byte();
        p.reason = in.byte();
        if (v5) read_properties(in, p);
        break;
    case type::publish:
        (void)in.text();
        if (p.qos() != 0) p.id = in.number();
        if (v5) (void)in.bytes(in.length());
        p.payload = in.rest();
        break;
    case type::suback:
        p.id = in.number();
        if (v5) read_properties(in, p);
        p.reason = in.byte();
        break;
    case type::puback:
    case type::pubrec:
    case type::pubrel:
    case type::pubcomp: p.id = in.number(); [[fallthrough]];
    case type::disconnect:
        if (!in.empty()) p.reason = in.byte();
        if (!in.empty()) read_properties(in, p);
        break;
    case type::pingresp: break;
    default: return std::unexpected{fmt::format("it sent a packet that begins with 0x{:02x}", first)};
    }
    if (in.over()) return std::unexpected{fmt::format("it sent a packet that is cut off, type {}", first >> 4)};
    return p;
}

std::string words_for(const packet& p, bool v5) {
    const auto words = [&]() -> std::string_view {
        if (p.what == type::connack && !v5) {
            switch (p.reason) {
            case 1: return "unacceptable protocol version";
            case 2: return "client identifier rejected";
            case 3: return "server unavailable";
            case 4: return "bad user name or password";
            case 5: return "not authorized";
            default: return "refused";
            }
        }
        switch (p.reason) {
        case 0x04: return "disconnect with will message";
        case 0x82: return "protocol error";
        case 0x84: return "unsupported protocol version";
        case 0x85: return "client identifier not valid";
        case 0x86: return "bad user name or password";
        case 0x87: return "not authorized";
        case 0x88: return "server unavailable";
        case 0x89: return "server busy";
        case 0x8A: return "banned";
        case 0x8B: return "server shutting down";
        case 0x8C: return "bad authentication method";
        case 0x8D: return "keep alive timeout";
        case 0x8E: return "session taken over";
        case 0x8F: return "topic filter invalid";
        case 0x90: return "topic name invalid";
        case 0x93: return "receive maximum exceeded";
        case 0x95: return "packet too large";
        case 0x96: return "message rate too high";
        case 0x97: return "quota exceeded";
        case 0x98: return "administrative action";
        case 0x9F: return "connection rate exceeded";
        default: return "refused";
        }
    }();
    auto text = fmt::format("{} (0x{:02x})", words, p.reason);
    if (!p.reason_string.empty()) text += fmt::format(": {}", p.reason_string);
    return text;
}

bool is_not_authorised(const packet& p, bool v5) {
    if (p.what == type::connack && !v5) return p.reason == 4 || p.reason == 5;
    return p.reason == 0x86 || p.reason == 0x87 || p.reason == 0x8A || (p.what == type::suback && !v5 && p.reason == 0x80);
}

} // namespace broker::cli::bench::mqtt
