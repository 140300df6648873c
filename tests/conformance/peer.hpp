// peer: the other side of one connection, on a blocking socket with time limits: plain TCP, or WebSocket with as much of
// RFC 6455 as a test needs. It knows nothing of the protocol inside.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace broker::test {

enum class transport : std::uint8_t {
    tcp,
    websocket,       // what is sent at once is one binary message
    websocket_bytes, // every byte is a message of its own
};

[[nodiscard]] std::string_view name(transport t);

class peer {
public:
    static constexpr std::chrono::seconds patience{5};

    // Does anybody accept connections there?
    [[nodiscard]] static bool answers(std::uint16_t port);

    // Throws std::runtime_error when the connection or the handshake fails.
    peer(transport over, std::uint16_t port, std::string_view subprotocol);
    ~peer();
    peer(const peer&) = delete;
    peer& operator=(const peer&) = delete;

    void send(std::string_view bytes);
    // One frame with this opcode, whatever the protocol thinks of it. WebSocket only.
    void send_frame(std::uint8_t opcode, std::string_view payload);

    // Waits for more and adds it to received(). False: the end, or nothing came for `patience` (ended() tells which).
    bool read_more() { return read_within(patience); }
    // What has arrived, if anything, without waiting for it.
    void look() { (void)read_within(std::chrono::milliseconds{0}); }

    [[nodiscard]] const std::string& received() const { return received_; }
    void forget_received() { received_.clear(); }
    // How received() came: WebSocket messages since the connection began.
    struct message {
        std::uint8_t opcode = 0; // 1: text, 2: binary
        std::size_t size = 0;
    };
    [[nodiscard]] const std::vector<message>& messages() const { return messages_; }
    [[nodiscard]] bool ended() const { return ended_; }
    [[nodiscard]] std::optional<std::uint16_t> close_code() const { return close_code_; } // of a WebSocket close frame
    [[nodiscard]] const std::string& response() const { return response_; }               // to the upgrade request

private:
    void shake_hands(std::string_view subprotocol);
    void write(std::string_view bytes);
    bool read_within(std::chrono::milliseconds limit);
    void take_frames();

    transport over_;
    int fd_ = -1;
    bool ended_ = false;
    std::string raw_; // WebSocket: incomplete frames
    std::string received_;
    std::vector<message> messages_;
    std::string response_;
    std::optional<std::uint16_t> close_code_;
};

} // namespace broker::test
