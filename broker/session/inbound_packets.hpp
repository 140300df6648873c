// inbound_packets: the QoS 2 packets a client sent us and has not released, and from when on each is on disk. Nothing is allocated
// while there are none.
#pragma once

#include "core/ids.hpp"

#include <memory>
#include <optional>
#include <unordered_map>

namespace broker {

class inbound_packets {
public:
    void put(packet_id id, ticket at) {
        if (!known_) known_ = std::make_unique<known>();
        (*known_)[id] = at;
    }
    [[nodiscard]] std::optional<ticket> find(packet_id id) const {
        if (!known_) return std::nullopt;
        const auto it = known_->find(id);
        return it == known_->end() ? std::nullopt : std::optional{it->second};
    }
    [[nodiscard]] bool contains(packet_id id) const { return known_ && known_->contains(id); }
    bool erase(packet_id id) { // false: it was not there
        if (!known_ || known_->erase(id) == 0) return false;
        if (known_->empty()) known_.reset();
        return true;
    }
    [[nodiscard]] std::size_t size() const { return known_ ? known_->size() : 0; }
    template <class Visit>
    void for_each(Visit visit) const {
        if (!known_) return;
        for (const auto& [id, at] : *known_) visit(id, at);
    }

private:
    using known = std::unordered_map<packet_id, ticket>;
    std::unique_ptr<known> known_;
};

} // namespace broker
