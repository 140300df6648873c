// Sessions, connected or not: list, show, what one holds, dropping a message of it, ending it. STOMP's durable subscriptions are
// among them, as "client-id/name".
#include "admin/registry.hpp"

#include <algorithm>
#include <array>

namespace broker::admin {

namespace {

constexpr std::size_t listed_max = 1000; // messages, however many are asked for

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

boost::json::object describe(const held_message& m, time_point now) {
    constexpr std::array<std::string_view, 3> words{"queued", "sent", "received"};
    const auto seconds_of = [](nanoseconds t) { return std::max<std::int64_t>(std::chrono::duration_cast<seconds>(t).count(), 0); };
    boost::json::object o{{"id", m.id.value()},
                          {"topic", m.topic},
                          {"qos", static_cast<int>(m.level)},
                          {"retain", m.retain},
                          {"bytes", m.bytes},
                          {"state", words[static_cast<std::size_t>(m.at)]},
                          {"handle", m.handle == 0 ? boost::json::value{} : boost::json::value(m.handle)},
                          {"redelivery_count", m.redelivery_count},
                          {"received_at", rfc3339(m.received_at)},
                          {"age_s", seconds_of(now - m.received_at)},
                          {"expires_at", time_or_null(m.expires_at)},
                          {"expires_in_s", m.expires_at == never ? boost::json::value{} : boost::json::value(seconds_of(m.expires_at - now))},
                          {"truncated", m.payload.size() < m.bytes}};
    put_payload(o, m.payload);
    return o;
}

response messages(node& on, const request& r, bool in_flight_only) {
    const auto limit = r.number("limit", 10, listed_max);
    if (!limit) return problem(400, "invalid", "limit is not a number");
    const auto after = r.number("cursor", 0, ~std::uint64_t{0});
    if (!after) return problem(400, "invalid", "cursor is not the id of a message");
    const auto found = on.session_messages(r.rest[0], message_id{*after}, *limit, in_flight_only);
    if (!found) return problem(found.error());
    boost::json::array rows;
    for (const auto& m : found->messages) rows.push_back(describe(m, found->now));
    return json(rows);
}

response drop(node& on, const request& r) {
    const auto message = number_in(r.rest[1]);
    if (!message) return problem(400, "invalid", r.rest[1] + " is not the id of a message, which is a number");
    const auto dropped = on.drop_session_message(r.rest[0], message_id{*message}, r.get("force") == "true");
    return dropped ? json(boost::json::object{{"dropped", *message}}) : problem(dropped.error());
}

response expire(node& on, const request& r) {
    const auto gone = on.expire_session(r.rest[0]);
    return gone ? json(boost::json::object{{"expired", r.rest[0]}}) : problem(gone.error());
}

} // namespace

void add_sessions(registry& to) {
    to.add("GET", "/api/v1/sessions", list);
    to.add("GET", "/api/v1/sessions/{}/messages", [](node& on, const request& r) { return messages(on, r, false); });
    to.add("GET", "/api/v1/sessions/{}/inflight", [](node& on, const request& r) { return messages(on, r, true); });
    to.add("DELETE", "/api/v1/sessions/{}/messages/{}", drop);
    to.add("GET", "/api/v1/sessions/{*}", show);
    to.add("DELETE", "/api/v1/sessions/{*}", expire);
}

} // namespace broker::admin
