// token_rules: what the claims of a token say about rights.
//
// acl, as EMQX has it, in either form:
//   {"pub": ["a/${clientid}"], "sub": ["b/#"], "all": ["c"]}
//   [{"permission": "allow", "action": "publish", "topic": "a/#", "retain": false}, ...]
// ${username} and ${clientid} are %u and %c; pub, publish and all include retained messages unless "retain" is false. What cannot be
// kept as it is meant (qos, "eq " with wildcards, conditions on addresses, ...) is an error, and the token must be refused.
// EMQX takes the first entry that matches; here deny beats allow, so an exception from a deny has no effect.
//
// Scopes (RFC 6749 §3.3), in the claims scope or scp, behind a prefix:
//   brokerd:publish:room/#   brokerd:subscribe,publish:a   brokerd:role:driver
// The actions are those of a rule (rule.hpp). Scopes without the prefix are somebody else's.
#pragma once

#include "security/placeholder.hpp"
#include "security/rule.hpp"

#include <boost/json/object.hpp>

#include <optional>

namespace broker::security {

struct granted {
    std::vector<rule> rules{};
    std::vector<std::string> roles{};
};

// One scope: PREFIX, then ACTION,...:FILTER or role:NAME. Those without the prefix give nothing. Error: one line.
[[nodiscard]] std::optional<std::string> add_scope(granted& to, std::string_view scope, std::string_view prefix, std::string_view origin);

// From the claims acl, scope, scp and roles (a list or one name). Error: one line, for the log.
[[nodiscard]] result<granted, std::string> rights_in(const boost::json::object& claims, std::string_view scope_prefix);

// Strings, numbers and booleans, alone or in lists; those inside objects by path. Error: more than claim_values_max,
// because a rule that denies must not miss one.
[[nodiscard]] result<claim_values, std::string> values_of(const boost::json::object& claims);
inline constexpr std::size_t claim_values_max = 1'000;

} // namespace broker::security
