// Who comes in, as administrators change it: tokens revoked, API keys, and users. In effect at once, and on disk before it is reported.
#include "access_files.hpp"
#include "admin_node.hpp"
#include "storage/keys.hpp"
#include "storage/records.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace broker {

using admin::admin_error;

namespace {

std::unexpected<admin_error> refused(std::string why) { return fail(admin_error{admin_error::kind::refused, std::move(why)}); }

std::unexpected<admin_error> no_authentication() {
    return refused("no authentication is configured; start brokerd with auth.store = true, and auth.anonymous = true if clients without "
                   "credentials are to be let in as before");
}

std::unexpected<admin_error> of_the_file(std::string_view name) {
    return refused(fmt::format("{} is a user of auth.password_file, which comes first; use --file", name));
}

std::unexpected<admin_error> too_many_users() {
    return refused(fmt::format("the store keeps at most {} users", security::stored_users::users_max));
}

admin_error bad_user_name(std::string_view name) {
    return {admin_error::kind::invalid, fmt::format("'{}' cannot be a user's name: it is text without a colon, and does not begin with #", name)};
}

admin_error no_user(std::string_view name) { return {admin_error::kind::not_found, fmt::format("there is no user {}", name)}; }

admin::api_key_row row_of(const security::api_key& k, time_point now) {
    return {.name = k.name, .scopes = k.scopes, .created = k.created, .expires = k.expires, .expired = k.expires <= now};
}

} // namespace

result<bool, admin_error> admin_node::keep(std::vector<meta_row> rows) {
    return when_durable(0, [rows = std::move(rows)](shard& on) {
        auto& desk = on.core().desk();
        for (const auto& row : rows) {
            if (row.value) desk.open().put(storage::column::meta, row.key, *row.value);
            else desk.open().erase(storage::column::meta, row.key);
        }
        desk.require(true);
        return desk.open_ticket();
    });
}

result<bool, admin_error> admin_node::revoke_tokens(const admin::token_revocation& what) {
    using storage::revoked;
    if (facts_.access == nullptr) return no_authentication();
    const auto before = what.issued_before.value_or(clock_.now());
    const auto kind = !what.token_id.empty() ? revoked::token : what.user.empty() ? revoked::all : revoked::user;
    const auto& name = kind == revoked::token ? what.token_id : what.user;
    const auto at_ms = kind != revoked::token ? epoch_ms(before) : what.until == never ? 0 : epoch_ms(what.until);
    const bool taken = facts_.access->change_stored([&](security::stored_access& stored) {
        stored.revoked.forget_expired(clock_.now());
        return revoke(stored.revoked, kind, name, at_ms);
    });
    if (!taken) return refused("too many tokens are revoked; revoke those of a user, or issued before a moment");
    review_access(shards_);
    return keep({{storage::revocation_key(kind, name), storage::encode_revocation(at_ms)}});
}

result<admin::token_renewal, admin_error> admin_node::renew_token(const std::string& client_id, const std::string& token) {
    if (facts_.access == nullptr) return no_authentication();
    struct tried {
        std::string user{};
        result<time_point, close_cause> what;
    };
    for (std::size_t i = 0; i != shards_.size(); ++i) {
        const auto here = on_shard<std::optional<tried>>(i, [client_id, token](shard& on) {
            std::optional<tried> found;
            on.for_each_connection([&](shard_connection& c) {
                if (found || c.engine() == nullptr) return;
                const auto client = c.engine()->info();
                if (client.client_id != client_id) return;
                if (auto what = broker::renew_token(c, token)) found = {.user = client.user, .what = *what};
            });
            return found;
        });
        if (!here) return fail(here.error());
        if (!*here) continue;
        const auto& [user, what] = **here;
        if (what) return admin::token_renewal{.user = user, .expires = *what};
        if (what.error() == close_cause::overload) {
            return fail(admin_error{admin_error::kind::timeout, "nobody can tell at the moment whether the token is good; the client was disconnected and may come again"});
        }
        return fail(admin_error{admin_error::kind::forbidden, what.error() == close_cause::token_expired
                                                                  ? "the token has expired; the client was disconnected"
                                                                  : "the token is not good for this client, who was disconnected; the log says why"});
    }
    return fail(no_client());
}

result<std::vector<security::revocations::entry>, admin_error> admin_node::list_revoked(const std::optional<security::revocations::entry>& after,
                                                                                      std::size_t count_max) {
    if (facts_.access == nullptr) return no_authentication();
    return facts_.access->with_stored([&](const auto& stored) { return stored.revoked.list(after, count_max, clock_.now()); });
}

result<security::ruling, admin_error> admin_node::test_rights(const security::identity& who, security::action what, const std::string& topic) {
    std::shared_ptr<const security::rights> may;
    if (facts_.access != nullptr) {
        auto given = facts_.access->with_stored([&](const auto& stored) { return facts_.access->now()->rights_of(who, stored); });
        if (!given) return fail(admin_error{admin_error::kind::invalid, std::move(given.error())});
        may = std::move(*given);
    }
    auto ruled = security::ruling_on(may.get(), what, topic, shared_.bounds);
    if (!ruled) return fail(admin_error{admin_error::kind::invalid, std::move(ruled.error())});
    return std::move(*ruled);
}

result<admin::new_api_key, admin_error> admin_node::create_api_key(const admin::api_key_request& wanted) {
    if (facts_.access == nullptr) return no_authentication();
    const auto text = security::new_api_key(wanted.name);
    const auto now = clock_.now();
    auto key = security::make_api_key({.name = wanted.name,
                                       .digest = security::digest_of(security::api_key_in(text).value_or(security::api_key_parts{}).secret),
                                       .created = now,
                                       .expires = wanted.ttl == seconds{0} ? never : now + wanted.ttl,
                                       .scopes = wanted.scopes});
    if (!key) return fail(admin_error{admin_error::kind::invalid, std::move(key.error())});
    const std::lock_guard one_at_a_time{changing_access_};
    const bool full = facts_.access->with_stored([](const auto& stored) { return stored.keys.full(); });
    if (full) return refused(fmt::format("there are {} API keys, and more are not kept; delete some", security::api_keys::keys_max));
    if (!facts_.access->change_stored([&](auto& stored) { return stored.keys.add(*key); })) {
        return refused(fmt::format("there is an API key {} already; delete it first, or choose another name", wanted.name));
    }
    std::string record;
    storage::encode_api_key({.digest = key->digest, .created_ms = epoch_ms(now), .expires_ms = key->expires == never ? 0 : epoch_ms(key->expires), .scopes = key->scopes},
                            record);
    if (auto kept = keep({{storage::api_key_key(key->name), std::move(record)}}); !kept) {
        facts_.access->change_stored([&](auto& stored) { stored.keys.erase(key->name); });
        return fail(kept.error());
    }
    return admin::new_api_key{.text = text, .row = row_of(*key, now)};
}

result<std::vector<admin::api_key_row>, admin_error> admin_node::list_api_keys() {
    if (facts_.access == nullptr) return no_authentication();
    return facts_.access->with_stored([&](const auto& stored) {
        std::vector<admin::api_key_row> rows;
        for (const auto& [name, key] : stored.keys.all()) rows.push_back(row_of(*key, clock_.now()));
        return rows;
    });
}

result<bool, admin_error> admin_node::delete_api_key(const std::string& name) {
    if (facts_.access == nullptr) return no_authentication();
    const std::lock_guard one_at_a_time{changing_access_};
    if (!facts_.access->change_stored([&](auto& stored) { return stored.keys.erase(name); })) {
        return fail(admin_error{admin_error::kind::not_found, fmt::format("there is no API key {}", name)});
    }
    review_access(shards_);
    return keep({{storage::api_key_key(name), std::nullopt}});
}

bool admin_node::is_in_file(const std::string& user) const { return facts_.access->now()->file_users().find(user) != nullptr; }

// In memory, for who is connected, and on disk.
result<bool, admin_error> admin_node::keep_users(const std::vector<security::user>& all) {
    std::vector<meta_row> rows;
    for (const auto& u : all) {
        std::string record;
        storage::encode_user({.disabled = u.disabled, .set_at_ms = epoch_ms(u.set_at), .hash = u.hash.text()}, record);
        rows.push_back({storage::user_key(u.name), std::move(record)});
    }
    facts_.access->change_stored([&](auto& stored) {
        for (const auto& u : all) stored.users.put(u);
    });
    review_access(shards_);
    return keep(std::move(rows));
}

result<bool, admin_error> admin_node::add_user(const std::string& name, const std::string& password) {
    if (facts_.access == nullptr) return no_authentication();
    if (!security::is_user_name(name)) return fail(bad_user_name(name));
    auto hash = security::password_hash::of(password, {});
    if (!hash) return refused(hash.error());
    const std::lock_guard one_at_a_time{changing_access_};
    if (is_in_file(name)) return of_the_file(name);
    const auto [there, count] = facts_.access->with_stored([&](const auto& stored) { return std::pair{stored.users.find(name), stored.users.all().size()}; });
    if (there) return refused(fmt::format("there is a user {} already; use set-password", name));
    if (count >= security::stored_users::users_max) return too_many_users();
    return keep_users({{.name = name, .hash = std::move(*hash), .set_at = clock_.now()}});
}

result<std::size_t, admin_error> admin_node::import_users(const std::vector<admin::user_to_import>& all) {
    if (facts_.access == nullptr) return no_authentication();
    const std::lock_guard one_at_a_time{changing_access_};
    std::vector<security::user> users;
    for (const auto& u : all) {
        if (!security::is_user_name(u.name)) return fail(bad_user_name(u.name));
        if (is_in_file(u.name)) return of_the_file(u.name);
        auto hash = security::password_hash::parse(u.hash);
        if (!hash) return fail(admin_error{admin_error::kind::invalid, fmt::format("user {}: the hash is {}", u.name, hash.error())});
        users.push_back({.name = u.name, .hash = std::move(*hash), .disabled = u.disabled, .set_at = clock_.now()});
    }
    const auto count = facts_.access->with_stored([&](const auto& stored) {
        return stored.users.all().size() + static_cast<std::size_t>(std::ranges::count_if(users, [&](const auto& u) { return !stored.users.find(u.name); }));
    });
    if (count > security::stored_users::users_max) return too_many_users();
    auto kept = keep_users(users);
    if (!kept) return fail(std::move(kept.error()));
    return users.size();
}

result<bool, admin_error> admin_node::change_user(const std::string& name, const std::optional<std::string>& password, std::optional<bool> disabled) {
    if (facts_.access == nullptr) return no_authentication();
    std::optional<security::password_hash> hash;
    if (password) {
        auto made = security::password_hash::of(*password, {});
        if (!made) return refused(made.error());
        hash = std::move(*made);
    }
    const std::lock_guard one_at_a_time{changing_access_};
    const auto before = facts_.access->with_stored([&](const auto& stored) { return stored.users.find(name); });
    if (!before && is_in_file(name)) return of_the_file(name);
    if (!before) return fail(no_user(name));
    auto changed = *before;
    if (hash) {
        changed.hash = std::move(*hash);
        changed.set_at = clock_.now();
    }
    if (disabled) changed.disabled = *disabled;
    return keep_users({std::move(changed)});
}

result<bool, admin_error> admin_node::delete_user(const std::string& name) {
    if (facts_.access == nullptr) return no_authentication();
    const std::lock_guard one_at_a_time{changing_access_};
    if (!facts_.access->change_stored([&](auto& stored) { return stored.users.erase(name); })) {
        if (is_in_file(name)) return of_the_file(name);
        return fail(no_user(name));
    }
    review_access(shards_);
    return keep({{storage::user_key(name), std::nullopt}});
}

result<std::vector<admin::user_row>, admin_error> admin_node::list_users() {
    if (facts_.access == nullptr) return no_authentication();
    const auto row = [](const security::user& u, bool from_file) {
        return admin::user_row{.name = u.name,
                               .from_file = from_file,
                               .disabled = u.disabled,
                               .hash_kind = u.hash.text().starts_with("$argon2id$") ? "argon2id" : "mosquitto",
                               .set_at = u.set_at};
    };
    const auto control = facts_.access->now();
    std::vector<admin::user_row> rows;
    for (const auto& [name, u] : control->file_users().all()) rows.push_back(row(*u, true));
    facts_.access->with_stored([&](const auto& stored) {
        for (const auto& [name, u] : stored.users.all()) {
            if (!control->file_users().find(name)) rows.push_back(row(*u, false)); // who is hidden is in the log
        }
    });
    std::ranges::sort(rows, {}, &admin::user_row::name);
    return rows;
}

} // namespace broker
