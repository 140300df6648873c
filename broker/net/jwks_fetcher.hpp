// jwks_fetcher: fetches an issuer's keys when they are due, on a thread of its own. What changes is in the log once; the alarm
// `jwks_unavailable` is raised while the last fetch has failed.
#pragma once

#include "core/alarms.hpp"
#include "net/http_client.hpp"
#include "net/outside_counters.hpp"
#include "security/issuer_keys.hpp"

#include <functional>
#include <memory>
#include <thread>

namespace broker {

class jwks_fetcher {
public:
    // Begins at once. `from` has the keys' URL.
    jwks_fetcher(std::shared_ptr<security::issuer_keys> keys, http_client from, alarms& raised, outside_counters& count, std::function<time_point()> now);
    jwks_fetcher(const jwks_fetcher&) = delete;
    jwks_fetcher& operator=(const jwks_fetcher&) = delete;
    ~jwks_fetcher(); // gives up a fetch that is under way, lets those go on who wait for it, clears the alarm

    [[nodiscard]] const security::issuer_keys& keys() const { return *keys_; }

private:
    enum class state : std::uint8_t { unknown, good, stale, none };
    void run(const std::stop_token& ending);
    [[nodiscard]] result<void, std::string> fetch(const std::stop_token& ending);
    void on_good();
    void on_bad(const std::string& why);

    std::shared_ptr<security::issuer_keys> keys_;
    http_client from_;
    alarms& alarms_;
    outside_counters& count_;
    std::function<time_point()> now_;
    state told_ = state::unknown;
    std::string names_; // of the keys, as told
    std::jthread thread_; // last: it uses the others
};

} // namespace broker
