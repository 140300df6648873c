#include "protocols/mqtt/topic_alias.hpp"

#include <functional>

namespace broker::mqtt {

sent_topic_aliases::choice sent_topic_aliases::choose(std::string_view topic) {
    const auto hash = std::hash<std::string_view>{}(topic);
    for (std::size_t i = 0; i != hashes_.size(); ++i) {
        if (hashes_[i] != hash || topics_[i].topic != topic) continue;
        topics_[i].used = true;
        return {.alias = static_cast<std::uint16_t>(i + 1), .known = true};
    }
    if (topics_.size() < maximum_) return {.alias = static_cast<std::uint16_t>(topics_.size() + 1)};
    // One step of the hand per new topic: many topics that come once cost nothing and push nobody out.
    auto& candidate = topics_[hand_];
    if (!candidate.used) return {.alias = static_cast<std::uint16_t>(hand_ + 1)};
    candidate.used = false;
    hand_ = static_cast<std::uint16_t>((hand_ + 1) % maximum_);
    return {};
}

void sent_topic_aliases::set(std::uint16_t alias, std::string_view topic) {
    const std::size_t at = alias - 1U;
    if (at == topics_.size()) {
        hashes_.emplace_back();
        topics_.emplace_back();
    }
    hashes_[at] = std::hash<std::string_view>{}(topic);
    topics_[at].topic = topic;
    topics_[at].used = true;
}

} // namespace broker::mqtt
