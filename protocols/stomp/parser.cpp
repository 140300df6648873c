#include "protocols/stomp/parser.hpp"

#include "core/utf8.hpp"
#include "protocols/stomp/header_escape.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace broker::stomp {

void parser::fail(std::string_view code, std::string what) {
    error_ = parse_error{.code = code, .what = std::move(what), .receipt = std::string{frame_.get("receipt")}};
}

std::size_t parser::body_max() const { return connected_ ? bounds_.max_message_bytes : bounds_.connect_bytes_max; }

std::size_t parser::feed(byte_view bytes, const std::function<bool(const frame&)>& handle) {
    std::size_t at = 0;
    while (at != bytes.size() && !error_) {
        switch (state_) {
        case state::between: // heart-beats and the EOLs allowed behind a frame
            if (bytes[at] == '\n' || bytes[at] == '\r') {
                ++at;
            } else {
                state_ = state::command;
                frame_ = {};
                head_size_ = 0;
            }
            break;
        case state::command:
        case state::header: {
            const auto rest = bytes.subspan(at);
            const auto* const end = std::find(rest.data(), rest.data() + rest.size(), '\n');
            const auto size = static_cast<std::size_t>(end - rest.data());
            if (line_.size() + size > bounds_.stomp_header_line_max) {
                fail("too_big", fmt::format("header line over the limit of {} bytes", bounds_.stomp_header_line_max));
                break;
            }
            head_size_ += size;
            if (!connected_ && head_size_ > bounds_.connect_bytes_max) {
                fail("too_big", fmt::format("CONNECT frame over the limit of {} bytes", bounds_.connect_bytes_max));
                break;
            }
            line_ += as_text(rest.first(size));
            at += size;
            if (at == bytes.size()) break;
            ++at;
            on_line();
            break;
        }
        case state::body_sized: {
            const auto take = std::min(body_size_ - body_.size(), bytes.size() - at);
            body_ += as_text(bytes.subspan(at, take));
            at += take;
            if (body_.size() == body_size_) state_ = state::end_nul;
            break;
        }
        case state::body_nul: {
            const auto rest = bytes.subspan(at);
            const auto* const end = std::find(rest.data(), rest.data() + rest.size(), 0);
            const auto size = static_cast<std::size_t>(end - rest.data());
            if (body_.size() + size > body_max()) {
                fail("too_big", fmt::format("body over the limit of {} bytes", body_max()));
                break;
            }
            body_ += as_text(rest.first(size));
            at += size;
            if (at != bytes.size()) state_ = state::end_nul;
            break;
        }
        case state::end_nul:
            if (bytes[at] != 0) {
                fail("protocol_error", "no NUL behind the body that content-length describes");
                break;
            }
            ++at;
            state_ = state::between;
            frame_.body = as_bytes(body_);
            const bool go_on = handle(frame_);
            body_.clear();
            if (body_.capacity() > 64 * 1024) std::string{}.swap(body_);
            if (!go_on) return at;
            break;
        }
        // A sized body of zero bytes, and a body that is complete, end without another byte.
        if (state_ == state::body_sized && body_.size() == body_size_) state_ = state::end_nul;
    }
    return at;
}

void parser::on_line() {
    auto line = std::exchange(line_, {});
    if (line.ends_with('\r')) line.pop_back(); // 1.2; harmless before
    if (!is_utf8(line) || line.find('\0') != std::string::npos) return fail("bad_utf8", "a header line is not UTF-8");
    if (state_ == state::command) {
        frame_.command = std::move(line);
        state_ = state::header;
        return;
    }
    if (line.empty()) return on_header_end();
    if (frame_.headers.size() == bounds_.stomp_headers_max) {
        return fail("too_big", fmt::format("more than {} headers", bounds_.stomp_headers_max));
    }
    const auto colon = line.find(':');
    if (colon == std::string::npos) return fail("protocol_error", "a header line has no colon: " + line.substr(0, 80));
    if (colon == 0) return fail("protocol_error", "a header without a name"); // header-name = 1*<...>
    // CONNECT and CONNECTED are not escaped, for 1.0's sake [STOMP12 §Value Encoding].
    const bool plain = !connected_;
    auto key = unescape(std::string_view{line}.substr(0, colon), plain ? version::v1_0 : version_);
    auto value = unescape(std::string_view{line}.substr(colon + 1), plain ? version::v1_0 : version_);
    if (!key || !value) return fail("protocol_error", "undefined escape sequence in header " + line.substr(0, colon));
    if (version_ == version::v1_0 && connected_) { // 1.0 allows padding behind the colon
        const auto first = value->find_first_not_of(' ');
        value->erase(0, std::min(first, value->size()));
    }
    frame_.headers.emplace_back(std::move(*key), std::move(*value));
}

void parser::on_header_end() {
    body_.clear();
    const auto length = frame_.find("content-length");
    if (!length) {
        state_ = state::body_nul;
        return;
    }
    std::uint64_t size = 0;
    const auto text = length->substr(std::min(length->find_first_not_of(' '), length->size()));
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), size);
    if (ec != std::errc{} || end != text.data() + text.size()) {
        return fail("protocol_error", "content-length is not a number");
    }
    if (size > body_max()) return fail("too_big", fmt::format("body over the limit of {} bytes", body_max()));
    body_size_ = size;
    state_ = state::body_sized;
    if (body_size_ == 0) state_ = state::end_nul;
}

} // namespace broker::stomp
