// Sessions, connected or not: list, show. STOMP's durable subscriptions are among them, as "client-id/name".
#include "admin/registry.hpp"

#include <array>

namespace broker::admin {

namespace {

boost::json::value time_or_null(time_point at) { return at == never ? boost::json::value{} : boost::json::value(rfc3339(at)); }

boost::json::object describe(const session_row& s) {
    return {{"id", s.id},
            {"state", s.online ? "connected" : "offline"},
            {"durable", s.durable},
            {"subscriptions", s.subscriptions},
            {"inflight", s.inflight},
            {"queued", s.queued},
            {"expires_at", time_or_null(s.expires_at)},
            {"thread", s.shard}};
}

boost::json::object describe(const session_subscription& s) {
    constexpr std::array<std::string_view, 3> handling{"send", "send_if_new", "do_not_send"};
    const auto& o = s.options;
    return {{"filter", s.filter},
            {"qos", static_cast<int>(o.maximum_qos)},
            {"no_local", o.no_local},
            {"retain_as_published", o.retain_as_published},
            {"retain_handling", handling[static_cast<std::size_t>(o.retained)]},
            {"identifier", o.identifier == 0 ? boost::json::value{} : boost::json::value(o.identifier)}};
}

response list(node& on, const request&) {
    const auto all = on.list_sessions();
    if (!all) return problem(all.error());
    boost::json::array rows;
    for (const auto& s : *all) rows.push_back(describe(s));
    return json(rows);
}

response show(node& on, const request& r) {
    const auto found = on.show_session(r.rest[0]);
    if (!found) return problem(found.error());
    auto o = describe(found->row);
    o["expiry_s"] = found->expiry ? boost::json::value(found->expiry->count()) : boost::json::value{};
    o["queued_bytes"] = found->queued_bytes;
    o["queued_in_memory"] = found->queued_in_memory;
    o["inbound_qos2"] = found->inbound_qos2;
    o["receive_maximum"] = found->receive_maximum;
    o["will_topic"] = found->will_topic.empty() ? boost::json::value{} : boost::json::value(found->will_topic);
    o["will_due"] = time_or_null(found->will_due);
    boost::json::array subscriptions;
    for (const auto& s : found->subscriptions) subscriptions.push_back(describe(s));
    o["subscriptions"] = std::move(subscriptions);
    return json(o);
}

} // namespace

void add_sessions(registry& to) {
    to.add("GET", "/api/v1/sessions", list);
    to.add("GET", "/api/v1/sessions/{*}", show);
}

} // namespace broker::admin
