// hook_answer: what an HTTP auth hook says of a client:
//   {"result": "allow" | "deny" | "ignore", "user": "anna", "roles": ["driver"], "acl": ..., "scope": ..., "expires_at": 1767225600}
// result alone is needed. roles, acl and scope are those of tokens (token_rules.hpp), expires_at is in seconds since the epoch, user is
// whom the client becomes. "ignore": the hook does not know the credentials; the methods behind it are tried. Other members mean nothing.
// And what it said a moment ago, so that a client that comes again at once need not be asked for again.
#pragma once

#include "core/time.hpp"
#include "security/token_rules.hpp"

#include <deque>
#include <mutex>
#include <unordered_map>

namespace broker::security {

struct hook_answer {
    enum class verdict : std::uint8_t { allow, deny, ignore } what = verdict::deny;
    std::string user{}; // may be empty
    granted rights{};
    time_point expires = never;
};

// Error: one line; the client must not be let in.
[[nodiscard]] result<hook_answer, std::string> parse_hook_answer(std::string_view body);

// Answers by question, for a moment. What is kept of a question, which has a password in it, is a hash whose key nobody else has.
// Threading: any.
class hook_cache {
public:
    // `keep` 0: nothing is kept. More than `entries_max`: the oldest goes.
    explicit hook_cache(seconds keep, std::size_t entries_max = 10'000);

    [[nodiscard]] std::optional<hook_answer> find(std::string_view question, time_point now) const;
    void put(std::string_view question, const hook_answer& answer, time_point now);
    [[nodiscard]] std::size_t size() const;

private:
    struct entry {
        hook_answer answer{};
        time_point until{};
    };
    [[nodiscard]] std::string hash_of(std::string_view question) const;

    const seconds keep_;
    const std::size_t entries_max_;
    std::string secret_;
    mutable std::mutex mutex_;
    std::unordered_map<std::string, entry> entries_;
    std::deque<std::pair<time_point, std::string>> order_; // when put, and its hash; one for each put
};

} // namespace broker::security
