#include "routing/shared_group.hpp"

#include "session/slot.hpp"

namespace broker {

const trie_match* shared_group::pick() const {
    const auto members = members_.members();
    if (members.empty()) return nullptr;
    const auto first = turn_.fetch_add(1, std::memory_order_relaxed) % members.size();
    const trie_match* asleep = nullptr;
    std::uint32_t asleep_after = 0;
    const auto chosen = [this](const trie_match& m, std::uint32_t skipped) {
        // The turn passes over those skipped too; otherwise whoever follows them would be served twice as often.
        if (skipped != 0) turn_.fetch_add(skipped, std::memory_order_relaxed);
        return &m;
    };
    for (std::uint32_t skipped = 0; skipped != members.size(); ++skipped) {
        const auto at = first + skipped;
        const auto& m = members[at < members.size() ? at : at - members.size()];
        if (m.to->online.load(std::memory_order_relaxed)) return chosen(m, skipped);
        if (asleep == nullptr && m.to->durable.load(std::memory_order_relaxed)) {
            asleep = &m;
            asleep_after = skipped;
        }
    }
    return asleep == nullptr ? nullptr : chosen(*asleep, asleep_after);
}

} // namespace broker
