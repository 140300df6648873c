// parser: bytes → frames, resumable at every byte, in time linear in the bytes.
//
//   frame  = *EOL command EOL *( header EOL ) EOL body NULL *EOL        EOL = [CR] LF
//   body   = content-length bytes, or up to the first NULL
//
// Limits are checked before bytes are kept. A frame that lies whole in the input is not copied, unescaped headers apart.
#pragma once

#include "core/counters.hpp"
#include "core/limits.hpp"
#include "protocols/stomp/frame.hpp"

#include <functional>
#include <string>

namespace broker::stomp {

struct parse_error {
    std::string_view code{"protocol_error"}; // the token of the ERROR frame
    std::string what{};
    std::string receipt{};                   // of the offending frame, when that header was read
    std::optional<limit_kind> over{};
};

class parser {
public:
    explicit parser(const limits& bounds) : bounds_{bounds} {}

    // How header lines are read from now on; the first frame is CONNECT and small.
    void set_version(version v) { version_ = v; }
    void set_connected() { connected_ = true; }

    // Calls `handle(frame)` for every complete frame until it returns false; returns how many bytes were consumed.
    // After error() nothing is consumed.
    std::size_t feed(byte_view bytes, const std::function<bool(const frame&)>& handle);
    [[nodiscard]] const std::optional<parse_error>& error() const { return error_; }

private:
    enum class state : std::uint8_t { between, after_cr, command, header, body_sized, body_nul, complete };

    // Each consumes some of `rest`, at least one byte, and returns how many.
    std::size_t between_frames(byte_view rest);
    std::size_t take_line(byte_view rest);
    std::size_t take_sized_body(byte_view rest);
    std::size_t take_body(byte_view rest);

    void on_command(std::string_view line);
    void on_header(std::string_view line);
    void on_header_end();
    void fail(std::string_view code, std::string what);
    void fail_over(limit_kind limit, std::string what);
    [[nodiscard]] std::string_view header(std::string_view name) const;
    [[nodiscard]] std::size_t body_max() const;
    [[nodiscard]] limit_kind body_limit() const { return connected_ ? limit_kind::message_bytes : limit_kind::connect_bytes; }
    // Header lines are read as 1.0's until the version is agreed on: CONNECT is not escaped [STOMP12-ENC-4].
    [[nodiscard]] version escaping() const { return connected_ ? version_ : version::v1_0; }

    // Where a header is in text_, which moves as it grows.
    struct header_at {
        std::size_t name = 0;
        std::size_t value = 0;
        std::size_t end = 0;
    };

    const limits& bounds_;
    version version_ = version::v1_2;
    bool connected_ = false;
    state state_ = state::between;
    std::string line_;               // a line that came in pieces
    std::string text_;               // command and headers of the frame under way, unescaped
    std::size_t command_size_ = 0;
    std::vector<header_at> headers_;
    std::string body_;               // a body that came in pieces
    std::size_t body_size_ = 0;
    std::size_t head_size_ = 0;
    frame frame_;
    std::optional<parse_error> error_;
};

} // namespace broker::stomp
