#include "core/outbox.hpp"

#include "core/assert.hpp"

#include <algorithm>
#include <cstring>

namespace broker {

namespace {

// From here on a reference costs less than a copy: an extra gather element and two atomic operations.
constexpr std::size_t reference_from = 4 * 1024;
constexpr std::size_t segments_kept = 16; // room for them, while there are none

} // namespace

block_pool::block block_pool::take() {
    if (spare_.empty()) return std::make_unique_for_overwrite<std::uint8_t[]>(block_size);
    auto taken = std::move(spare_.back());
    spare_.pop_back();
    least_spare_ = std::min(least_spare_, spare_.size());
    return taken;
}

void block_pool::trim() {
    spare_.erase(spare_.begin(), spare_.begin() + static_cast<std::ptrdiff_t>(least_spare_)); // those behind were used last
    least_spare_ = spare_.size();
}

void block_pool::give_back(block b) {
    if (spare_.size() < spare_max_) spare_.push_back(std::move(b));
}

std::uint8_t* outbox::room(std::size_t size) {
    touch();
    bytes_ += size;
    if (segments_.size() > first_) {
        auto& last = segments_.back();
        const auto used = last.own ? static_cast<std::size_t>(last.data - last.own.get()) + last.size : 0;
        if (last.own && last.capacity - used >= size) {
            last.size += static_cast<std::uint32_t>(size);
            return last.own.get() + used;
        }
    }
    segment fresh;
    fresh.capacity = static_cast<std::uint32_t>(std::max(size, block_pool::block_size));
    fresh.own = fresh.capacity == block_pool::block_size ? pool_.take()
                                                         : std::make_unique_for_overwrite<std::uint8_t[]>(size);
    fresh.data = fresh.own.get();
    fresh.size = static_cast<std::uint32_t>(size);
    segments_.push_back(std::move(fresh));
    return segments_.back().own.get();
}

std::uint8_t* outbox::append(std::size_t size, frame_kind kind) {
    ++packets_;
    if (header_ == nullptr) return room(size);
    std::uint8_t header[16];
    const auto header_size = header_(header, kind, size);
    auto* const at = room(header_size + size);
    std::memcpy(at, header, header_size);
    return at + header_size;
}

void outbox::append(byte_view packet, frame_kind kind) {
    if (!packet.empty()) std::memcpy(append(packet.size(), kind), packet.data(), packet.size());
}

void outbox::append(byte_view head, const message_ptr& owner, byte_view tail, frame_kind kind) {
    const auto size = head.size() + owner->payload().size() + tail.size();
    if (compresses(size) && compressor_->append(*this, head, owner, tail, kind)) return;
    append_as_is(head, owner, tail, kind);
}

void outbox::append_as_is(byte_view head, const message_ptr& owner, byte_view tail, frame_kind kind) {
    const auto payload = owner->payload();
    const auto size = head.size() + payload.size() + tail.size();
    const auto copy = [](std::uint8_t* to, byte_view from) {
        if (!from.empty()) std::memcpy(to, from.data(), from.size());
        return to + from.size();
    };
    if (payload.size() < reference_from) {
        copy(copy(copy(append(size, kind), head), payload), tail);
        return;
    }
    ++packets_;
    std::uint8_t header[16];
    const auto header_size = header_ == nullptr ? 0 : header_(header, kind, size);
    copy(copy(room(header_size + head.size()), {header, header_size}), head);
    segments_.push_back({.own = nullptr, .owner = owner, .data = payload.data(), .size = static_cast<std::uint32_t>(payload.size()), .capacity = 0});
    bytes_ += payload.size();
    if (!tail.empty()) copy(room(tail.size()), tail);
}

void outbox::append_raw(byte_view bytes) {
    if (!bytes.empty()) std::memcpy(room(bytes.size()), bytes.data(), bytes.size());
}

std::size_t outbox::gather(std::span<byte_view> views) const {
    std::size_t filled = 0;
    for (std::size_t i = first_; i != segments_.size() && filled != views.size(); ++i) {
        if (segments_[i].size != 0) views[filled++] = {segments_[i].data, segments_[i].size};
    }
    return filled;
}

void outbox::release(segment& s) {
    if (s.own && s.capacity == block_pool::block_size) pool_.give_back(std::move(s.own));
    s = segment{};
}

void outbox::consume(std::size_t size) {
    BROKER_ASSERT(size <= bytes_);
    bytes_ -= size;
    while (first_ != segments_.size()) {
        auto& front = segments_[first_];
        const auto taken = static_cast<std::uint32_t>(std::min<std::size_t>(size, front.size));
        front.data += taken;
        front.size -= taken;
        size -= taken;
        if (front.size != 0) break;
        release(front);
        ++first_;
    }
    if (first_ == segments_.size()) {
        segments_.clear();
        if (segments_.capacity() > segments_kept) segments_.shrink_to_fit();
        first_ = 0;
    } else if (first_ > 64 && first_ * 2 > segments_.size()) {
        segments_.erase(segments_.begin(), segments_.begin() + static_cast<std::ptrdiff_t>(first_));
        first_ = 0;
    }
}

void outbox::clear() {
    for (auto& s : segments_) release(s);
    segments_.clear();
    first_ = 0;
    bytes_ = 0;
}

} // namespace broker
