#include "security/rule.hpp"

#include "core/topic.hpp"
#include "core/utf8.hpp"
#include "security/placeholder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

namespace broker::security {

namespace {

constexpr std::array<std::string_view, actions> names{"connect", "publish", "subscribe", "retain", "queue_read", "queue_write", "manage"};

std::optional<action_set> actions_named(std::string_view words) {
    action_set set;
    for (bool more = true; more;) {
        const auto comma = words.find(',');
        const auto word = words.substr(0, comma);
        more = comma != std::string_view::npos;
        if (more) words.remove_prefix(comma + 1);
        const auto* const found = std::ranges::find(names, word);
        if (word == "all") {
            for (std::size_t a = 0; a < actions; ++a) {
                if (all_of_messages.has(static_cast<action>(a))) set.add(static_cast<action>(a));
            }
        } else if (found != names.end()) {
            set.add(static_cast<action>(found - names.begin()));
        } else {
            return std::nullopt;
        }
    }
    return set;
}

// In a queue's filter the words for topics mean the queue.
action_set as_queue_actions(action_set set) {
    if (set.has(action::publish)) set.add(action::queue_write);
    if (set.has(action::subscribe)) set.add(action::queue_read);
    set.remove(action::publish);
    set.remove(action::subscribe);
    return set;
}

std::optional<std::string> wrong_with(std::string_view filter) {
    if (filter.empty()) return "it has no filter";
    if (filter.size() > 0xFFFF) return "its filter is longer than 65535 bytes";
    if (!is_utf8(filter) || filter.contains('\0')) return "its filter is not UTF-8 text";
    if (static_cast<std::size_t>(std::ranges::count(filter, '/')) >= topic_levels_max) {
        return fmt::format("its filter has more than {} levels", topic_levels_max);
    }
    auto pattern = filter;
    if (filter.starts_with(share_prefix)) {
        const auto group = filter.substr(share_prefix.size());
        const auto slash = group.find('/');
        if (slash == 0 || slash == std::string_view::npos || slash + 1 == group.size()) return "write $share/GROUP/FILTER";
        if (group.substr(0, slash) != "+" && has_wildcard(group.substr(0, slash))) return "a group is a name or +";
        pattern = group.substr(slash + 1);
    }
    if (!wildcards_well_placed(pattern)) return "+ must be a whole level and # the whole last level";
    if (const auto error = placeholder_error(filter)) return error;
    return std::nullopt;
}

} // namespace

std::string_view name(action a) { return names[static_cast<std::size_t>(a)]; }

result<rule, std::string> make_rule(effect what, action_set to, std::string_view filter, std::string_view origin) {
    if (const auto wrong = wrong_with(filter)) return fail(fmt::format("rule '{}': {}", filter, *wrong));
    if (filter.starts_with(queue_prefix)) {
        to = as_queue_actions(to);
    } else if (!to.has(action::publish) && !to.has(action::subscribe) && (to.has(action::queue_read) || to.has(action::queue_write))) {
        return fail(fmt::format("rule '{}': rights to queues need a filter that begins with {}", filter, queue_prefix));
    }
    if (to.empty()) return fail(fmt::format("rule '{}': it has no action", filter));
    return rule{.what = what, .to = to, .filter = std::string{filter}, .origin = std::string{origin}};
}

result<rule, std::string> parse_rule(std::string_view line, std::string_view origin) {
    const auto space = line.find(' ');
    const auto word = line.substr(0, space);
    if (word != "allow" && word != "deny") return fail(fmt::format("rule '{}': it must begin with allow or deny", line));
    const auto rest = space == std::string_view::npos ? std::string_view{} : line.substr(space + 1);
    const auto second = rest.find(' ');
    const auto set = actions_named(rest.substr(0, second));
    if (!set) {
        return fail(fmt::format("rule '{}': its actions are some of {}, or all; separated by commas", line, fmt::join(names, ", ")));
    }
    const auto filter = second == std::string_view::npos ? std::string_view{} : rest.substr(second + 1);
    return make_rule(word == "allow" ? effect::allow : effect::deny, *set, filter, origin);
}

std::string text(const rule& r) {
    std::string words;
    for (std::size_t a = 0; a < actions; ++a) {
        if (!r.to.has(static_cast<action>(a))) continue;
        if (!words.empty()) words += ',';
        words += names[a];
    }
    return fmt::format("{} {} {}", r.what == effect::allow ? "allow" : "deny", words, r.filter);
}

} // namespace broker::security
