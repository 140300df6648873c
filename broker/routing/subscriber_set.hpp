// subscriber_set: who subscribed to one filter, each session once. Unordered; a plain vector, because a match copies it.
#pragma once

#include "routing/subscription.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

namespace broker {

struct slot;

struct trie_match { // one subscription, as a match finds it
    slot* to = nullptr;
    subscription_options options{};
};

class subscriber_set {
public:
    // True: it was there, its options are replaced [MQTT-3.8.4-3].
    bool insert(slot& to, const subscription_options& options);
    bool erase(const slot& to); // true: it was there

    [[nodiscard]] bool empty() const { return members_.empty(); }
    [[nodiscard]] std::span<const trie_match> members() const { return members_; }

private:
    // From here on a search through the members would be felt, so an index is kept; the gap keeps a set that grows and
    // shrinks around the threshold from building it over and over.
    static constexpr std::size_t indexed_from = 64;
    static constexpr std::size_t indexed_until = 32;

    [[nodiscard]] std::size_t position(const slot& to) const; // members_.size(): not there
    void build_index();

    std::vector<trie_match> members_;
    using positions = std::unordered_map<const slot*, std::uint32_t>;
    std::unique_ptr<positions> index_; // only in large sets
};

} // namespace broker
