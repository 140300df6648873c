// What the admin API does about who comes in: tokens, bans, certificates.
#include "access_files.hpp"
#include "admin_node.hpp"
#include "net/tls_endpoint.hpp"
#include "storage/keys.hpp"
#include "storage/records.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

namespace broker {

using admin::admin_error;

namespace {

ticket put(shard& on, const std::string& key, const std::string& value) {
    auto& desk = on.core().desk();
    desk.open().put(storage::column::meta, key, value);
    desk.require(true);
    return desk.open_ticket();
}

} // namespace

// In effect at once, and kept before it is reported.
result<bool, admin_error> admin_node::revoke_tokens(const admin::token_revocation& what) {
    using storage::revoked;
    if (facts_.access == nullptr) return fail(admin_error{admin_error::kind::refused, "no authentication is configured: there are no tokens"});
    const auto before = what.issued_before.value_or(clock_.now());
    const auto kind = !what.token_id.empty() ? revoked::token : what.user.empty() ? revoked::all : revoked::user;
    const auto& name = kind == revoked::token ? what.token_id : what.user;
    const auto at_ms = kind != revoked::token ? epoch_ms(before) : what.until == never ? 0 : epoch_ms(what.until);
    const bool taken = facts_.access->revoke([&](security::revocations& all) {
        all.forget_expired(clock_.now());
        return revoke(all, kind, name, at_ms);
    });
    if (!taken) return fail(admin_error{admin_error::kind::refused, "too many tokens are revoked; revoke those of a user, or issued before a moment"});
    review_access(shards_);
    return when_durable(0, [key = storage::revocation_key(kind, name), value = storage::encode_revocation(at_ms)](shard& on) { return put(on, key, value); });
}

result<std::vector<admin::ban_row>, admin_error> admin_node::list_bans() {
    std::vector<admin::ban_row> made;
    for (auto& b : facts_.door.banned().all(clock_.now())) {
        made.push_back({.kind = std::string{security::name(b.what)}, .whom = std::move(b.whom), .until = b.until, .why = std::move(b.why), .by_itself = b.by_itself});
    }
    return made;
}

result<std::size_t, admin_error> admin_node::add_ban(const admin::ban_row& who, seconds lasts) {
    const auto kind = security::ban_kind_named(who.kind);
    if (!kind) return fail(admin_error{admin_error::kind::invalid, "kind must be address, user or client_id"});
    if (who.whom.size() > shared_.bounds.max_client_id_bytes) return fail(admin_error{admin_error::kind::invalid, "whom is longer than any client id or user may be"});
    const auto now = clock_.now();
    const auto until = lasts == seconds{0} ? never : now + lasts;
    auto whom = who.whom;
    std::optional<security::networks> of;
    if (*kind == security::ban_kind::address) {
        auto parsed = security::networks::parse({whom});
        if (!parsed) return fail(admin_error{admin_error::kind::invalid, parsed.error()});
        whom = parsed->all().front().text();
        of = std::move(*parsed);
    }
    if (auto added = facts_.door.banned().add({.what = *kind, .whom = whom, .until = until, .why = who.why}, now); !added) {
        return fail(admin_error{admin_error::kind::refused, added.error()});
    }
    spdlog::warn("{} {} is banned by an administrator: {}", who.kind, whom, who.why.empty() ? "no reason given" : who.why);
    const auto kept = when_durable(0, [key = storage::ban_key(who.kind.front(), whom),
                                       value = storage::encode_ban({.until_ms = until == never ? 0 : epoch_ms(until), .why = who.why})](shard& on) {
        return put(on, key, value);
    });
    if (!kept) return fail(kept.error());
    return close_those(
        [kind = *kind, whom, of](const shard_connection& c) {
            if (of) return of->contain(summary(c).client.address);
            if (c.engine() == nullptr) return false;
            const auto client = c.engine()->info();
            return whom == (kind == security::ban_kind::user ? client.user : client.client_id);
        },
        {.cause = close_cause::banned, .detail = "by an administrator"});
}

result<bool, admin_error> admin_node::remove_ban(const std::string& kind_name, const std::string& whom) {
    const auto kind = security::ban_kind_named(kind_name);
    if (!kind) return fail(admin_error{admin_error::kind::invalid, "kind must be address, user or client_id"});
    auto text = whom;
    if (*kind == security::ban_kind::address) {
        const auto parsed = security::networks::parse({whom});
        if (!parsed) return fail(admin_error{admin_error::kind::invalid, parsed.error()});
        text = parsed->all().front().text();
    }
    if (!facts_.door.banned().remove(*kind, text)) return fail(admin_error{admin_error::kind::not_found, fmt::format("{} {} is not banned", kind_name, whom)});
    return when_durable(0, [key = storage::ban_key(kind_name.front(), text)](shard& on) {
        auto& desk = on.core().desk();
        desk.open().erase(storage::column::meta, key);
        desk.require(true);
        return desk.open_ticket();
    });
}

admin::listener_row admin_node::listener_row_of(const listener_address& at, const listener_info& of) {
    admin::listener_row row{.name = at.name, .url = url(at), .connections = of.open->load(std::memory_order_relaxed), .connections_max = of.connections_max};
    if (!of.tls) return row;
    row.handshakes = of.tls->handshakes.load(std::memory_order_relaxed);
    row.handshakes_resumed = of.tls->handshakes_resumed.load(std::memory_order_relaxed);
    row.handshakes_failed = of.tls->handshakes_failed.load(std::memory_order_relaxed);
    for (const auto& c : of.tls->current()->certificates()) {
        row.certificates.push_back({.file = c.file, .subject = c.subject, .issuer = c.issuer, .names = c.names, .fingerprint = c.fingerprint, .not_before = c.not_before, .not_after = c.not_after});
    }
    return row;
}

result<std::vector<std::string>, admin_error> admin_node::reload_tls(const std::string& listener) {
    std::vector<std::string> wrong;
    bool any = false;
    for (const auto& l : facts_.infos) {
        if (!l->tls || (!listener.empty() && l->name != listener)) continue;
        any = true;
        if (auto done = l->tls->reload("brokerctl"); !done) wrong.push_back(fmt::format("listener {}: {}", l->name, done.error()));
    }
    if (any) return wrong;
    return fail(admin_error{admin_error::kind::not_found, listener.empty() ? "no listener speaks TLS" : "no listener " + listener + " speaks TLS"});
}

} // namespace broker
