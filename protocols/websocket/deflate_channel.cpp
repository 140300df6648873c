#include "protocols/websocket/deflate_channel.hpp"

#include <algorithm>

namespace broker::websocket {

namespace {

frame_kind compressed(frame_kind kind) { return kind == frame_kind::text ? frame_kind::compressed_text : frame_kind::compressed_binary; }

} // namespace

bool deflate_channel::append(outbox& to, byte_view head, const message_ptr& owner, byte_view tail, frame_kind kind) {
    const auto plain = head.size() + owner->payload().size() + tail.size();
    auto& first = shop_.head;
    auto& last = shop_.tail;
    first.clear();
    last.clear();
    auto& traffic = shop_.traffic();
    if (keeps_context_) {
        if (!context_) context_ = std::make_unique<context_deflater>(std::min(window_bits_, context_window_bits));
        context_->deflate(first, head, owner->payload(), tail);
        to.append(as_bytes(first), compressed(kind));
        traffic.sent_compressed += first.size();
        traffic.sent_plain += plain;
        return true;
    }
    const auto& payload = shop_.payloads.deflated(owner, window_bits_);
    if (!payload) return false;
    append_stored(first, head);
    if (!tail.empty()) append_stored_tail(last, tail);
    const auto size = first.size() + payload->payload().size() + last.size();
    if (size >= plain) return false;
    to.append_as_is(as_bytes(first), payload, as_bytes(last), compressed(kind));
    traffic.sent_compressed += size;
    traffic.sent_plain += plain;
    return true;
}

void deflate_channel::keep(byte_view rest) { kept_ = std::make_unique<std::string>(as_text(rest)); }

std::string deflate_channel::take_kept() {
    const auto kept = std::move(kept_);
    return kept ? std::move(*kept) : std::string{};
}

} // namespace broker::websocket
