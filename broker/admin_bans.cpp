// Who is banned, as administrators change it.
#include "admin_node.hpp"
#include "storage/keys.hpp"
#include "storage/records.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

namespace broker {

using admin::admin_error;

namespace {

// Somebody as a request names him.
struct named {
    security::ban_kind kind{};
    std::string whom{};                        // as it is listed and stored
    std::optional<security::networks> of{};    // of an address
};

result<named, admin_error> read(std::string_view kind_name, const std::string& whom) {
    const auto kind = security::ban_kind_named(kind_name);
    if (!kind) return fail(admin_error{admin_error::kind::invalid, "kind must be address, user or client_id"});
    if (*kind != security::ban_kind::address) return named{.kind = *kind, .whom = whom};
    auto of = security::networks::parse({whom});
    if (!of) return fail(admin_error{admin_error::kind::invalid, of.error()});
    auto text = of->all().front().text();
    return named{.kind = *kind, .whom = std::move(text), .of = std::move(*of)};
}

} // namespace

result<std::vector<admin::ban_row>, admin_error> admin_node::list_bans() {
    std::vector<admin::ban_row> made;
    for (auto& b : facts_.door.banned().all(clock_.now())) {
        made.push_back({.kind = std::string{security::name(b.what)}, .whom = std::move(b.whom), .until = b.until, .why = std::move(b.why), .by_itself = b.by_itself});
    }
    return made;
}

result<std::size_t, admin_error> admin_node::add_ban(const admin::ban_row& who, seconds lasts) {
    if (who.whom.size() > shared_.bounds.max_client_id_bytes) return fail(admin_error{admin_error::kind::invalid, "whom is longer than any client id or user may be"});
    const auto read_as = read(who.kind, who.whom);
    if (!read_as) return fail(read_as.error());
    const auto& [kind, whom, of] = *read_as;
    const auto now = clock_.now();
    const auto until = lasts == seconds{0} ? never : now + lasts;
    if (auto added = facts_.door.banned().add({.what = kind, .whom = whom, .until = until, .why = who.why}, now); !added) {
        return fail(admin_error{admin_error::kind::refused, added.error()});
    }
    spdlog::warn("{} {} is banned by an administrator: {}", who.kind, whom, who.why.empty() ? "no reason given" : who.why);
    auto kept = keep({{storage::ban_key(who.kind.front(), whom), storage::encode_ban({.until_ms = until == never ? 0 : epoch_ms(until), .why = who.why})}});
    if (!kept) return fail(kept.error());
    return close_those(
        [them = *read_as](const shard_connection& c) {
            if (them.of) return them.of->contain(summary(c).client.address);
            if (c.engine() == nullptr) return false;
            const auto client = c.engine()->info();
            return them.whom == (them.kind == security::ban_kind::user ? client.user : client.client_id);
        },
        {.cause = close_cause::banned, .detail = "by an administrator"});
}

result<bool, admin_error> admin_node::remove_ban(const std::string& kind_name, const std::string& whom) {
    const auto read_as = read(kind_name, whom);
    if (!read_as) return fail(read_as.error());
    if (!facts_.door.banned().remove(read_as->kind, read_as->whom)) return fail(admin_error{admin_error::kind::not_found, fmt::format("{} {} is not banned", kind_name, whom)});
    return keep({{storage::ban_key(kind_name.front(), read_as->whom), std::nullopt}});
}

} // namespace broker
