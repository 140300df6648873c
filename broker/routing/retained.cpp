#include "routing/retained.hpp"

#include <mutex>

namespace broker {

bool retained::has_room(std::size_t messages, std::size_t more_bytes) const {
    return count() + messages <= bounds_.retained_messages_max && bytes() + more_bytes <= bounds_.retained_bytes_max;
}

retained::outcome retained::set(const message_ptr& m, bool room_is_sure) {
    const std::unique_lock lock{mutex_};
    auto* at = &root_;
    for (level_walk walk{m->topic()}; !walk.done() && at != nullptr; walk.next()) {
        const auto it = at->children.find(walk.level());
        at = it == at->children.end() ? nullptr : it->second.get();
    }
    const bool known = at != nullptr && at->message;
    const auto freed = known ? at->message->footprint() : 0;
    if (!room_is_sure && !known && count() >= bounds_.retained_messages_max) return outcome::refused_count;
    if (!room_is_sure && bytes() - freed + m->footprint() > bounds_.retained_bytes_max) return outcome::refused_bytes;
    if (at == nullptr) {
        at = &root_;
        for (level_walk walk{m->topic()}; !walk.done(); walk.next()) {
            auto it = at->children.find(walk.level());
            if (it == at->children.end()) {
                it = at->children.emplace(walk.level(), std::make_unique<node>()).first;
            }
            at = it->second.get();
        }
    }
    at->message = m;
    bytes_.fetch_add(m->footprint() - freed, std::memory_order_relaxed);
    if (!known) count_.fetch_add(1, std::memory_order_relaxed);
    return known ? outcome::replaced : outcome::stored;
}

bool retained::erase(std::string_view topic) {
    const std::unique_lock lock{mutex_};
    std::vector<std::pair<node*, std::string_view>> path; // parent, level
    auto* at = &root_;
    for (level_walk walk{topic}; !walk.done(); walk.next()) {
        const auto it = at->children.find(walk.level());
        if (it == at->children.end()) return false;
        path.emplace_back(at, walk.level());
        at = it->second.get();
    }
    if (!at->message) return false;
    bytes_.fetch_sub(at->message->footprint(), std::memory_order_relaxed);
    count_.fetch_sub(1, std::memory_order_relaxed);
    at->message = nullptr;
    while (!path.empty() && !at->message && at->children.empty()) {
        auto [parent, level] = path.back();
        path.pop_back();
        parent->children.erase(parent->children.find(level));
        at = parent;
    }
    return true;
}

message_ptr retained::get(std::string_view topic, time_point now) const {
    const std::shared_lock lock{mutex_};
    const auto* at = &root_;
    for (level_walk walk{topic}; !walk.done(); walk.next()) {
        const auto it = at->children.find(walk.level());
        if (it == at->children.end()) return nullptr;
        at = it->second.get();
    }
    return at->message && !at->message->expired(now) ? at->message : message_ptr{};
}

void retained::match(std::string_view pattern, time_point now, std::vector<message_ptr>& into,
                     std::size_t count_max) const {
    const std::shared_lock lock{mutex_};
    match_below(root_, pattern, true, now, into, count_max);
}

// Depth is bounded by max_topic_levels: neither topics nor patterns have more.
void retained::match_below(const node& at, std::string_view pattern, bool first, time_point now,
                           std::vector<message_ptr>& into, std::size_t count_max) {
    const auto slash = pattern.find('/');
    const auto level = pattern.substr(0, slash);
    const bool last = slash == std::string_view::npos;
    const auto below = [&](const node& next) {
        if (into.size() >= count_max) return;
        if (!last) return match_below(next, pattern.substr(slash + 1), false, now, into, count_max);
        if (next.message && !next.message->expired(now)) into.push_back(next.message);
    };
    if (level == "#") { // also the parent: "a/#" matches "a"
        if (!first) return take_all(at, now, into, count_max);
        for (const auto& [name, next] : at.children) {
            if (!name.starts_with('$')) take_all(*next, now, into, count_max); // [MQTT-4.7.2-1]
        }
        return;
    }
    if (level == "+") {
        for (const auto& [name, next] : at.children) {
            if (first && name.starts_with('$')) continue;
            below(*next);
            // "+/#" matches the parent level as well: match_below sees to it, since '#' takes `next` itself.
        }
        return;
    }
    if (const auto it = at.children.find(level); it != at.children.end()) below(*it->second);
}

void retained::take_all(const node& at, time_point now, std::vector<message_ptr>& into, std::size_t count_max) {
    if (into.size() >= count_max) return;
    if (at.message && !at.message->expired(now)) into.push_back(at.message);
    for (const auto& [name, next] : at.children) take_all(*next, now, into, count_max);
}

} // namespace broker
