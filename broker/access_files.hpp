// access_files: the [auth] and [[role]] sections with the files they name, as an access_control. Read at start and at every reload.
#pragma once

#include "config/options.hpp"
#include "core/result.hpp"
#include "net/gate.hpp"
#include "net/http_client.hpp"
#include "storage/keys.hpp"

#include <memory>
#include <string>
#include <vector>

namespace broker {

struct loaded_access {
    std::shared_ptr<const security::access_control> control{}; // null: nothing is configured, everybody is let in
    access_desk::settings desk{};
    std::shared_ptr<security::issuer_keys> issuer{}; // that of `control`; null: nothing is fetched
    std::optional<http_client> issuer_from{};        // what fetches its keys
    std::shared_ptr<auth_hook> hook{};               // null: none is asked
    std::vector<std::string> notes{}; // for the log: what was left out, what others may read
};

// Keys fetched for `before` are kept if they come from the same URL. Error: one line: which key or file, what, what to do.
[[nodiscard]] result<loaded_access, std::string> load_access(const config::auth_options& from, outside_counters& count,
                                                             const security::issuer_keys* before = nullptr);

// What the store says is revoked. False: there are too many.
[[nodiscard]] bool revoke(security::revocations& into, storage::revoked what, std::string_view name, std::int64_t at_ms);

// Every connection is judged by the rules and revocations of now, within a moment.
void review_access(const std::vector<shard*>& shards);

} // namespace broker
