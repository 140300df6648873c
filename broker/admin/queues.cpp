// Queues.
#include "admin/registry.hpp"

namespace broker::admin {

void add_queues(registry& to) {
    to.add("GET", "/api/v1/queues", [](node& on, const request&) {
        const auto all = on.list_queues();
        if (!all) return problem(all.error());
        boost::json::array rows;
        for (const auto& q : *all) {
            rows.push_back(boost::json::object{{"name", q.name},
                                               {"messages", q.messages},
                                               {"unacknowledged", q.unacknowledged},
                                               {"consumers", q.consumers},
                                               {"bytes", q.bytes},
                                               {"thread", q.shard}});
        }
        return json(rows);
    });
}

} // namespace broker::admin
