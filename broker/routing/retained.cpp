#include "routing/retained.hpp"

#include <fmt/format.h>

#include <mutex>

namespace broker {

retained::node* retained::node::child(std::string_view level) const {
    if (!children) return nullptr;
    const auto it = children->find(level);
    return it == children->end() ? nullptr : &it->second;
}

retained::node* retained::node::find(std::string_view topic) const {
    level_walk walk{topic};
    auto* at = child(walk.level());
    for (walk.next(); !walk.done() && at != nullptr; walk.next()) at = at->child(walk.level());
    return at;
}

retained::node& retained::node::made(std::string_view topic) {
    auto* at = this;
    for (level_walk walk{topic}; !walk.done(); walk.next()) {
        if (!at->children) at->children = std::make_unique<map>();
        auto it = at->children->lower_bound(walk.level());
        if (it == at->children->end() || it->first != walk.level()) {
            it = at->children->emplace_hint(it, std::string{walk.level()}, node{});
        }
        at = &it->second;
    }
    return *at;
}

bool retained::has_room(std::size_t messages, std::size_t more_bytes) const {
    return count() + messages <= bounds_.retained_messages_max && bytes() + more_bytes <= bounds_.retained_bytes_max;
}

retained::outcome retained::set(const message_ptr& m, bool room_is_sure) {
    const std::unique_lock lock{mutex_};
    auto* at = root_.find(m->topic());
    const bool known = at != nullptr && at->message;
    const auto freed = known ? at->message->footprint() : 0;
    if (!room_is_sure && !known && count() >= bounds_.retained_messages_max) return outcome::refused_count;
    if (!room_is_sure && bytes() - freed + m->footprint() > bounds_.retained_bytes_max) return outcome::refused_bytes;
    if (at == nullptr) at = &root_.made(m->topic());
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
        path.emplace_back(at, walk.level());
        at = at->child(walk.level());
        if (at == nullptr) return false;
    }
    if (!at->message || at->message->expires_at() > expired_by) return false;
    bytes_.fetch_sub(at->message->footprint(), std::memory_order_relaxed);
    count_.fetch_sub(1, std::memory_order_relaxed);
    at->message = nullptr;
    while (!path.empty() && !at->message && !at->children) {
        auto [parent, level] = path.back();
        path.pop_back();
        parent->children->erase(parent->children->find(level));
        if (parent->children->empty()) parent->children = nullptr;
        at = parent;
    }
    return true;
}

message_ptr retained::get_held(std::string_view topic) const {
    const auto* const at = root_.find(topic);
    return at == nullptr ? message_ptr{} : at->message;
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
    matcher(time_point now, std::vector<message_ptr>& into, std::size_t count_max, std::size_t visits_max)
        : now_{now}, into_{into}, count_left_{count_max}, visits_left_{visits_max} {}

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
        if (!first && !from) seen();
        if (stopped_) return;
        const auto below = [&](const node& next, behind b) {
            if (!last) return match_below(next, pattern.substr(slash + 1), false, b);
            if (!b) take(next);
        };
        if (level == "+") return each_child(at, first, from, below);
        if (from && !from->here && level < head(*from)) return;
        auto* const next = at.child(level);
        if (next == nullptr) return;
        visit(level, *next, from && !from->here && level == head(*from) ? behind{step(*from)} : std::nullopt, below);
    }

    // Where it stopped before the end.
    [[nodiscard]] std::optional<std::string> stopped() const { return stopped_; }

private:
    static std::string_view head(const position& p) { return p.levels.substr(0, p.levels.find('/')); }
    static position step(const position& p) {
        const auto slash = p.levels.find('/');
        if (slash == std::string_view::npos) return {.here = true};
        return {.levels = p.levels.substr(slash + 1)};
    }

    void take(const node& n) {
        seen();
        if (!n.message || n.message->expired(now_)) return;
        into_.push_back(n.message);
        if (--count_left_ == 0) stop();
    }
    void take_all(const node& at, behind from) {
        if (!from) take(at);
        each_child(at, false, from, [this](const node& n, behind b) { take_all(n, b); });
    }
    template <class Then>
    void each_child(const node& at, bool first, behind from, Then then) {
        if (!at.children || stopped_) return;
        auto it = from && !from->here ? at.children->lower_bound(head(*from)) : at.children->begin();
        for (; it != at.children->end() && !stopped_; ++it) {
            if (first && it->first.starts_with('$')) continue; // [MQTT-4.7.2-1]
            const bool reached = from && !from->here && it->first == head(*from);
            visit(it->first, it->second, reached ? behind{step(*from)} : std::nullopt, then);
        }
    }
    template <class Then>
    void visit(std::string_view level, const node& n, behind b, Then then) {
        path_.push_back(level);
        then(n, b);
        path_.pop_back();
    }
    void seen() {
        if (--visits_left_ == 0) stop();
    }
    // The node at hand is done, what is below it is not.
    void stop() { stopped_ = fmt::format("{}", fmt::join(path_, "/")); }

    time_point now_;
    std::vector<message_ptr>& into_;
    std::size_t count_left_;
    std::size_t visits_left_;
    std::vector<std::string_view> path_;
    std::optional<std::string> stopped_;
};

std::optional<std::string> retained::match(std::string_view pattern, time_point now, std::vector<message_ptr>& into,
                                           std::size_t count_max, std::size_t visits_max,
                                           std::optional<std::string_view> after) const {
    const auto lock = hold();
    matcher walk{now, into, count_max, visits_max};
    walk.match_below(root_, pattern, true, after ? matcher::behind{matcher::position{.levels = *after}} : std::nullopt);
    return walk.stopped();
}

} // namespace broker
