// Sessions, connected or not.
#include "admin/registry.hpp"

namespace broker::admin {

void add_sessions(registry& to) {
    to.add("GET", "/api/v1/sessions", [](node& on, const request&) {
        const auto all = on.list_sessions();
        if (!all) return problem(all.error());
        boost::json::array rows;
        for (const auto& s : *all) {
            rows.push_back(boost::json::object{{"id", s.id},
                                               {"state", s.online ? "connected" : "offline"},
                                               {"durable", s.durable},
                                               {"subscriptions", s.subscriptions},
                                               {"inflight", s.inflight},
                                               {"queued", s.queued},
                                               {"expires_at", s.expires_at == never ? boost::json::value(nullptr)
                                                                                    : boost::json::value(rfc3339(s.expires_at))},
                                               {"thread", s.shard}});
        }
        return json(rows);
    });
}

} // namespace broker::admin
