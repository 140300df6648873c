// ruling: what rights say about one thing somebody would do, put for administrators: brokerctl acl test, of files and of the running broker.
#pragma once

#include "core/limits.hpp"
#include "security/rights.hpp"

#include <boost/json/object.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace broker::security {

[[nodiscard]] std::optional<action> action_named(std::string_view word);

struct ruling {
    coverage what = coverage::none; // part: of a subscription alone
    std::string rule{};             // as it is written, or why none decides
    std::string origin{};           // where it is written; empty: none decides
};

// `may` null: everything is allowed. `topic`: a filter for subscribe and queue_read, the client id for connect, a path for manage, else a name.
// Error, one line: it is none of these.
[[nodiscard]] result<ruling, std::string> ruling_on(const rights* may, action what, const std::string& topic, const limits& bounds);

// {"verdict": "allowed" | "part" | "denied", "rule", "origin", "note"}; without the last two where there is nothing to say.
[[nodiscard]] boost::json::object describe(const ruling& r);

} // namespace broker::security
