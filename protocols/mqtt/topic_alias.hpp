// Topic aliases a client uses towards us (MQTT 5 §3.3.2.3.4). Bounded by the maximum we announced.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace broker::mqtt {

class topic_aliases {
public:
    explicit topic_aliases(std::uint16_t maximum) : maximum_{maximum} {}
    [[nodiscard]] bool allowed(std::uint16_t alias) const { return alias != 0 && alias <= maximum_; } // [MQTT-3.3.2-8, -9]
    void set(std::uint16_t alias, std::string_view topic) { topics_[alias] = topic; }
    [[nodiscard]] std::optional<std::string_view> find(std::uint16_t alias) const {
        const auto it = topics_.find(alias);
        if (it == topics_.end()) return std::nullopt;
        return it->second;
    }

private:
    std::uint16_t maximum_;
    std::unordered_map<std::uint16_t, std::string> topics_;
};

} // namespace broker::mqtt
