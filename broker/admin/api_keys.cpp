// API keys: GET and POST /api/v1/apikeys {"name", "scopes", "ttl_s"}, DELETE /api/v1/apikeys/NAME
#include "admin/body.hpp"
#include "admin/registry.hpp"

namespace broker::admin {

namespace {

response create(node& on, const request& r) {
    constexpr std::array<std::string_view, 3> known{"name", "scopes", "ttl_s"};
    return with_body(r, known, [&](const boost::json::object& o) {
        constexpr std::int64_t longest_s = 100LL * 365 * 24 * 3600;
        const auto ttl_s = integer_at(o, "ttl_s", 0);
        if (ttl_s < 0 || ttl_s > longest_s) return problem(400, "invalid", "ttl_s is 0 (never expires) to a hundred years");
        const auto made = on.create_api_key({.name = text_at(o, "name"), .scopes = texts_at(o, "scopes"), .ttl = seconds{ttl_s}});
        if (!made) return problem(made.error());
        return json(boost::json::object{{"name", made->row.name}, {"key", made->text}, {"expires_at", time_or_null(made->row.expires)}}, 201);
    });
}

response list(node& on, const request&) {
    const auto rows = on.list_api_keys();
    if (!rows) return problem(rows.error());
    boost::json::array all;
    for (const auto& k : *rows) {
        all.push_back(boost::json::object{{"name", k.name},
                                          {"scopes", boost::json::array(k.scopes.begin(), k.scopes.end())},
                                          {"created_at", rfc3339(k.created)},
                                          {"expires_at", time_or_null(k.expires)},
                                          {"expired", k.expired}});
    }
    return json(all);
}

response remove(node& on, const request& r) {
    const auto done = on.delete_api_key(r.rest.front());
    return done ? json(boost::json::object{{"deleted", true}}) : problem(done.error());
}

} // namespace

void add_api_keys(registry& to) {
    to.add("GET", "/api/v1/apikeys", list);
    to.add("POST", "/api/v1/apikeys", create);
    to.add("DELETE", "/api/v1/apikeys/{}", remove);
}

} // namespace broker::admin
