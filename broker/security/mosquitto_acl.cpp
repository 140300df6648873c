#include "security/mosquitto_acl.hpp"

#include "core/topic.hpp"
#include "core/utf8.hpp"
#include "security/text_lines.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace broker::security {

namespace {

constexpr action_set reading{action::subscribe};
constexpr action_set writing{action::publish, action::retain};
constexpr action_set both{action::subscribe, action::publish, action::retain};

struct access {
    effect what = effect::allow;
    action_set to = both;
};

std::optional<access> access_named(std::string_view word) {
    if (word == "read") return access{.to = reading};
    if (word == "write") return access{.to = writing};
    if (word == "readwrite") return access{};
    if (word == "deny") return access{.what = effect::deny};
    return std::nullopt;
}

// Mosquitto knows %u and %c in patterns and nothing else.
std::string as_filter(std::string_view topic, bool pattern) {
    std::string made;
    for (std::size_t at = 0; at < topic.size(); ++at) {
        const auto two = topic.substr(at, 2);
        if (pattern && (two == "%u" || two == "%c")) {
            made += two;
            ++at;
        } else {
            made += without_placeholders(topic.substr(at, 1));
        }
    }
    return made;
}

// One line's topic, with its access: "[ACCESS] TOPIC".
result<rule, std::string> rule_of(std::string_view words, bool pattern, const std::string& place) {
    const auto space = words.find(' ');
    auto topic = trimmed(words);
    access asked;
    if (space != std::string_view::npos) {
        const auto named = access_named(words.substr(0, space));
        if (!named) return fail(fmt::format("'{}' is no access; write read, write, readwrite or deny", words.substr(0, space)));
        asked = *named;
        topic = trimmed(words.substr(space + 1));
    }
    auto made = make_rule(asked.what, asked.to, as_filter(topic, pattern), place);
    // The reason is said of the topic as it stands in the file.
    if (!made) return fail(fmt::format("topic '{}'{}", topic, made.error().substr(made.error().rfind(": "))));
    return made;
}

role& role_named(policy& in, const std::string& name) {
    const auto found = std::ranges::find(in.roles, name, &role::name);
    return found != in.roles.end() ? *found : in.roles.emplace_back(name, std::vector<rule>{});
}

} // namespace

result<policy, std::string> import_mosquitto_acl(std::string_view text, std::string_view file) {
    const std::string anonymous = "mosquitto:anonymous";
    const std::string everybody = "mosquitto:everybody";
    policy made{.deny_by_default = true, .everybody = {everybody}, .anonymous = {anonymous}};
    made.roles = {{.name = anonymous}, {.name = everybody}};
    std::string current = anonymous;
    for (text_lines lines{text}; lines.next();) {
        const auto place = fmt::format("{}:{}", file, lines.number());
        if (lines.line().starts_with('#')) continue;
        const auto line = trimmed(lines.line());
        if (line.empty()) continue;
        const auto space = line.find(' ');
        const auto word = line.substr(0, space);
        const auto rest = space == std::string_view::npos ? std::string_view{} : trimmed(line.substr(space + 1));
        if (word != "topic" && word != "pattern" && word != "user") {
            return fail(fmt::format("{}: '{}' is not understood; lines are topic, pattern, user or #", place, word));
        }
        if (rest.empty()) return fail(fmt::format("{}: {} says no {}", place, word, word == "user" ? "name" : "topic"));
        if (word == "user") {
            if (!is_utf8(rest) || rest.contains('\0')) return fail(fmt::format("{}: the user's name is not UTF-8 text", place));
            current = fmt::format("mosquitto:user:{}", rest);
            (void)role_named(made, current);
            made.users[std::string{rest}] = {current};
            continue;
        }
        const bool pattern = word == "pattern";
        auto one = rule_of(rest, pattern, place);
        if (!one) return fail(fmt::format("{}: {}", place, one.error()));
        role_named(made, pattern ? everybody : current).rules.push_back(std::move(*one));
    }
    return made;
}

} // namespace broker::security
