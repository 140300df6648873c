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

} // namespace

void add_tokens(registry& to) { to.add("POST", "/api/v1/tokens/revoke", revoke); }

} // namespace broker::admin
