#include "protocols/stomp/parser.hpp"

#include "core/utf8.hpp"
#include "protocols/stomp/header_escape.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace broker::stomp {

namespace {

// Scratch that grew for one large frame is given back.
constexpr std::size_t scratch_kept = 1024;

void reset(std::string& scratch) {
    if (scratch.capacity() > scratch_kept) {
        std::string{}.swap(scratch);
    } else {
        scratch.clear();
    }
}

std::size_t size_before(char end, byte_view bytes) { return std::min(as_text(bytes).find(end), bytes.size()); }

} // namespace

void parser::fail(std::string_view code, std::string what) {
    error_ = parse_error{.code = code, .what = std::move(what), .receipt = std::string{header("receipt")}};
}

void parser::fail_over(limit_kind limit, std::string what) {
    fail("too_big", std::move(what));
    error_->over = limit;
}

std::string_view parser::header(std::string_view name) const {
    for (const auto& h : headers_) {
        const auto text = std::string_view{text_};
        if (text.substr(h.name, h.value - h.name) == name) return text.substr(h.value, h.end - h.value);
    }
    return {};
}

std::size_t parser::body_max() const {
    if (connected_) return bounds_.max_message_bytes;
    return bounds_.connect_bytes_max - std::min(head_size_, bounds_.connect_bytes_max);
}

std::size_t parser::feed(byte_view bytes, const std::function<bool(const frame&)>& handle) {
    std::size_t at = 0;
    while (at != bytes.size() && !error_) {
        const auto rest = bytes.subspan(at);
        switch (state_) {
        case state::between:
        case state::after_cr: at += between_frames(rest); break;
        case state::command:
        case state::header: at += take_line(rest); break;
        case state::body_sized: at += take_sized_body(rest); break;
        case state::body_nul: at += take_body(rest); break;
        case state::complete: break; // left below
        }
        if (state_ != state::complete || error_) continue;
        state_ = state::between;
        const bool go_on = handle(frame_);
        reset(body_);
        if (!go_on) break;
    }
    return at;
}

// Heart-beats, and the EOLs allowed behind a frame [STOMP12-FRAME-2].
std::size_t parser::between_frames(byte_view rest) {
    if (rest[0] == '\n') {
        state_ = state::between;
        return 1;
    }
    if (state_ == state::after_cr) {
        fail("protocol_error", "a carriage return without a line feed between frames");
        return 1;
    }
    if (rest[0] == '\r') {
        state_ = state::after_cr;
        return 1;
    }
    state_ = state::command;
    reset(text_);
    headers_.clear();
    head_size_ = 0;
    return take_line(rest);
}

std::size_t parser::take_line(byte_view rest) {
    const auto size = size_before('\n', rest);
    const bool whole = size != rest.size();
    const auto piece = as_text(rest.first(size));
    // [STOMP12-LIMIT-1]: refused while it arrives, not when it is complete
    if (line_.size() + size > bounds_.stomp_header_line_max) {
        fail_over(limit_kind::header_line, fmt::format("header line over the limit of {} bytes", bounds_.stomp_header_line_max));
        return rest.size();
    }
    head_size_ += size + (whole ? 1 : 0);
    if (!connected_ && head_size_ > bounds_.connect_bytes_max) {
        fail_over(limit_kind::connect_bytes, fmt::format("CONNECT frame over the limit of {} bytes", bounds_.connect_bytes_max));
        return rest.size();
    }
    if (piece.find('\0') != std::string_view::npos) { // [STOMP12-BNF-3]: the peer believes its frame over
        fail("protocol_error", "NUL inside a command or header line; an empty line must end the headers");
        return rest.size();
    }
    auto line = piece;
    if (!whole || !line_.empty()) {
        line_ += piece;
        if (!whole) return size;
        line = line_;
    }
    if (line.ends_with('\r')) line.remove_suffix(1); // [STOMP12-FRAME-1]; earlier versions' clients write it as well
    if (connected_ && version_ == version::v1_2 && line.find('\r') != std::string_view::npos) { // [STOMP12-BNF-2]
        fail("protocol_error", "a carriage return inside a line that is not written \\r");
    } else if (!is_utf8(line)) {
        fail("bad_utf8", "a command or header line is not UTF-8"); // [STOMP12-ENC-5] [STOMP12-TYPE-4]
    } else if (state_ == state::command) {
        on_command(line);
    } else if (line.empty()) {
        on_header_end();
    } else {
        on_header(line);
    }
    reset(line_);
    return size + 1;
}

void parser::on_command(std::string_view line) {
    // Whoever speaks something else here, HTTP say, is told now and not when the connect timeout ends [STOMP12-CONNECT-4].
    if (!connected_ && line != "CONNECT" && line != "STOMP") {
        return fail("protocol_error", "the first frame must be CONNECT or STOMP");
    }
    text_ = line;
    command_size_ = line.size();
    state_ = state::header;
}

void parser::on_header(std::string_view line) {
    if (headers_.size() == bounds_.stomp_headers_max) {
        return fail_over(limit_kind::headers, fmt::format("more than {} headers", bounds_.stomp_headers_max));
    }
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) {
        return fail("protocol_error", fmt::format("a header line has no colon: {}", utf8_prefix(line, 80)));
    }
    if (colon == 0) return fail("protocol_error", "a header without a name"); // [STOMP12-BNF-1]
    auto value = line.substr(colon + 1);
    if (version_ == version::v1_0 && connected_) { // 1.0 allows padding; later versions never trim [STOMP12-ENC-6]
        value.remove_prefix(std::min(value.find_first_not_of(' '), value.size()));
    }
    header_at h{.name = text_.size()};
    bool defined = append_unescaped(text_, line.substr(0, colon), escaping());
    h.value = text_.size();
    defined = defined && append_unescaped(text_, value, escaping());
    h.end = text_.size();
    if (!defined) {
        text_.resize(h.name);
        return fail("protocol_error",
                    fmt::format("undefined escape sequence in header {}", utf8_prefix(line.substr(0, colon), 80)));
    }
    headers_.push_back(h);
}

void parser::on_header_end() {
    const auto text = std::string_view{text_};
    frame_.command = text.substr(0, command_size_);
    frame_.headers.clear();
    for (const auto& h : headers_) {
        frame_.headers.emplace_back(text.substr(h.name, h.value - h.name), text.substr(h.value, h.end - h.value));
    }
    frame_.body = {};
    const auto length = frame_.find("content-length");
    if (!length) {
        state_ = state::body_nul;
        return;
    }
    std::uint64_t size = 0;
    auto digits = *length;
    if (!connected_) digits.remove_prefix(std::min(digits.find_first_not_of(' '), digits.size())); // 1.0's padding
    const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), size);
    if (ec == std::errc::result_out_of_range) size = ~std::uint64_t{0};
    if (ec == std::errc::invalid_argument || end != digits.data() + digits.size()) {
        return fail("protocol_error", "content-length is not a number");
    }
    if (size > body_max()) return fail_over(body_limit(), fmt::format("body over the limit of {} bytes", body_max()));
    body_size_ = size;
    state_ = state::body_sized;
}

// [STOMP12-LENGTH-1]: NULs among them are part of the body.
std::size_t parser::take_sized_body(byte_view rest) {
    std::size_t taken = 0;
    if (body_.empty() && rest.size() > body_size_) {
        frame_.body = rest.first(body_size_);
        taken = body_size_;
    } else {
        taken = std::min(body_size_ - body_.size(), rest.size());
        body_ += as_text(rest.first(taken));
        if (taken == rest.size()) return taken;
        frame_.body = as_bytes(body_);
    }
    if (rest[taken] != 0) { // [STOMP12-LENGTH-2]
        fail("protocol_error", "no NUL behind the body that content-length describes");
    } else {
        state_ = state::complete;
    }
    return taken + 1;
}

std::size_t parser::take_body(byte_view rest) {
    const auto size = size_before('\0', rest);
    if (body_.size() + size > body_max()) {
        fail_over(body_limit(), fmt::format("body over the limit of {} bytes", body_max()));
        return rest.size();
    }
    if (size == rest.size()) {
        body_ += as_text(rest);
        return size;
    }
    frame_.body = rest.first(size);
    if (!body_.empty()) {
        body_ += as_text(frame_.body);
        frame_.body = as_bytes(body_);
    }
    state_ = state::complete;
    return size + 1;
}

} // namespace broker::stomp
