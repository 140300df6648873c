#include "routing/server_topics.hpp"

#include "core/topic.hpp"

namespace broker {

void server_topics::set(const message_ptr& m) {
    const std::lock_guard lock{mutex_};
    if (const auto it = latest_.find(m->topic()); it != latest_.end()) {
        it->second = m;
    } else {
        latest_.emplace(m->topic(), m);
    }
}

void server_topics::match(std::string_view pattern, std::vector<message_ptr>& into) const {
    if (!pattern.starts_with('$')) return; // [MQTT-4.7.2-1]
    const std::lock_guard lock{mutex_};
    for (const auto& [topic, m] : latest_) {
        if (matches(pattern, topic)) into.push_back(m);
    }
}

} // namespace broker
