#include "access_files.hpp"

#include "security/mosquitto_acl.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>

#include <sys/stat.h>

namespace broker {

namespace {

constexpr std::size_t file_bytes_max = 64 * 1024 * 1024;
constexpr milliseconds hook_timeout_min{100};
constexpr milliseconds hook_timeout_max{10'000}; // a client does not wait for longer (limits.connect_timeout)
constexpr seconds jwks_refresh_min{10};
constexpr seconds jwks_refresh_max{24 * 3'600}; // jwks_cache keeps them for as long

void note_if_open(std::string_view key, const std::string& file, std::vector<std::string>& notes) {
    struct stat about {};
    if (::stat(file.c_str(), &about) != 0 || (about.st_mode & S_IROTH) == 0) return;
    notes.push_back(fmt::format("{}: {} can be read by everybody; chmod o-r {}", key, file, file));
}

result<std::string, std::string> read(std::string_view key, const std::string& file) {
    struct stat about {};
    if (::stat(file.c_str(), &about) != 0) return fail(fmt::format("{}: {}: {}", key, file, std::strerror(errno)));
    if (static_cast<std::size_t>(about.st_size) > file_bytes_max) return fail(fmt::format("{}: {}: larger than 64 MiB", key, file));
    std::ifstream in{file, std::ios::binary};
    std::string text{std::istreambuf_iterator<char>{in}, {}};
    if (!in) return fail(fmt::format("{}: {}: cannot be read; check its permissions", key, file));
    return text;
}

result<std::vector<security::algorithm>, std::string> algorithms_of(const std::vector<std::string>& names) {
    std::vector<security::algorithm> all;
    for (const auto& n : names) {
        const auto a = security::algorithm_named(n);
        if (!a) return fail(fmt::format("auth.jwt.algorithms: \"{}\" is not one of HS256, HS384, HS512, RS256, PS256, ES256, EdDSA", n));
        all.push_back(*a);
    }
    return all;
}

// "header", "query:NAME", "cookie:NAME", "subprotocol", "password"
result<void, std::string> take_sources(const std::vector<std::string>& names, access_desk::settings& desk, security::access_settings& settings) {
    auto& s = desk.sources;
    s = {.authorization = false, .query = {}, .cookie = {}, .subprotocol = false};
    settings.tokens_as_password = false;
    for (const std::string_view n : names) {
        if (n == "header") s.authorization = true;
        else if (n == "subprotocol") s.subprotocol = true;
        else if (n == "password") settings.tokens_as_password = true;
        else if (n.starts_with("query:") && n.size() > 6) s.query = n.substr(6);
        else if (n.starts_with("cookie:") && n.size() > 7 && n.find_first_of(" \t=;,\"") == std::string_view::npos) s.cookie = n.substr(7);
        else return fail(fmt::format("auth.jwt.sources: \"{}\" is not one of header, query:NAME, subprotocol, cookie:NAME, password", n));
    }
    return {};
}

result<std::vector<security::key>, std::string> keys_of(const config::auth_options& from, const std::vector<security::algorithm>& algorithms,
                                                        std::vector<std::string>& notes) {
    std::vector<security::key> keys;
    if (!from.jwt_key_file.empty()) {
        auto text = read("auth.jwt.key_file", from.jwt_key_file);
        if (!text) return fail(std::move(text.error()));
        auto found = security::parse_key_file(*text, algorithms.size() == 1 ? std::optional{algorithms.front()} : std::nullopt);
        if (!found) return fail(fmt::format("auth.jwt.key_file: {}: {}", from.jwt_key_file, found.error()));
        keys = std::move(found->keys);
        if (std::ranges::any_of(keys, &security::key::is_secret)) note_if_open("auth.jwt.key_file", from.jwt_key_file, notes);
    }
    if (!from.jwt_jwks_file.empty()) {
        auto text = read("auth.jwt.jwks_file", from.jwt_jwks_file);
        if (!text) return fail(std::move(text.error()));
        auto found = security::parse_jwks(*text, true);
        if (!found) return fail(fmt::format("auth.jwt.jwks_file: {}: {}", from.jwt_jwks_file, found.error()));
        for (auto& k : found->keys) keys.push_back(std::move(k));
        for (const auto& why : found->left_out) notes.push_back(fmt::format("auth.jwt.jwks_file: {}: left out: {}", from.jwt_jwks_file, why));
    }
    for (const auto& k : keys) {
        if (!algorithms.empty() && std::ranges::find(algorithms, k.for_algorithm()) == algorithms.end()) {
            notes.push_back(fmt::format("auth.jwt: the key {} is for {}, which auth.jwt.algorithms does not allow", k.id().empty() ? "(no id)" : k.id(),
                                        security::name(k.for_algorithm())));
        }
    }
    return keys;
}

// Where its keys are fetched from, if anywhere.
result<void, std::string> take_issuer(const config::auth_options& from, const security::issuer_keys* before, loaded_access& made) {
    if (from.jwt_jwks_url.empty()) return {};
    auto client = http_client::make(from.jwt_jwks_url, {.ca_file = from.jwt_jwks_ca, .body_bytes_max = security::jwks_bytes_max, .plain_anywhere = from.plain_http});
    if (!client) return fail("auth.jwt.jwks_url: " + client.error());
    if (from.jwt_jwks_refresh < jwks_refresh_min || from.jwt_jwks_refresh > jwks_refresh_max) return fail(std::string{"auth.jwt.jwks_refresh: must be 10s to 24h"});
    const security::jwks_cache::settings when{.refresh = from.jwt_jwks_refresh};
    made.issuer = before != nullptr && before->url() == from.jwt_jwks_url ? std::make_shared<security::issuer_keys>(*before, when)
                                                                          : std::make_shared<security::issuer_keys>(from.jwt_jwks_url, when);
    made.issuer_from = std::move(*client);
    return {};
}

// "file:PATH" or "env:NAME".
result<std::string, std::string> secret_of(std::string_view key, const std::string& named, std::vector<std::string>& notes) {
    if (named.starts_with("env:")) {
        const auto* const found = std::getenv(named.c_str() + 4);
        if (found == nullptr) return fail(fmt::format("{}: {}: there is no such variable in the environment", key, named));
        return std::string{found};
    }
    if (!named.starts_with("file:")) return fail(fmt::format("{}: a secret is not written into the configuration; write file:/PATH or env:NAME", key));
    auto text = read(key, named.substr(5));
    if (!text) return text;
    note_if_open(key, named.substr(5), notes);
    while (text->ends_with('\n') || text->ends_with('\r')) text->pop_back();
    return text;
}

result<void, std::string> take_hook(const config::auth_options& from, outside_counters& count, loaded_access& made) {
    if (from.http_url.empty()) return {};
    if (from.http_timeout < hook_timeout_min || from.http_timeout > hook_timeout_max) return fail(std::string{"auth.http.timeout: must be 100ms to 10s"});
    auth_hook::settings s;
    s.url = from.http_url;
    s.headers = from.http_headers;
    s.cache = from.http_cache;
    s.http.ca_file = from.http_ca;
    s.http.timeout = from.http_timeout;
    s.http.plain_anywhere = from.plain_http;
    if (!from.http_secret.empty()) {
        auto secret = secret_of("auth.http.secret", from.http_secret, made.notes);
        if (!secret) return fail(std::move(secret.error()));
        s.secret = std::move(*secret);
    }
    auto hook = auth_hook::make(std::move(s), count);
    if (!hook) return fail(std::move(hook.error()));
    made.hook = std::move(*hook);
    return {};
}

result<security::policy, std::string> policy_of(const config::auth_options& from) {
    security::policy made;
    if (!from.acl_file.empty()) {
        auto text = read("auth.acl_file", from.acl_file);
        if (!text) return fail(std::move(text.error()));
        auto imported = security::import_mosquitto_acl(*text, from.acl_file);
        if (!imported) return fail("auth.acl_file: " + imported.error());
        made = std::move(*imported);
    }
    if (from.default_policy == "deny") made.deny_by_default = true;
    for (const auto& r : from.roles) {
        security::role role{.name = r.name};
        for (const auto& line : r.rules) {
            auto one = security::parse_rule(line, "role " + r.name);
            if (!one) return fail(fmt::format("role {}: \"{}\": {}", r.name, line, one.error()));
            role.rules.push_back(std::move(*one));
        }
        made.roles.push_back(std::move(role));
        if (r.everybody) made.everybody.push_back(r.name);
        if (r.anonymous) made.anonymous.push_back(r.name);
        for (const auto& u : r.users) made.users[u].push_back(r.name);
    }
    return made;
}

} // namespace

result<loaded_access, std::string> load_access(const config::auth_options& from, outside_counters& count, const security::issuer_keys* before) {
    loaded_access made;
    const bool has_rules = !from.acl_file.empty() || !from.roles.empty() || from.default_policy == "deny";
    if (!from.has_method() && !has_rules) return made;
    if (!from.has_method() && !from.anonymous) {
        return fail(std::string{"auth: there are rules, but no way to come in; write auth.password_file, auth.jwt.key_file, auth.jwt.jwks_url, auth.http.url, auth.store = true, or anonymous = true"});
    }

    security::access_settings settings{.order = {}, .anonymous = from.anonymous};
    for (const auto& word : from.order) {
        if (word == "jwt") settings.order.push_back(security::method::token);
        else if (word == "apikeys") settings.order.push_back(security::method::api_key);
        else if (word == "users") settings.order.push_back(security::method::users);
        else if (word == "certificate") settings.order.push_back(security::method::certificate);
        else if (word == "http") settings.order.push_back(security::method::http);
        else return fail(fmt::format("auth.order: \"{}\" is not one of jwt, apikeys, users, certificate, http", word));
    }
    auto algorithms = algorithms_of(from.jwt_algorithms);
    if (!algorithms) return fail(std::move(algorithms.error()));
    auto keys = keys_of(from, *algorithms, made.notes);
    if (!keys) return fail(std::move(keys.error()));
    if (auto taken = take_issuer(from, before, made); !taken) return fail(std::move(taken.error()));
    if (auto taken = take_hook(from, count, made); !taken) return fail(std::move(taken.error()));
    settings.hook = made.hook != nullptr;
    settings.tokens = {.issuers = from.jwt_issuer.empty() ? std::vector<std::string>{} : std::vector{from.jwt_issuer},
                       .audiences = from.jwt_audience,
                       .algorithms = std::move(*algorithms),
                       .leeway = from.jwt_leeway,
                       .require_expiry = from.jwt_require_expiry,
                       .user_claim = from.jwt_user_claim,
                       .token_bytes_max = from.jwt_token_bytes_max};
    settings.scope_prefix = from.jwt_scope_prefix;
    if (auto taken = take_sources(from.jwt_sources, made.desk, settings); !taken) return fail(std::move(taken.error()));
    made.desk.grace = from.jwt_grace;
    made.desk.warn_before = from.jwt_warn_before;

    std::vector<security::user> users;
    settings.expects_users = from.store || !from.password_file.empty();
    if (!from.password_file.empty()) {
        auto text = read("auth.password_file", from.password_file);
        if (!text) return fail(std::move(text.error()));
        note_if_open("auth.password_file", from.password_file, made.notes);
        auto imported = security::import_mosquitto_passwords(*text, from.password_file);
        if (!imported) return fail("auth.password_file: " + imported.error());
        users = std::move(*imported);
    }
    auto table = security::user_table::make(std::move(users), security::hash_cost{});
    if (!table) return fail(fmt::format("auth: {}", table.error()));
    auto policy = policy_of(from);
    if (!policy) return fail(std::move(policy.error()));
    auto book = security::rule_book::make(std::move(*policy));
    if (!book) return fail("auth: " + book.error());
    made.control = std::make_shared<const security::access_control>(std::move(settings), std::move(*keys),
                                                                      std::make_shared<const security::user_table>(std::move(*table)), std::move(*book), made.issuer);
    return made;
}

bool revoke(security::revocations& into, storage::revoked what, std::string_view name, std::int64_t at_ms) {
    switch (what) {
    case storage::revoked::token: return into.revoke_id(name, at_ms == 0 ? never : from_epoch_ms(at_ms));
    case storage::revoked::user: into.revoke_user(name, from_epoch_ms(at_ms)); return true;
    case storage::revoked::all: into.revoke_all(from_epoch_ms(at_ms)); return true;
    }
    return true;
}

void review_access(const std::vector<shard*>& shards) {
    for (auto* const s : shards) {
        s->inbox().post(mail{errand{[s] { s->for_each_connection([s](shard_connection& c) { c.on_new_rules(s->now()); }); }}});
    }
}

} // namespace broker
