// Who is banned, as administrators change it.
#include "admin_node.hpp"
#include "storage/keys.hpp"
#include "storage/records.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

namespace broker {

using admin::admin_error;

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
    auto kept = keep({{storage::ban_key(who.kind.front(), whom), storage::encode_ban({.until_ms = until == never ? 0 : epoch_ms(until), .why = who.why})}});
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
    return keep({{storage::ban_key(kind_name.front(), text), std::nullopt}});
}

} // namespace broker
