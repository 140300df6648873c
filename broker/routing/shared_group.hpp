// shared_group: the members of "$share/GROUP/FILTER", and whose turn it is (MQTT 5 §4.8.2).
#pragma once

#include "routing/subscriber_set.hpp"

#include <atomic>
#include <cstdint>

namespace broker {

class shared_group {
public:
    // Whoever gets the next publication: in turn among the members that are online, else among those that outlive
    // their connection; null if there is neither. Several threads may pick at once; members change only while none does.
    [[nodiscard]] const trie_match* pick() const;

    bool insert(slot& to, const subscription_options& options) { return members_.insert(to, options); }
    bool erase(const slot& to) { return members_.erase(to); }
    [[nodiscard]] bool empty() const { return members_.empty(); }

private:
    subscriber_set members_;
    mutable std::atomic<std::uint32_t> turn_{0}; // position of the next member to be asked, modulo their number
};

} // namespace broker
