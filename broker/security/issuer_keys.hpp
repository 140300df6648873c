// issuer_keys: the keys of an issuer between whoever fetches them and whoever verifies tokens: what was fetched last is what the next
// token is verified with. jwks_cache says when to fetch.
// Threading: any; one thread fetches. Nothing here is asked for a message, only for a token.
#pragma once

#include "security/jwks_cache.hpp"

#include <condition_variable>
#include <functional>
#include <mutex>
#include <stop_token>
#include <vector>

namespace broker::security {

class issuer_keys {
public:
    issuer_keys(std::string url, const jwks_cache::settings& s) : url_{std::move(url)}, cache_{s} {}
    // With what `before` has fetched from the same URL; it is fetched anew at once.
    issuer_keys(const issuer_keys& before, const jwks_cache::settings& s) : url_{before.url_}, cache_{before.with(s)} {}
    issuer_keys& operator=(const issuer_keys&) = delete;

    [[nodiscard]] const std::string& url() const { return url_; }

    // --- whoever verifies ---

    // Null: none was fetched yet, or the last ones are too old.
    [[nodiscard]] std::shared_ptr<const key_set> keys(time_point now) const;

    // A token names a key that is not here. True: a fetch is on its way, and `then` is called once after it, on the thread that fetches.
    // False: there will be none soon, or waiting_max wait already; ask again later.
    [[nodiscard]] bool await_unknown(time_point now, std::function<void()> then);
    static constexpr std::size_t waiting_max = 1'024;

    // --- the thread that fetches ---

    // Waits until a fetch is due, which has then begun. False: `ending`.
    [[nodiscard]] bool wait_until_due(const std::stop_token& ending, const std::function<time_point()>& now);
    // Error: as jwks_cache has it. Both let those go on who wait.
    [[nodiscard]] result<void, std::string> on_fetched(std::string_view body, time_point now);
    void on_failed(time_point now);

private:
    [[nodiscard]] jwks_cache with(const jwks_cache::settings& s) const {
        const std::lock_guard lock{mutex_};
        return {s, cache_};
    }
    void let_go(std::unique_lock<std::mutex>& lock);

    const std::string url_;
    mutable std::mutex mutex_;
    std::condition_variable_any changed_;
    jwks_cache cache_;
    std::vector<std::function<void()>> waiting_;
};

} // namespace broker::security
