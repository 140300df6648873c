// Frames from client to server (RFC 6455 §5), without I/O. Payload is unmasked where it lies and handed on in pieces as
// it arrives: nothing of a message is buffered here, only a partial header or control frame.
#pragma once

#include "core/bytes.hpp"
#include "core/close_reason.hpp"
#include "core/utf8.hpp"
#include "protocols/websocket/inflate.hpp"

#include <array>
#include <memory>
#include <optional>

namespace broker::websocket {

enum class message_kind : std::uint8_t { text = 0x1, binary = 0x2 };

class frame_handler {
public:
    virtual ~frame_handler() = default;
    // A piece of a message, perhaps empty. `begins`: its first; `ends`: its last.
    virtual void on_data(byte_view piece, message_kind kind, bool begins, bool ends) = 0;
    virtual void on_ping(byte_view payload) = 0;
    virtual void on_pong(byte_view payload) = 0;
    virtual void on_close(std::uint16_t code, std::string_view reason) = 0; // 1005: the frame had none
    // Asked between the pieces of a compressed message: false: the rest waits.
    [[nodiscard]] virtual bool takes_more() const { return true; }
};

struct decode_failure {
    std::uint16_t code = 1002;
    close_cause cause = close_cause::protocol_error;
    std::string_view what{}; // a literal: the broken rule
};

class decoder {
public:
    explicit decoder(std::size_t message_bytes_max) : message_bytes_max_{message_bytes_max} {}

    // Consumes all of `bytes`, changing them. After an error or a close frame the rest is ignored. With an inflater, which is always the
    // same, messages may be compressed (RFC 7692 §6), and what cannot be taken yet is returned, perhaps without any bytes: no more goes to the
    // handler in one call than inflated_max, or when it takes no more. The rest comes first in the next call.
    using rest = std::optional<std::span<std::uint8_t>>;
    rest feed(std::span<std::uint8_t> bytes, frame_handler& to, inflater* inflate = nullptr);
    static constexpr std::size_t inflated_max = 64 * 1024;
    [[nodiscard]] const decode_failure* error() const { return error_.get(); } // null: none
    [[nodiscard]] bool closed() const { return closed_; }

private:
    [[nodiscard]] bool read_header(std::span<std::uint8_t>& bytes);
    [[nodiscard]] bool begin_frame(inflater* inflate);
    void payload(std::span<std::uint8_t> piece, frame_handler& to);
    void data(byte_view piece, bool ends, frame_handler& to);
    [[nodiscard]] std::size_t inflate_payload(byte_view piece, frame_handler& to, inflater& inflate, std::size_t& room);
    void finish_control(frame_handler& to);
    void fail(std::uint16_t code, std::string_view what);

    using control_payload = std::array<std::uint8_t, 125>; // RFC 6455 §5.5

    // In the order of size: there may be a million of them.
    std::size_t message_bytes_max_;
    std::uint64_t left_ = 0;          // of this frame's payload
    std::uint64_t message_bytes_ = 0;
    std::unique_ptr<control_payload> control_; // of a control frame that is under way
    std::unique_ptr<const decode_failure> error_;
    std::array<std::uint8_t, 14> header_{};
    std::array<std::uint8_t, 4> mask_{};
    utf8_validator utf8_;
    std::uint8_t header_size_ = 0;
    std::uint8_t control_size_ = 0;
    std::uint8_t mask_at_ = 0;
    std::uint8_t opcode_ = 0;
    message_kind kind_ = message_kind::binary;
    bool in_payload_ = false;
    bool fin_ = false;
    bool in_message_ = false;    // a fragmented message is under way
    bool message_begun_ = false; // its first piece was handed on
    bool compressed_ = false;
    bool stopped_ = false;       // more of it could be inflated without any input
    bool closed_ = false;
};

} // namespace broker::websocket
