// websocket: a client's side of RFC 6455 without I/O: the upgrade, and frames both ways. Messages are not told apart: what they carry
// is one stream of bytes, in which MQTT and STOMP find their own boundaries.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace broker::cli::bench::websocket {

enum class opcode : std::uint8_t { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };

struct upgrade {
    std::string host{}; // as in the URL, with the port
    std::string path{};
    std::string subprotocols{};
    std::string authorization{}; // value of the header; empty: none
};
[[nodiscard]] std::string request(const upgrade& u);

struct refusal {
    unsigned status = 0; // of HTTP; 0: that was no HTTP
    std::string why{};
};
// Of the bytes received so far: the size of the response head once it is whole and accepts; nothing yet; or a refusal.
[[nodiscard]] std::expected<std::optional<std::size_t>, refusal> accepted(std::string_view bytes);

// Appends whole, masked frames. begin() is followed by appending exactly `size` bytes and by end().
class writer {
public:
    explicit writer(std::uint32_t seed) : key_{seed | 1} {}
    void begin(std::string& to, opcode what, std::size_t size);
    void end(std::string& to);

private:
    std::uint32_t key_;
    std::size_t from_ = 0;
};

class reader {
public:
    // A whole control frame.
    using on_control = std::function<void(opcode, std::string_view)>;
    // Moves what data frames carry to the front of `bytes` and returns its size; nothing: not a server's frames.
    [[nodiscard]] std::optional<std::size_t> take(std::span<char> bytes, const on_control& control);

private:
    [[nodiscard]] bool begin_frame();

    std::array<unsigned char, 10> header_{};
    std::size_t header_size_ = 0; // 0: in a payload, or between frames
    std::uint64_t left_ = 0;      // of the payload
    opcode what_ = opcode::continuation;
    std::string control_{};
};

} // namespace broker::cli::bench::websocket
