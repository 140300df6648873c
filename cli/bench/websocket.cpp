#include "cli/bench/websocket.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace broker::cli::bench::websocket {

namespace {

// RFC 6455 §1.3: the example's key and its answer. A key proves nothing; it keeps caches from answering.
constexpr std::string_view key = "dGhlIHNhbXBsZSBub25jZQ==";
constexpr std::string_view accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
constexpr std::size_t head_max = 16 * 1024;

bool is_control(opcode what) { return static_cast<unsigned>(what) >= 8; }

std::size_t header_size(unsigned char second) {
    switch (second & 0x7F) {
    case 126: return 4;
    case 127: return 10;
    default: return 2;
    }
}

} // namespace

std::string request(const upgrade& u) {
    return fmt::format("GET {} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                       "Sec-WebSocket-Key: {}\r\nSec-WebSocket-Protocol: {}\r\n{}\r\n",
                       u.path, u.host, key, u.subprotocols,
                       u.authorization.empty() ? "" : fmt::format("Authorization: {}\r\n", u.authorization));
}

std::expected<std::optional<std::size_t>, refusal> accepted(std::string_view bytes) {
    const auto end = bytes.find("\r\n\r\n");
    if (end == std::string_view::npos) {
        if (bytes.size() > head_max) return std::unexpected{refusal{.why = "what answers is no WebSocket server"}};
        return std::nullopt;
    }
    const auto head = bytes.substr(0, end);
    const auto line = head.substr(0, head.find("\r\n"));
    unsigned status = 0;
    if (line.starts_with("HTTP/1.1 ")) (void)std::from_chars(line.data() + 9, line.data() + line.size(), status);
    if (status == 0) return std::unexpected{refusal{.why = "what answers is no WebSocket server"}};
    if (status != 101) return std::unexpected{refusal{.status = status, .why = fmt::format("the upgrade to WebSocket: {}", line.substr(9))}};
    if (!head.contains(accept)) return std::unexpected{refusal{.status = status, .why = "the upgrade to WebSocket: a wrong Sec-WebSocket-Accept"}};
    return end + 4;
}

void writer::begin(std::string& to, opcode what, std::size_t size) {
    const auto put = [&to](std::uint64_t value, unsigned bytes) {
        for (unsigned i = bytes; i != 0; --i) to.push_back(static_cast<char>(value >> (8 * (i - 1)) & 0xFF));
    };
    put(0x80U | static_cast<unsigned>(what), 1);
    if (size < 126) {
        put(0x80U | size, 1);
    } else if (size < 65'536) {
        put(0x80U | 126U, 1);
        put(size, 2);
    } else {
        put(0x80U | 127U, 1);
        put(size, 8);
    }
    // xorshift: another key for each frame. That it could be foretold matters to browsers, whose pages choose the payload.
    key_ ^= key_ << 13;
    key_ ^= key_ >> 17;
    key_ ^= key_ << 5;
    to.append(reinterpret_cast<const char*>(&key_), sizeof key_);
    from_ = to.size();
}

void writer::end(std::string& to) {
    char* at = to.data() + from_;
    const char* const last = to.data() + to.size();
    const std::uint64_t wide = std::uint64_t{key_} << 32 | key_;
    for (; last - at >= 8; at += 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, at, sizeof word);
        word ^= wide;
        std::memcpy(at, &word, sizeof word);
    }
    std::array<char, sizeof key_> mask{};
    std::memcpy(mask.data(), &key_, sizeof key_);
    for (std::size_t i = 0; at != last; ++at, ++i) *at = static_cast<char>(*at ^ mask[i % mask.size()]);
}

// header_ is whole. False: masked, or with reserved bits.
bool reader::begin_frame() {
    if ((header_[0] & 0x70) != 0 || (header_[1] & 0x80) != 0) return false;
    what_ = static_cast<opcode>(header_[0] & 0x0F);
    left_ = header_[1] & 0x7FU;
    if (left_ >= 126) {
        left_ = 0;
        for (std::size_t i = 2; i != header_size_; ++i) left_ = left_ << 8 | header_[i];
    }
    header_size_ = 0;
    control_.clear();
    return !is_control(what_) || left_ < 126;
}

std::optional<std::size_t> reader::take(std::span<char> bytes, const on_control& control) {
    char* to = bytes.data();
    const char* from = bytes.data();
    const char* const end = from + bytes.size();
    while (from != end) {
        if (left_ == 0) {
            header_[header_size_++] = static_cast<unsigned char>(*from++);
            if (header_size_ < 2 || header_size_ < header_size(header_[1])) continue;
            if (!begin_frame()) return std::nullopt;
        }
        const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(left_, static_cast<std::uint64_t>(end - from)));
        if (is_control(what_)) {
            control_.append(from, size);
        } else {
            std::memmove(to, from, size);
            to += size;
        }
        from += size;
        left_ -= size;
        if (left_ == 0 && is_control(what_)) control(what_, control_);
    }
    return static_cast<std::size_t>(to - bytes.data());
}

} // namespace broker::cli::bench::websocket
