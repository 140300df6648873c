// A client's frames as bytes, and what a decoder makes of them.
#pragma once

#include "protocols/websocket/decode.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace broker::test {

// A client's frame, masked.
inline std::string frame(std::uint8_t first, std::string_view payload, std::string_view mask = "\x12\x34\x56\x78") {
    std::string f(1, static_cast<char>(first));
    if (payload.size() < 126) {
        f += static_cast<char>(0x80 | payload.size());
    } else {
        const int length_bytes = payload.size() < 0x10000 ? 2 : 8;
        f += length_bytes == 2 ? '\xfe' : '\xff';
        for (int i = length_bytes - 1; i >= 0; --i) f += static_cast<char>(payload.size() >> (8 * i) & 0xFF);
    }
    f += mask;
    for (std::size_t i = 0; i != payload.size(); ++i) f += static_cast<char>(payload[i] ^ mask[i & 3]);
    return f;
}

struct recorder : websocket::frame_handler {
    std::vector<std::string> events;
    std::string message;
    void on_data(byte_view piece, websocket::message_kind kind, bool begins, bool ends) override {
        if (begins) message.clear();
        message += as_text(piece);
        if (ends) events.push_back((kind == websocket::message_kind::text ? "text " : "binary ") + message);
    }
    void on_ping(byte_view p) override { events.push_back("ping " + std::string{as_text(p)}); }
    void on_pong(byte_view p) override { events.push_back("pong " + std::string{as_text(p)}); }
    void on_close(std::uint16_t code, std::string_view reason) override {
        events.push_back("close " + std::to_string(code) + " " + std::string{reason});
    }
};

} // namespace broker::test
