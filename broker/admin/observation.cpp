// Health, readiness, status, version.
#include "admin/registry.hpp"

namespace broker::admin {

namespace {

template <class Counts>
std::uint64_t total(const Counts& counts) {
    std::uint64_t sum = 0;
    for (const auto& c : counts) {
        if constexpr (requires { c.size(); }) sum += total(c);
        else sum += c;
    }
    return sum;
}

response show_status(node& on, const request&) {
    const auto s = on.get_status();
    if (!s) return problem(s.error());
    boost::json::array listeners;
    for (const auto& l : s->listeners) listeners.push_back(boost::json::object{{"name", l.name}, {"url", l.url}});
    boost::json::array alarms;
    for (const auto& a : s->alarms) {
        alarms.push_back(boost::json::object{{"name", a.name}, {"since", rfc3339(a.since)}, {"detail", a.detail}});
    }
    return json(boost::json::object{
        {"version", s->version},
        {"node", s->node_name},
        {"data_dir", s->data_dir},
        {"durability", s->durability},
        {"started_at", rfc3339(s->started_at)},
        {"uptime_s", std::chrono::duration_cast<seconds>(s->now - s->started_at).count()},
        {"threads", s->shards},
        {"connections", total(s->sums.connections)},
        {"sessions_online", s->sessions_online},
        {"sessions_offline", s->sessions_offline},
        {"subscriptions", s->subscriptions + s->shared_subscriptions},
        {"retained_messages", s->retained_messages},
        {"queues", s->queues},
        {"session_queue_messages", s->session_queue_messages},
        {"messages_received", total(s->sums.messages_received)},
        {"messages_sent", total(s->sums.messages_sent)},
        {"messages_dropped", total(s->sums.messages_dropped)},
        {"store_failed", s->store_failed},
        {"alarms", alarms},
        {"listeners", listeners}});
}

} // namespace

void add_observation(registry& to) {
    to.add("GET", "/healthz", [](node&, const request&) { return response{.content_type = "text/plain", .body = "ok\n"}; });
    to.add("GET", "/readyz", [](node& on, const request&) {
        if (on.ready()) return response{.content_type = "text/plain", .body = "ready\n"};
        return problem(503, "overload", "starting, stopping, or the store does not acknowledge");
    });
    to.add("GET", "/api/v1/status", show_status);
    to.add("GET", "/api/v1/version", [](node& on, const request&) {
        const auto s = on.get_status();
        return s ? json(boost::json::object{{"version", s->version}}) : problem(s.error());
    });
}

} // namespace broker::admin
