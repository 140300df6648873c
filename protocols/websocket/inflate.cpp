#include "protocols/websocket/inflate.hpp"

#include "core/assert.hpp"

#include <zlib.h>

#include <algorithm>
#include <limits>
#include <new>

namespace broker::websocket {

struct inflate_stream : z_stream {};

namespace {

constexpr std::array<std::uint8_t, 4> tail{0x00, 0x00, 0xFF, 0xFF}; // what the sender left out, RFC 7692 §7.2.2
constexpr int raw_bits_max = 15;

inflate_stream_ptr make_stream(int window_bits) {
    auto made = std::make_unique<inflate_stream>();
    if (inflateInit2(made.get(), -window_bits) != Z_OK) throw std::bad_alloc{};
    return inflate_stream_ptr{made.release()};
}

} // namespace

void inflate_stream_end::operator()(inflate_stream* s) const {
    inflateEnd(s);
    delete s;
}

inflate_stream_ptr inflate_pool::take() {
    if (spare_.empty()) return make_stream(raw_bits_max);
    auto taken = std::move(spare_.back());
    spare_.pop_back();
    inflateReset(taken.get());
    return taken;
}

void inflate_pool::give_back(inflate_stream_ptr s) {
    if (spare_.size() < spare_max) spare_.push_back(std::move(s));
}

inflater::~inflater() {
    if (stream_ && !keeps_context_) pool_.give_back(std::move(stream_));
}

void inflater::begin() {
    if (!stream_) stream_ = keeps_context_ ? make_stream(std::max<int>(window_bits_, 9)) : pool_.take();
    tail_used_ = 0;
    message_bytes_ = 0;
}

void inflater::end() {
    if (!keeps_context_) pool_.give_back(std::move(stream_));
    if (!keeps_context_) ended_ = false;
}

inflater::step inflater::next(byte_view& input, bool last) {
    const auto before = input.size();
    const auto taken = go_on(input, last);
    message_bytes_ += taken.piece.size();
    pool_.traffic().received_compressed += before - input.size();
    pool_.traffic().received_plain += taken.piece.size();
    return taken;
}

inflater::step inflater::go_on(byte_view& input, bool last) {
    BROKER_DEBUG_ASSERT(stream_);
    auto& z = *stream_;
    const auto to = pool_.piece();
    z.next_out = to.data();
    z.avail_out = static_cast<uInt>(to.size());
    const auto so_far = [&](state now) { return step{now, to.first(to.size() - z.avail_out)}; };
    for (;;) {
        const bool at_tail = input.empty() && last;
        const auto from = at_tail ? byte_view{tail}.subspan(tail_used_) : input;
        // A final block may be followed by others (RFC 7692 §7.2.3.4), which may refer to what was before it.
        if (ended_ && !from.empty()) {
            if (at_tail) { // nothing is left out behind it
                const auto result = so_far(tail_used_ == 0 ? state::done : state::broken);
                end();
                return result;
            }
            inflateResetKeep(&z); // unlike inflateReset() it leaves the window
            ended_ = false;
        }
        z.next_in = const_cast<Bytef*>(from.data()); // zlib does not write there
        z.avail_in = static_cast<uInt>(std::min<std::size_t>(from.size(), std::numeric_limits<uInt>::max()));
        const auto offered = z.avail_in;
        const int outcome = inflate(&z, Z_SYNC_FLUSH);
        const std::size_t used = offered - z.avail_in;
        if (at_tail) tail_used_ = static_cast<std::uint8_t>(tail_used_ + used);
        else input = input.subspan(used);
        if (outcome == Z_MEM_ERROR) throw std::bad_alloc{};
        if (outcome == Z_STREAM_END) ended_ = true;
        else if (outcome != Z_OK && outcome != Z_BUF_ERROR) return so_far(state::broken);
        if (z.avail_out == 0) return so_far(state::more);
        if (!input.empty() || (last && tail_used_ == 0 && !at_tail)) continue;
        if (!last) return so_far(state::hungry);
        if (ended_ && tail_used_ != 0) return so_far(state::broken);
        if (tail_used_ != tail.size()) continue;
        // Between blocks and with no bits left: what zlib says in data_type.
        constexpr int between_blocks = 128;
        constexpr int bits_left = 63;
        const auto result = so_far((z.data_type & between_blocks) != 0 && (z.data_type & bits_left) == 0 ? state::done : state::broken);
        end();
        return result;
    }
}

} // namespace broker::websocket
