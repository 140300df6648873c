#include "storage/transients.hpp"

#include <algorithm>
#include <cstring>

namespace broker::storage {

// New keys end with the id of a message.
std::size_t transients::place_hash::operator()(const place& p) const {
    constexpr std::uint64_t odd = 0x9E37'79B9'7F4A'7C15;
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    const auto size = std::min<std::size_t>(p.key.size(), 8);
    std::memcpy(&first, p.key.data(), size);
    std::memcpy(&last, p.key.data() + p.key.size() - size, size);
    const auto mixed = (last ^ static_cast<std::uint64_t>(p.in)) * odd + first;
    return static_cast<std::size_t>((mixed ^ mixed >> 29) * odd >> 7 ^ mixed);
}

transients::answers transients::add(batch& b, time at) {
    answers found;
    const auto number = added_++;
    b.for_each([&](const batch::operation& o) {
        using kind = batch::operation::kind;
        const place where{o.in, o.key};
        if (o.is_new) {
            const auto [known, first] = fresh_.emplace(where, operation_at{&b, o.at, number, at});
            if (!first) fresh_.erase(known); // put twice: then it has to be erased
        } else if (o.what == kind::put) {
            fresh_.erase(where); // put again: then it has to be erased
        } else if (o.what == kind::erase) {
            const auto it = fresh_.find(where);
            if (it == fresh_.end()) return;
            if (o.is_answer) {
                it->second.of->drop(it->second.at);
                b.drop(o.at);
                ++found.count;
                found.after += at - it->second.since;
            } else {
                pairs_.push_back({.put = it->second, .erasure = {&b, o.at, number, at}});
            }
            fresh_.erase(it);
        }
    });
    return found;
}

std::size_t transients::close(std::span<batch* const> group) {
    closed_ += group.size();
    std::erase_if(pairs_, [&](const pair& p) {
        if (p.put.number >= closed_) return false;
        if (p.erasure.number < closed_) {
            p.put.of->drop(p.put.at);
            p.erasure.of->drop(p.erasure.at);
        }
        return true;
    });
    std::size_t left = 0;
    for (auto* const b : group) {
        b->for_each([&](const batch::operation& o) {
            if (!o.is_new) return;
            ++left;
            fresh_.erase(place{o.in, o.key});
        });
    }
    return left;
}

} // namespace broker::storage
