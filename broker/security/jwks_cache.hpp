// jwks_cache: keys of an issuer that are fetched from a URL: when to fetch, and what is good meanwhile. Without I/O: whoever
// fetches asks next_fetch() and tells what came.
//
//   fetched      good for `refresh`, then fetched anew
//   failed       what was fetched last stays good for `keep`; tried again after 5 s, then 10 s, ... at most `retry_max`
//   unknown kid  the issuer may have rotated its keys: fetched at once, but not more often than every `unknown_every`,
//                since anybody can send tokens with names of keys
//
// Threading: one thread.
#pragma once

#include "core/time.hpp"
#include "security/key.hpp"

namespace broker::security {

class jwks_cache {
public:
    struct settings {
        seconds refresh{3'600};
        seconds keep{24 * 3'600};
        seconds retry_max{300};
        seconds unknown_every{10};
    };

    explicit jwks_cache(const settings& s) : settings_{s} {}
    // With what `before` has fetched; fetched anew at once.
    jwks_cache(const settings& s, const jwks_cache& before) : settings_{s}, keys_{before.keys_}, fetched_at_{before.fetched_at_} {}

    // When to fetch; in the past: now. Never while a fetch is under way.
    [[nodiscard]] time_point next_fetch() const { return fetching_ ? never : next_; }

    void on_begun() { fetching_ = true; }
    [[nodiscard]] bool fetching() const { return fetching_; }
    // Error: nothing in it can be used, which counts as failed; one line for the log.
    [[nodiscard]] result<void, std::string> on_fetched(std::string_view body, time_point now);
    void on_failed(time_point now);

    // A token named a key that is not here (token_error::unknown_key).
    void on_unknown_key(time_point now);

    // What tokens may be verified with. Null: none was ever fetched, or the last ones are too old.
    [[nodiscard]] std::shared_ptr<const key_set> keys(time_point now) const;

private:
    settings settings_;
    std::shared_ptr<const key_set> keys_;
    time_point fetched_at_{};
    time_point next_ = time_point::min();
    time_point unknown_allowed_at_ = time_point::min();
    seconds retry_{0};
    bool fetching_ = false;
};

} // namespace broker::security
