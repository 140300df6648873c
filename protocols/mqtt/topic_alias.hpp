// Topic aliases (MQTT 5 §3.3.2.3.4). They live as long as the connection [MQTT-3.3.2-7].
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace broker::mqtt {

// Those a client uses towards us. Bounded by the maximum we announced.
class topic_aliases {
public:
    explicit topic_aliases(std::uint16_t maximum) : maximum_{maximum} {}
    [[nodiscard]] bool allowed(std::uint16_t alias) const { // [MQTT-3.3.2-8, MQTT-3.3.2-9, MQTT-3.3.2-12]
        return alias != 0 && alias <= maximum_;
    }
    void set(std::uint16_t alias, std::string_view topic) {
        if (!topics_) topics_ = std::make_unique<std::unordered_map<std::uint16_t, std::string>>();
        (*topics_)[alias] = topic;
    }
    [[nodiscard]] std::optional<std::string_view> find(std::uint16_t alias) const {
        if (!topics_) return std::nullopt;
        const auto it = topics_->find(alias);
        if (it == topics_->end()) return std::nullopt;
        return it->second;
    }

private:
    std::uint16_t maximum_;
    std::unique_ptr<std::unordered_map<std::uint16_t, std::string>> topics_; // null: none was set
};

// Those we use towards a client: the topics in use share the numbers it allows. When all are taken, a new topic gets the
// number of one that was not sent since the hand last passed; topics in steady use keep theirs.
class sent_topic_aliases {
public:
    explicit sent_topic_aliases(std::uint16_t maximum) : maximum_{maximum} {} // at least 1

    struct choice {
        std::uint16_t alias = 0; // 0: none this time
        bool known = false;      // the client has it: the topic may be left out
    };
    [[nodiscard]] choice choose(std::string_view topic);

    // The packet that tells the client topic and alias was written.
    void set(std::uint16_t alias, std::string_view topic);

private:
    struct entry {
        std::string topic{};
        bool used = true; // since the hand passed
    };

    std::uint16_t maximum_;
    std::uint16_t hand_ = 0;
    std::vector<std::size_t> hashes_; // beside topics_, so that looking for one runs through little memory
    std::vector<entry> topics_;       // alias - 1
};

} // namespace broker::mqtt
