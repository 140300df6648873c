#include "core/topic.hpp"

#include "core/utf8.hpp"

#include <algorithm>

namespace broker {

namespace {

// Not empty [MQTT-4.7.3-1], no U+0000 [MQTT-4.7.3-2], at most 65,535 bytes [MQTT-4.7.3-3] and within our own limits.
bool within(std::string_view text, const limits& bounds) {
    return !text.empty() && text.size() <= 0xFFFF && !limit_over(text, bounds) && text.find('\0') == std::string_view::npos && is_utf8(text);
}

} // namespace

bool wildcards_well_placed(std::string_view pattern) {
    for (level_walk walk{pattern}; !walk.done(); walk.next()) {
        const auto level = walk.level();
        if (level.size() > 1 && broker::has_wildcard(level)) return false; // [MQTT-4.7.1-2]
    }
    const auto rest = pattern.find('#'); // only as the last level [MQTT-4.7.1-1]
    return rest == std::string_view::npos || rest + 1 == pattern.size();
}

std::optional<limit_kind> limit_over(std::string_view topic, const limits& bounds) {
    if (topic.size() > bounds.max_topic_bytes) return limit_kind::topic_bytes;
    const auto slashes = static_cast<std::size_t>(std::ranges::count(topic, '/'));
    if (slashes >= bounds.max_topic_levels) return limit_kind::topic_levels;
    return std::nullopt;
}

bool is_topic_name(std::string_view name, const limits& bounds) { // without wildcards [MQTT-4.7.0-1]
    return within(name, bounds) && !has_wildcard(name);
}

std::optional<std::string_view> queue_name(std::string_view topic_name) {
    if (!topic_name.starts_with(queue_prefix) || topic_name.size() == queue_prefix.size()) return std::nullopt;
    return topic_name.substr(queue_prefix.size());
}

bool is_server_topic(std::string_view name) {
    return name.starts_with('$') && !queue_name(name) && !is_temporary(name);
}

std::optional<topic_filter> topic_filter::parse(std::string_view text, const limits& bounds) {
    if (!within(text, bounds)) return std::nullopt;
    topic_filter made;
    made.text_ = text;
    if (text.starts_with(share_prefix)) {
        const auto group = text.substr(share_prefix.size());
        const auto slash = group.find('/');
        // A share name, a slash and a filter [MQTT-4.8.2-1].
        if (slash == 0 || slash == std::string_view::npos || slash + 1 == group.size()) return std::nullopt;
        if (broker::has_wildcard(group.substr(0, slash))) return std::nullopt; // [MQTT-4.8.2-2]
        made.kind_ = kind::shared;
        made.group_size_ = slash;
        made.pattern_at_ = share_prefix.size() + slash + 1;
    } else if (queue_name(text)) {
        if (broker::has_wildcard(text)) return std::nullopt; // one queue at a time
        made.kind_ = kind::queue;
        made.pattern_at_ = queue_prefix.size();
    }
    if (!wildcards_well_placed(made.pattern())) return std::nullopt;
    return made;
}

bool topic_filter::has_wildcard() const { return broker::has_wildcard(pattern()); }

bool matches(std::string_view pattern, std::string_view name) {
    if (name.starts_with('$') && (pattern.starts_with('+') || pattern.starts_with('#'))) return false;
    level_walk filter{pattern};
    level_walk topic{name};
    for (; !filter.done(); filter.next(), topic.next()) {
        if (filter.level() == "#") return true; // also the parent level: "a/#" matches "a"
        if (topic.done()) return false;
        if (filter.level() != "+" && filter.level() != topic.level()) return false;
    }
    return topic.done();
}

} // namespace broker
