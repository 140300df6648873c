// Tokens that are not good any more.
#include "admin/body.hpp"
#include "admin/registry.hpp"

namespace broker::admin {

namespace {

response revoke(node& on, const request& r) {
    constexpr std::array<std::string_view, 4> known{"jti", "until", "user", "issued_before"};
    return with_body(r, known, [&](const boost::json::object& o) {
        token_revocation what{.token_id = text_at(o, "jti"), .user = text_at(o, "user")};
        const auto before = integer_at(o, "issued_before", 0);
        const auto until = integer_at(o, "until", 0);
        constexpr std::int64_t latest_s = 7'258'000'000; // time points end some time after
        if (before < 0 || before > latest_s || until < 0 || until > latest_s) throw wrong_type{before == 0 ? "until" : "issued_before", "seconds since 1970"};
        if (!what.token_id.empty() && (!what.user.empty() || before != 0)) return problem(400, "invalid", "either jti, or user and issued_before");
        if (what.token_id.empty() && what.user.empty() && before == 0) {
            return problem(400, "invalid", "write jti, user, or issued_before for the tokens of everybody");
        }
        if (before != 0) what.issued_before = from_epoch_ms(before * 1000);
        if (until != 0) what.until = from_epoch_ms(until * 1000);
        const auto done = on.revoke_tokens(what);
        if (!done) return problem(done.error());
        return json(boost::json::object{{"revoked", true}});
    });
}

using security::revocations;

constexpr std::array<std::string_view, 3> kinds{"everybody", "user", "token"}; // as revocations::kind counts them
constexpr std::size_t listed = 100;
constexpr std::size_t listed_max = 1000; // however many are asked for

// KIND:NAME, as the last line of the page before has them.
std::optional<revocations::entry> place_in(std::string_view cursor) {
    const auto colon = cursor.find(':');
    const auto kind = std::ranges::find(kinds, cursor.substr(0, colon));
    if (colon == std::string_view::npos || kind == kinds.end()) return std::nullopt;
    return revocations::entry{.what = static_cast<revocations::kind>(kind - kinds.begin()), .name = std::string{cursor.substr(colon + 1)}};
}

response list(node& on, const request& r) {
    const auto limit = r.number("limit", listed, listed_max);
    if (!limit) return problem(400, "invalid", "limit is not a number");
    const auto after = place_in(r.get("cursor"));
    if (!after && !r.get("cursor").empty()) return problem(400, "invalid", "cursor is not KIND:NAME, such as user:anna");
    const auto found = on.list_revoked(after, *limit);
    if (!found) return problem(found.error());
    boost::json::array rows;
    for (const auto& e : *found) {
        const bool one = e.what == revocations::kind::token;
        rows.push_back(boost::json::object{{"kind", kinds[static_cast<std::size_t>(e.what)]},
                                           {"name", e.name},
                                           {"issued_before", one ? boost::json::value{} : boost::json::value(rfc3339(e.at))},
                                           {"until", one ? time_or_null(e.at) : boost::json::value{}}});
    }
    return json(rows);
}

} // namespace

void add_tokens(registry& to) {
    to.add("POST", "/api/v1/tokens/revoke", revoke);
    to.add("GET", "/api/v1/tokens/revoked", list);
}

} // namespace broker::admin
