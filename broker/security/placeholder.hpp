// placeholder: %u, %c, %{claim} and %% in the filters of rules, and what they become for an identity.
#pragma once

#include "core/result.hpp"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace broker::security {

// Claims by name, those inside objects by path ("realm.roles"); a list is several values.
using claim_values = std::map<std::string, std::vector<std::string>, std::less<>>;

// Whom placeholders speak of. An empty user or client id: there is none.
struct subject {
    std::string_view user{};
    std::string_view client_id{};
    const claim_values& claims;
};

[[nodiscard]] bool has_placeholder(std::string_view filter); // %% counts: it has to be expanded
[[nodiscard]] std::optional<std::string> placeholder_error(std::string_view filter);

// The filters it becomes: none if a value is missing, several if a claim has several. What a client chooses itself must
// not widen what was granted, so for rules that allow (`granting`)
//   - a user or client id with a '/' in it gives nothing: "c/%c/#" and the client id "victim/x" would reach into c/victim,
//   - a value that begins with '$' gives nothing at the front of a filter: it would be the server's own topics.
// For rules that deny they are text like any other. A value with a wildcard in it gives nothing either way: no topic
// name has one. Error: more than `most`.
[[nodiscard]] result<std::vector<std::string>, std::string> expand(std::string_view filter, const subject& of, bool granting,
                                                                  std::size_t most);

} // namespace broker::security
