#include "security/token_rules.hpp"

#include "core/topic.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

namespace broker::security {

namespace json = boost::json;

namespace {

using error = std::optional<std::string>;

std::string_view view(const json::string& s) { return {s.data(), s.size()}; }

constexpr action_set publishing{action::publish, action::retain};
constexpr action_set subscribing{action::subscribe};
constexpr action_set both{action::publish, action::retain, action::subscribe};

// EMQX's placeholders as ours.
result<std::string, std::string> as_filter(std::string_view topic) {
    std::string made;
    while (!topic.empty()) {
        const auto at = topic.find("${");
        made += topic.substr(0, at);
        if (at == std::string_view::npos) break;
        topic.remove_prefix(at);
        const auto name = topic.substr(0, topic.find('}') + 1);
        if (name == "${username}") {
            made += "%u";
        } else if (name == "${clientid}") {
            made += "%c";
        } else {
            return fail(fmt::format("acl: '{}': only ${{username}} and ${{clientid}} are known", topic));
        }
        topic.remove_prefix(name.size());
    }
    return made;
}

error add_topic(granted& to, effect what, action_set actions, std::string_view topic) {
    if (topic.starts_with("eq ")) {
        topic.remove_prefix(3);
        if (has_wildcard(topic)) return fmt::format("acl: 'eq {}': filters are compared by the topics they match, not as text", topic);
    }
    const auto filter = as_filter(topic);
    if (!filter) return filter.error();
    auto made = make_rule(what, actions, *filter, "token");
    if (!made) return fmt::format("acl: {}", made.error());
    to.rules.push_back(std::move(*made));
    return std::nullopt;
}

error add_lists(granted& to, const json::object& acl) {
    constexpr std::array<std::pair<std::string_view, action_set>, 3> lists{{{"pub", publishing}, {"sub", subscribing}, {"all", both}}};
    for (const auto& [key, topics] : acl) {
        const auto* const list = std::ranges::find(lists, std::string_view{key}, &std::pair<std::string_view, action_set>::first);
        if (list == lists.end()) return fmt::format("acl: '{}' is none of pub, sub, all", std::string_view{key});
        if (!topics.is_array()) return fmt::format("acl: '{}' is not a list", std::string_view{key});
        for (const auto& topic : topics.get_array()) {
            if (!topic.is_string()) return fmt::format("acl: '{}' has a topic that is not a string", std::string_view{key});
            if (auto wrong = add_topic(to, effect::allow, list->second, view(topic.get_string()))) return wrong;
        }
    }
    return std::nullopt;
}

// "qos": every level, or it is not there.
bool every_level(const json::value& qos) {
    if (!qos.is_array()) return false;
    return std::ranges::all_of(std::array{0, 1, 2}, [&](int level) { return std::ranges::find(qos.get_array(), json::value(level)) != qos.get_array().end(); });
}

result<action_set, std::string> actions_of(effect what, std::string_view action, const json::value* retain) {
    const auto set = action == "publish" ? publishing : action == "subscribe" ? subscribing : action == "all" ? both : action_set{};
    if (set.empty()) return fail(fmt::format("acl: action '{}' is none of publish, subscribe, all", action));
    if (retain == nullptr || (retain->is_string() && view(retain->get_string()) == "all")) return set;
    if (!retain->is_bool() || action != "publish") return fail(std::string{"acl: retain is true or false, of publish"});
    if (what == effect::allow && !retain->get_bool()) return action_set{action::publish};
    if (what == effect::deny && retain->get_bool()) return action_set{action::retain};
    return fail(std::string{"acl: retained messages are a right besides publish: allow with retain true and deny with retain false do not exist"});
}

error add_entry(granted& to, const json::value& entry) {
    if (!entry.is_object()) return "acl: an entry is not an object";
    const auto& o = entry.get_object();
    const auto word = [&](std::string_view key) -> std::string_view {
        const auto* const found = o.if_contains(key);
        return found != nullptr && found->is_string() ? view(found->get_string()) : std::string_view{};
    };
    for (const auto& [key, value] : o) {
        const std::string_view k{key};
        if (k == "qos") {
            if (!every_level(value)) return "acl: rights do not depend on the QoS; leave qos out";
        } else if (k != "permission" && k != "action" && k != "topic" && k != "retain") {
            return fmt::format("acl: '{}' is not supported", k);
        }
    }
    const auto permission = word("permission");
    if (permission != "allow" && permission != "deny") return "acl: permission is neither allow nor deny";
    const auto what = permission == "allow" ? effect::allow : effect::deny;
    const auto actions = actions_of(what, word("action"), o.if_contains("retain"));
    if (!actions) return actions.error();
    return add_topic(to, what, *actions, word("topic"));
}

error add_acl(granted& to, const json::value& acl) {
    if (acl.is_object()) return add_lists(to, acl.get_object());
    if (!acl.is_array()) return "acl: it is neither an object nor a list";
    for (const auto& entry : acl.get_array()) {
        if (auto wrong = add_entry(to, entry)) return wrong;
    }
    return std::nullopt;
}

error add_scopes(granted& to, const json::value& scopes, std::string_view prefix) {
    if (scopes.is_array()) {
        for (const auto& one : scopes.get_array()) {
            if (!one.is_string()) return "scope: it has an entry that is not a string";
            if (auto wrong = add_scope(to, view(one.get_string()), prefix, "token")) return wrong;
        }
        return std::nullopt;
    }
    if (!scopes.is_string()) return "scope: it is neither a string nor a list";
    auto rest = view(scopes.get_string());
    while (!rest.empty()) {
        const auto space = rest.find(' ');
        const auto one = rest.substr(0, space);
        rest.remove_prefix(space == std::string_view::npos ? rest.size() : space + 1);
        if (one.empty()) continue;
        if (prefix.empty() && !one.contains(':')) continue; // openid, profile, ...
        if (auto wrong = add_scope(to, one, prefix, "token")) return wrong;
    }
    return std::nullopt;
}

error add_roles(granted& to, const json::value& roles) {
    if (roles.is_string()) {
        to.roles.emplace_back(view(roles.get_string()));
        return std::nullopt;
    }
    if (!roles.is_array()) return "roles: it is neither a name nor a list";
    for (const auto& one : roles.get_array()) {
        if (!one.is_string()) return "roles: it has an entry that is not a string";
        to.roles.emplace_back(view(one.get_string()));
    }
    return std::nullopt;
}

// False: there are more than `left`.
bool collect(const std::string& name, const json::value& value, claim_values& into, std::size_t& left) {
    switch (value.kind()) {
    case json::kind::null: return true;
    case json::kind::object:
        return std::ranges::all_of(value.get_object(), [&](const auto& inner) {
            return collect(name + "." + std::string{inner.key()}, inner.value(), into, left);
        });
    case json::kind::array:
        return std::ranges::all_of(value.get_array(), [&](const json::value& one) {
            return one.is_object() || one.is_array() || collect(name, one, into, left);
        });
    case json::kind::string:
        if (left == 0) return false;
        --left;
        into[name].emplace_back(view(value.get_string()));
        return true;
    case json::kind::bool_:
    case json::kind::int64:
    case json::kind::uint64:
    case json::kind::double_:
        if (left == 0) return false;
        --left;
        into[name].push_back(value.is_double() ? fmt::format("{}", value.get_double()) : json::serialize(value));
        return true;
    }
    return true;
}

} // namespace

std::optional<std::string> add_scope(granted& to, std::string_view scope, std::string_view prefix, std::string_view origin) {
    if (!scope.starts_with(prefix)) return std::nullopt;
    scope.remove_prefix(prefix.size());
    const auto colon = scope.find(':');
    if (colon == std::string_view::npos) return fmt::format("scope '{}{}': write {}ACTION:FILTER or {}role:NAME", prefix, scope, prefix, prefix);
    const auto what = scope.substr(0, colon);
    const auto of = scope.substr(colon + 1);
    if (what == "role") {
        to.roles.emplace_back(of);
        return std::nullopt;
    }
    auto made = parse_rule(fmt::format("allow {} {}", what, of), origin);
    if (!made) return fmt::format("scope: {}", made.error());
    to.rules.push_back(std::move(*made));
    return std::nullopt;
}

result<granted, std::string> rights_in(const json::object& claims, std::string_view scope_prefix) {
    granted made;
    error wrong;
    if (const auto* const acl = claims.if_contains("acl")) wrong = add_acl(made, *acl);
    for (const auto* const key : {"scope", "scp"}) {
        const auto* const scopes = claims.if_contains(key);
        if (!wrong && scopes != nullptr) wrong = add_scopes(made, *scopes, scope_prefix);
    }
    const auto* const roles = claims.if_contains("roles");
    if (!wrong && roles != nullptr) wrong = add_roles(made, *roles);
    if (wrong) return fail(std::move(*wrong));
    return made;
}

result<claim_values, std::string> values_of(const json::object& claims) {
    claim_values made;
    std::size_t left = claim_values_max;
    for (const auto& [key, value] : claims) {
        if (!collect(std::string{key}, value, made, left)) return fail(fmt::format("its claims have more than {} values", claim_values_max));
    }
    return made;
}

} // namespace broker::security
