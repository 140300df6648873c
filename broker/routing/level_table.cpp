#include "routing/level_table.hpp"

#include "core/assert.hpp"

#include <bit>
#include <cstring>

namespace broker {

namespace {

// SipHash-1-3 (Aumasson and Bernstein, 2012): one round per eight bytes, three at the end.
class sip_state {
public:
    sip_state(std::uint64_t k0, std::uint64_t k1)
        : a_{k0 ^ 0x736f'6d65'7073'6575}, b_{k1 ^ 0x646f'7261'6e64'6f6d}, c_{k0 ^ 0x6c79'6765'6e65'7261},
          d_{k1 ^ 0x7465'6462'7974'6573} {}

    void take(std::uint64_t word) {
        d_ ^= word;
        round();
        a_ ^= word;
    }
    [[nodiscard]] std::uint64_t finish() {
        c_ ^= 0xFF;
        round();
        round();
        round();
        return a_ ^ b_ ^ c_ ^ d_;
    }

private:
    void round() {
        a_ += b_;
        b_ = std::rotl(b_, 13) ^ a_;
        a_ = std::rotl(a_, 32);
        c_ += d_;
        d_ = std::rotl(d_, 16) ^ c_;
        a_ += d_;
        d_ = std::rotl(d_, 21) ^ a_;
        c_ += b_;
        b_ = std::rotl(b_, 17) ^ c_;
        c_ = std::rotl(c_, 32);
    }

    std::uint64_t a_;
    std::uint64_t b_;
    std::uint64_t c_;
    std::uint64_t d_;
};

} // namespace

std::uint32_t level_table::hash(std::string_view text) const {
    sip_state state{secret_.first, secret_.second};
    auto last = static_cast<std::uint64_t>(text.size()) << 56;
    for (; text.size() >= 8; text.remove_prefix(8)) {
        std::uint64_t word = 0; // in the machine's byte order: the hash never leaves the process
        std::memcpy(&word, text.data(), 8);
        state.take(word);
    }
    for (std::size_t i = 0; i != text.size(); ++i) {
        last |= static_cast<std::uint64_t>(static_cast<unsigned char>(text[i])) << (8 * i);
    }
    state.take(last);
    return static_cast<std::uint32_t>(state.finish());
}

const level_table::slot_of* level_table::lookup(std::string_view text, std::uint32_t hashed) const {
    return index_.find(hashed, [&](const slot_of& s) { return levels_[s.id].text == text; });
}

level_id level_table::find(std::string_view text) const {
    const auto* const found = lookup(text, hash(text));
    return found == nullptr ? no_level : found->id;
}

level_id level_table::acquire(std::string_view text) {
    const auto hashed = hash(text);
    if (const auto* const found = lookup(text, hashed)) {
        ++levels_[found->id].uses;
        return found->id;
    }
    auto id = static_cast<level_id>(levels_.size());
    if (unused_.empty()) {
        levels_.emplace_back();
    } else {
        id = unused_.back();
        unused_.pop_back();
    }
    levels_[id] = {.text = std::string{text}, .uses = 1, .hash = hashed};
    index_.insert({.hash = hashed, .id = id});
    return id;
}

void level_table::release(level_id id) {
    auto& l = levels_[id];
    BROKER_DEBUG_ASSERT(l.uses != 0);
    if (--l.uses != 0) return;
    index_.erase(index_.find(l.hash, [id](const slot_of& s) { return s.id == id; }));
    l.text = std::string{}; // clear() would keep the capacity
    unused_.push_back(id);
}

} // namespace broker
