// restored_handles: after a restart, the handles of deliveries that had begun (of QoS 1: when their client left), until their
// entries are handed over again under them [MQTT-4.4.0-1]. Nothing is allocated while there are none.
#pragma once

#include "core/ids.hpp"

#include <boost/unordered/unordered_flat_set.hpp>

#include <cstdint>
#include <memory>
#include <unordered_map>

namespace broker {

class restored_handles {
public:
    void add(message_id of, std::uint16_t handle) {
        if (!known_) known_ = std::make_unique<known>();
        known_->by_message.emplace(of, handle);
        known_->taken.insert(handle);
    }
    [[nodiscard]] bool contains(message_id of) const { return known_ && known_->by_message.contains(of); }
    [[nodiscard]] bool is_taken(std::uint16_t handle) const { return known_ && known_->taken.contains(handle); }
    [[nodiscard]] std::uint16_t handle_of(message_id of) const { return contains(of) ? known_->by_message.at(of) : std::uint16_t{0}; } // 0: it has none
    // 0: it has none.
    [[nodiscard]] std::uint16_t take(message_id of) {
        if (!contains(of)) return 0;
        const auto handle = known_->by_message.extract(of).mapped();
        known_->taken.erase(handle);
        if (known_->by_message.empty()) known_.reset();
        return handle;
    }
    template <class Visit>
    void for_each(Visit visit) const {
        if (!known_) return;
        for (const auto& [of, handle] : known_->by_message) visit(of);
    }

private:
    struct known {
        std::unordered_map<message_id, std::uint16_t> by_message{};
        boost::unordered_flat_set<std::uint16_t> taken{};
    };
    std::unique_ptr<known> known_;
};

} // namespace broker
