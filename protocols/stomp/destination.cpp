#include "protocols/stomp/destination.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace broker::stomp {

namespace {

constexpr std::string_view topic_prefix = "/topic/";
constexpr std::string_view stomp_queue_prefix = "/queue/";
constexpr std::string_view temp_queue_prefix = "/temp-queue/";

} // namespace

std::optional<std::string_view> own_temporary(std::string_view destination) {
    if (!destination.starts_with(temp_queue_prefix)) return std::nullopt;
    const auto name = destination.substr(temp_queue_prefix.size());
    if (name.find('/') != std::string_view::npos) return std::nullopt;
    return name;
}

// The MQTT spelling without looking at wildcards.
result<std::string_view, std::string> destinations::name_of(std::string_view destination, std::string& scratch) const {
    if (destination.starts_with(topic_prefix)) {
        const auto name = destination.substr(topic_prefix.size());
        if (!dotted_) return name;
        scratch = name;
        std::ranges::replace(scratch, '.', '/');
        return scratch;
    }
    if (destination.starts_with(stomp_queue_prefix)) {
        scratch = queue_prefix;
        scratch += destination.substr(stomp_queue_prefix.size());
        return scratch;
    }
    if (destination.starts_with(temp_queue_prefix)) {
        scratch = temporary_prefix;
        scratch += destination.substr(temp_queue_prefix.size());
        return scratch;
    }
    if (!destination.starts_with('/')) return destination;
    return fail(fmt::format("destination {}: known are /topic/NAME, /queue/NAME, /temp-queue/NAME and an MQTT topic name",
                            destination));
}

result<std::string_view, std::string> destinations::topic_of(std::string_view destination, std::string& scratch) const {
    const auto name = name_of(destination, scratch);
    if (!name) return name;
    const bool wildcard = name->contains('*') || name->contains('>');
    if (wildcard || !is_topic_name(*name, bounds_)) {
        return fail(fmt::format("destination {}: not a name to send to (empty, too long or with wildcards)", destination));
    }
    if (is_server_topic(*name)) {
        return fail(fmt::format("destination {}: names that begin with $ are the server's", destination));
    }
    return name;
}

result<topic_filter, std::string> destinations::filter_of(std::string_view destination, std::string_view group) const {
    std::string scratch;
    const auto name = name_of(destination, scratch);
    if (!name) return fail(name.error());
    if (is_temporary(*name)) {
        return fail(fmt::format("destination {}: only its owner receives from a temporary queue", destination));
    }
    // A group is one level: with a slash in it the rest of its name would become part of the filter.
    if (group.contains('/') || has_wildcard(group)) {
        return fail(fmt::format("x-group {}: a group's name has no slash and no wildcard", group));
    }
    std::string filter;
    if (name->starts_with(queue_prefix)) {
        // A queue is consumed by its name: what SEND cannot name cannot be consumed either.
        if (!queue_name(*name) || (name->contains('*') || name->contains('>'))) {
            return fail(fmt::format("destination {}: a queue has a name, without wildcards", destination));
        }
        filter = *name;
    } else {
        if (!group.empty()) filter = fmt::format("$share/{}/", group);
        bool first = true;
        for (level_walk walk{*name}; !walk.done(); walk.next()) {
            if (!first) filter += '/';
            first = false;
            const auto level = walk.level();
            filter += level == "*" ? "+" : level == ">" || level == "**" ? "#" : level;
        }
    }
    auto parsed = topic_filter::parse(filter, bounds_);
    if (!parsed) return fail(fmt::format("destination {}: not a valid name or wildcard expression", destination));
    return *parsed;
}

std::optional<limit_kind> destinations::over(std::string_view destination) const {
    std::string scratch;
    const auto name = name_of(destination, scratch);
    return name ? limit_over(*name, bounds_) : std::nullopt;
}

std::string destinations::destination_of(std::string_view topic) const {
    if (const auto queue = queue_name(topic)) return fmt::format("{}{}", stomp_queue_prefix, *queue);
    if (is_temporary(topic)) return fmt::format("{}{}", temp_queue_prefix, topic.substr(temporary_prefix.size()));
    std::string made{topic_prefix};
    made += topic;
    if (dotted_) std::ranges::replace(made.begin() + static_cast<std::ptrdiff_t>(topic_prefix.size()), made.end(), '/', '.');
    return made;
}

} // namespace broker::stomp
