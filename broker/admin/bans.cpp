// Who is banned.
#include "admin/body.hpp"
#include "admin/registry.hpp"

#include <array>

namespace broker::admin {

namespace {

response list(node& on, const request&) {
    const auto all = on.list_bans();
    if (!all) return problem(all.error());
    boost::json::array rows;
    for (const auto& b : *all) {
        rows.push_back(boost::json::object{
            {"kind", b.kind}, {"whom", b.whom}, {"until", time_or_null(b.until)}, {"automatic", b.by_itself}, {"reason", b.why}});
    }
    return json(rows);
}

response add(node& on, const request& r) {
    constexpr std::array<std::string_view, 4> known{"kind", "whom", "for_s", "reason"};
    return with_body(r, known, [&](const boost::json::object& o) {
        constexpr std::int64_t longest_s = 100LL * 365 * 24 * 3'600;
        const auto for_s = integer_at(o, "for_s", 0);
        if (for_s < 0 || for_s > longest_s) throw wrong_type{"for_s", "seconds; 0 is for ever"};
        ban_row who{.kind = text_at(o, "kind"), .whom = text_at(o, "whom"), .why = text_at(o, "reason")};
        const auto closed = on.add_ban(who, seconds{for_s});
        return closed ? json(boost::json::object{{"connections_closed", *closed}}) : problem(closed.error());
    });
}

} // namespace

void add_bans(registry& to) {
    to.add("GET", "/api/v1/bans", list);
    to.add("POST", "/api/v1/bans", add);
    to.add("DELETE", "/api/v1/bans/{}/{*}", [](node& on, const request& r) {
        const auto done = on.remove_ban(r.rest[0], r.rest[1]);
        return done ? json(boost::json::object{{"removed", true}}) : problem(done.error());
    });
}

} // namespace broker::admin
