// parser: bytes → frames, resumable at every byte.
//
//   frame  = *EOL command EOL *( header EOL ) EOL body NULL *EOL        EOL = [CR] LF
//   body   = content-length bytes, or up to the first NULL
//
// Limits are checked before bytes are kept.
#pragma once

#include "core/limits.hpp"
#include "protocols/stomp/frame.hpp"

#include <functional>

namespace broker::stomp {

struct parse_error {
    std::string_view code{"protocol_error"}; // the token of the ERROR frame
    std::string what{};
    std::string receipt{};                   // of the offending frame, when its headers were read
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
    enum class state : std::uint8_t { between, command, header, body_sized, body_nul, end_nul };

    void on_line();
    void on_header_end();
    void fail(std::string_view code, std::string what);
    [[nodiscard]] std::size_t body_max() const;

    const limits& bounds_;
    version version_ = version::v1_2;
    bool connected_ = false;
    state state_ = state::between;
    std::string line_;
    frame frame_;
    std::string body_;
    std::size_t body_size_ = 0;
    std::size_t head_size_ = 0;
    std::optional<parse_error> error_;
};

} // namespace broker::stomp
