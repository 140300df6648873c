// Connected clients: list, show, kick, a new token.
#include "admin/body.hpp"
#include "admin/registry.hpp"

namespace broker::admin {

namespace {

boost::json::object row(const connection_row& c) {
    return {{"id", c.client.client_id},
            {"protocol", c.client.protocol},
            {"version", c.client.version},
            {"transport", c.transport},
            {"listener", c.listener},
            {"address", c.address},
            {"user", c.client.user},
            {"identity", c.identity},
            {"connected_at", rfc3339(c.connected_at)},
            {"keep_alive_s", c.client.keep_alive_s},
            {"subscriptions", c.client.subscriptions},
            {"inflight", c.client.inflight},
            {"waiting", c.client.waiting},
            {"outbox_bytes", c.outbox_bytes},
            {"thread", c.shard}};
}

response list(node& on, const request& r) {
    const auto all = on.connections();
    if (!all) return problem(all.error());
    boost::json::array rows;
    for (const auto& c : *all) {
        if (!r.rest.empty() && c.client.client_id != r.rest[0]) continue;
        if (!r.get("protocol").empty() && c.client.protocol != r.get("protocol")) continue;
        rows.push_back(row(c));
    }
    if (!r.rest.empty() && rows.empty()) return problem(404, "not_found", "no connected client " + r.rest[0]);
    return json(rows);
}

response renew(node& on, const request& r) {
    constexpr std::array<std::string_view, 1> known{"token"};
    return with_body(r, known, [&](const boost::json::object& o) {
        const auto token = text_at(o, "token");
        if (token.empty()) return problem(400, "invalid", "write token");
        const auto done = on.renew_token(r.rest[0], token);
        if (!done) return problem(done.error());
        return json(boost::json::object{{"id", r.rest[0]}, {"user", done->user}, {"expires_at", time_or_null(done->expires)}});
    });
}

} // namespace

void add_clients(registry& to) {
    to.add("GET", "/api/v1/clients", list);
    to.add("GET", "/api/v1/clients/{*}", list);
    to.add("POST", "/api/v1/clients/{}/token", renew);
    to.add("DELETE", "/api/v1/clients/{*}", [](node& on, const request& r) {
        const auto kicked = on.kick(r.rest[0]);
        return kicked ? json(boost::json::object{{"kicked", *kicked}}) : problem(kicked.error());
    });
}

} // namespace broker::admin
