#include "routing/retained.hpp"

#include <algorithm>
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
    return erase_locked(topic, never);
}

bool retained::expire(std::string_view topic, time_point now) {
    const std::unique_lock lock{mutex_};
    return erase_locked(topic, now);
}

// Only a message that expires by then; `never`: any.
bool retained::erase_locked(std::string_view topic, time_point expired_by) {
    std::vector<std::pair<node*, std::string_view>> path; // parent, level
    auto* at = &root_;
    for (level_walk walk{topic}; !walk.done(); walk.next()) {
        const auto it = at->children.find(walk.level());
        if (it == at->children.end()) return false;
        path.emplace_back(at, walk.level());
        at = it->second.get();
    }
    if (!at->message || at->message->expires_at() > expired_by) return false;
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

message_ptr retained::get_held(std::string_view topic) const {
    const auto* at = &root_;
    for (level_walk walk{topic}; !walk.done(); walk.next()) {
        const auto it = at->children.find(walk.level());
        if (it == at->children.end()) return nullptr;
        at = it->second.get();
    }
    return at->message;
}

message_ptr retained::get(std::string_view topic, time_point now) const {
    const auto lock = hold();
    auto found = get_held(topic);
    return found && !found->expired(now) ? found : message_ptr{};
}

// One walk through the tree in its order: a node before its children, children by name. `behind` is where an earlier
// piece stopped, seen from the node at hand: nothing while the whole subtree lies ahead.
class retained::matcher {
public:
    matcher(time_point now, std::vector<message_ptr>& into, std::size_t count_max)
        : now_{now}, into_{into}, count_max_{count_max} {}

    struct position {
        std::string_view levels{};
        bool here = false; // the node at hand itself was the last
    };
    using behind = std::optional<position>;

    // Depth is bounded by max_topic_levels: neither topics nor patterns have more.
    void match_below(const node& at, std::string_view pattern, bool first, behind from) {
        const auto slash = pattern.find('/');
        const auto level = pattern.substr(0, slash);
        const bool last = slash == std::string_view::npos;
        if (level == "#") { // also the parent: "a/#" matches "a"
            return first ? each_child(at, true, from, [this](const node& n, behind b) { take_all(n, b); }) : take_all(at, from);
        }
        const auto below = [&](const node& next, behind b) {
            if (!last) return match_below(next, pattern.substr(slash + 1), false, b);
            if (!b) take(next);
        };
        if (level == "+") return each_child(at, first, from, below);
        if (from && !from->here && level < head(*from)) return;
        const auto it = at.children.find(level);
        if (it == at.children.end()) return;
        below(*it->second, from && !from->here && level == head(*from) ? behind{step(*from)} : std::nullopt);
    }

private:
    static std::string_view head(const position& p) { return p.levels.substr(0, p.levels.find('/')); }
    static position step(const position& p) {
        const auto slash = p.levels.find('/');
        if (slash == std::string_view::npos) return {.here = true};
        return {.levels = p.levels.substr(slash + 1)};
    }

    void take(const node& n) {
        if (n.message && !n.message->expired(now_) && into_.size() < count_max_) into_.push_back(n.message);
    }
    void take_all(const node& at, behind from) {
        if (!from) take(at);
        each_child(at, false, from, [this](const node& n, behind b) { take_all(n, b); });
    }
    template <class Visit>
    void each_child(const node& at, bool first, behind from, Visit visit) {
        auto it = at.children.begin();
        if (from && !from->here) it = at.children.lower_bound(head(*from));
        for (; it != at.children.end() && into_.size() < count_max_; ++it) {
            if (first && it->first.starts_with('$')) continue; // [MQTT-4.7.2-1]
            const bool reached = from && !from->here && it->first == head(*from);
            visit(*it->second, reached ? behind{step(*from)} : std::nullopt);
        }
    }

    time_point now_;
    std::vector<message_ptr>& into_;
    std::size_t count_max_;
};

void retained::match(std::string_view pattern, time_point now, std::vector<message_ptr>& into, std::size_t count_max,
                     std::optional<std::string_view> after) const {
    const auto lock = hold();
    matcher{now, into, into.size() + std::min(count_max, ~std::size_t{0} - into.size())}.match_below(
        root_, pattern, true, after ? matcher::behind{matcher::position{.levels = *after}} : std::nullopt);
}

} // namespace broker
