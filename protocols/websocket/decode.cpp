#include "protocols/websocket/decode.hpp"

#include "protocols/websocket/close_code.hpp"

#include <algorithm>
#include <cstring>

namespace broker::websocket {

namespace {

constexpr std::uint8_t continuation = 0x0;
constexpr std::uint8_t op_close = 0x8;
constexpr std::uint8_t op_ping = 0x9;
constexpr std::uint8_t op_pong = 0xA;

bool is_control(std::uint8_t opcode) { return (opcode & 0x8) != 0; }

// RFC 6455 §5.3, eight bytes at a time. `at` is the position in the frame's payload, modulo 4.
void unmask(std::span<std::uint8_t> bytes, const std::array<std::uint8_t, 4>& mask, std::size_t at) {
    std::array<std::uint8_t, 8> wide{};
    for (std::size_t i = 0; i != 8; ++i) wide[i] = mask[(at + i) & 3];
    std::uint64_t key = 0;
    std::memcpy(&key, wide.data(), 8);
    std::size_t i = 0;
    for (; i + 8 <= bytes.size(); i += 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, bytes.data() + i, 8);
        word ^= key;
        std::memcpy(bytes.data() + i, &word, 8);
    }
    for (; i != bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(bytes[i] ^ wide[i & 7]);
}

} // namespace

void decoder::fail(std::uint16_t code, std::string_view what) {
    const auto cause = code == 1007   ? close_cause::bad_utf8
                       : code == 1009 ? close_cause::too_big
                                      : close_cause::protocol_error;
    error_ = std::make_unique<decode_failure>(decode_failure{.code = code, .cause = cause, .what = what});
}

decoder::rest decoder::feed(std::span<std::uint8_t> bytes, frame_handler& to, inflater* inflate) {
    auto room = inflated_max;
    while (!error_ && !closed_) {
        if (!in_payload_) {
            if (!read_header(bytes)) return {};
            if (!begin_frame(inflate)) return {};
        }
        const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
        if (size == 0 && left_ != 0 && !stopped_) return {};
        const auto piece = bytes.first(size);
        bytes = bytes.subspan(size);
        unmask(piece, mask_, mask_at_);
        mask_at_ = static_cast<std::uint8_t>((mask_at_ + size) & 3);
        left_ -= size;
        if (compressed_ && !is_control(opcode_)) {
            const auto used = inflate_payload(piece, to, *inflate, room);
            if (stopped_) { // what was not used comes again, as it was
                const auto unused = piece.subspan(used);
                mask_at_ = static_cast<std::uint8_t>((mask_at_ - unused.size()) & 3);
                left_ += unused.size();
                unmask(unused, mask_, mask_at_);
                return rest{{unused.data(), unused.size() + bytes.size()}};
            }
            if (left_ == 0) in_payload_ = false;
            if (!error_ && !bytes.empty() && (room == 0 || !to.takes_more())) return bytes;
        } else {
            payload(piece, to);
            if (left_ == 0) in_payload_ = false;
        }
    }
    return {};
}

// Collects a whole header; false when more bytes are needed.
bool decoder::read_header(std::span<std::uint8_t>& bytes) {
    for (;;) {
        std::size_t needed = 2;
        if (header_size_ >= 2) {
            const auto length = header_[1] & 0x7F;
            needed = 2 + (length == 126 ? 2u : length == 127 ? 8u : 0u) + ((header_[1] & 0x80) != 0 ? 4u : 0u);
        }
        if (header_size_ == needed && needed > 2) return true;
        if (header_size_ == needed && (header_[1] & 0x80) == 0 && (header_[1] & 0x7F) < 126) return true;
        const auto take = std::min<std::size_t>(needed - header_size_, bytes.size());
        if (take == 0) return false;
        std::memcpy(header_.data() + header_size_, bytes.data(), take);
        header_size_ = static_cast<std::uint8_t>(header_size_ + take);
        bytes = bytes.subspan(take);
    }
}

bool decoder::begin_frame(inflater* inflate) {
    fin_ = (header_[0] & 0x80) != 0;
    opcode_ = header_[0] & 0x0F;
    std::size_t at = 2;
    left_ = header_[1] & 0x7F;
    if (left_ >= 126) {
        const std::size_t length_bytes = left_ == 126 ? 2 : 8;
        left_ = 0;
        for (std::size_t i = 0; i != length_bytes; ++i) left_ = left_ << 8 | header_[at++];
        const std::uint64_t shortest = length_bytes == 2 ? 126 : 0x10000;
        if (left_ < shortest) return fail(1002, "RFC 6455 §5.2: length is not in its shortest form"), false;
        if (left_ >> 63 != 0) return fail(1002, "RFC 6455 §5.2: length has its top bit set"), false;
    }
    const bool first_of_message = opcode_ == static_cast<std::uint8_t>(message_kind::text) || opcode_ == static_cast<std::uint8_t>(message_kind::binary);
    const bool compressed = (header_[0] & 0x40) != 0 && inflate != nullptr && first_of_message; // RFC 7692 §6
    if ((header_[0] & (compressed ? 0x30 : 0x70)) != 0) return fail(1002, "RFC 6455 §5.2: reserved bit set"), false;
    if ((header_[1] & 0x80) == 0) return fail(1002, "RFC 6455 §5.1: frame from a client is not masked"), false;
    std::copy_n(header_.begin() + static_cast<std::ptrdiff_t>(at), 4, mask_.begin());
    mask_at_ = 0;
    header_size_ = 0;
    in_payload_ = true;

    if (is_control(opcode_)) {
        if (opcode_ > op_pong) return fail(1002, "RFC 6455 §5.2: reserved opcode"), false;
        if (!fin_) return fail(1002, "RFC 6455 §5.5: fragmented control frame"), false;
        if (left_ > std::tuple_size_v<control_payload>) return fail(1002, "RFC 6455 §5.5: control frame over 125 bytes"), false;
        control_ = std::make_unique<control_payload>();
        control_size_ = 0;
        return true;
    }
    if (opcode_ > 0x2) return fail(1002, "RFC 6455 §5.2: reserved opcode"), false;
    if (opcode_ == continuation) {
        if (!in_message_) return fail(1002, "RFC 6455 §5.4: continuation without a message"), false;
    } else {
        if (in_message_) return fail(1002, "RFC 6455 §5.4: new message inside a fragmented one"), false;
        kind_ = static_cast<message_kind>(opcode_);
        in_message_ = true;
        message_begun_ = false;
        message_bytes_ = 0;
        compressed_ = compressed;
        if (compressed) inflate->begin();
        utf8_.reset();
    }
    message_bytes_ += left_;
    if (message_bytes_ > message_bytes_max_) return fail(1009, "message larger than limits.max_message"), false;
    return true;
}

void decoder::payload(std::span<std::uint8_t> piece, frame_handler& to) {
    if (is_control(opcode_)) {
        std::copy(piece.begin(), piece.end(), control_->begin() + control_size_);
        control_size_ = static_cast<std::uint8_t>(control_size_ + piece.size());
        if (left_ == 0) finish_control(to);
        return;
    }
    data(piece, fin_ && left_ == 0, to);
}

// A piece of a message as it is without compression.
void decoder::data(byte_view piece, bool ends, frame_handler& to) {
    if (kind_ == message_kind::text) { // RFC 6455 §8.1
        if (!utf8_.feed(piece) || (ends && !utf8_.complete())) return fail(1007, "RFC 6455 §8.1: text is not UTF-8");
    }
    const bool begins = !message_begun_;
    message_begun_ = true;
    if (ends) in_message_ = false;
    if (begins || ends || !piece.empty()) to.on_data(piece, kind_, begins, ends);
}

// Returns how much of it was used: all, unless stopped_ says otherwise.
std::size_t decoder::inflate_payload(byte_view piece, frame_handler& to, inflater& inflate, std::size_t& room) {
    const auto size = piece.size();
    stopped_ = false;
    for (;;) {
        const auto step = inflate.next(piece, fin_ && left_ == 0);
        if (step.now == inflater::state::broken) {
            // RFC 6455 §7.4.1: 1007 is for data that is not what its message says it is.
            error_ = std::make_unique<decode_failure>(
                decode_failure{.code = 1007, .cause = close_cause::protocol_error, .what = "RFC 7692 §7.2.2: the message is not compressed with deflate"});
            return size;
        }
        if (inflate.message_bytes() > message_bytes_max_) {
            fail(1009, "message larger than limits.max_message");
            return size;
        }
        const bool ends = step.now == inflater::state::done;
        if (ends || !step.piece.empty()) data(step.piece, ends, to);
        room -= std::min(room, step.piece.size());
        if (error_ || step.now != inflater::state::more) return size;
        stopped_ = room == 0 || !to.takes_more();
        if (stopped_) return size - piece.size();
    }
}

void decoder::finish_control(frame_handler& to) {
    const auto held = std::move(control_);
    const auto body = std::span{*held}.first(control_size_);
    if (opcode_ == op_ping) return to.on_ping(body);
    if (opcode_ == op_pong) return to.on_pong(body);
    if (opcode_ != op_close) return;
    if (body.size() == 1) return fail(1002, "RFC 6455 §5.5.1: close frame with one byte");
    std::uint16_t code = 1005;
    std::string_view reason;
    if (body.size() >= 2) {
        code = static_cast<std::uint16_t>(body[0] << 8 | body[1]);
        reason = as_text(body.subspan(2));
        if (!is_valid_close_code(code)) return fail(1002, "RFC 6455 §7.4: invalid close code");
        if (!is_utf8(reason)) return fail(1007, "RFC 6455 §5.5.1: close reason is not UTF-8");
    }
    closed_ = true;
    to.on_close(code, reason);
}

} // namespace broker::websocket
