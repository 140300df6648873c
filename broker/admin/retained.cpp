// Retained messages: list by filter, get, delete.
#include "admin/registry.hpp"

#include <limits>

namespace broker::admin {

namespace {

constexpr std::size_t listed_max = 1000; // unless the request asks for more or less

response list(node& on, const request& r) {
    const auto count_max = r.number("limit", listed_max, std::numeric_limits<std::size_t>::max());
    if (!count_max) return problem(400, "invalid", "limit is not a number");
    const auto found = on.retained(r.get("filter", "#"), *count_max);
    if (!found) return problem(found.error());
    boost::json::array rows;
    for (const auto& m : *found) {
        auto row = describe(*m);
        row["bytes"] = m->payload().size();
        row["received_at"] = rfc3339(m->received_at());
        rows.push_back(std::move(row));
    }
    return json(rows);
}

response get(node& on, const request& r) {
    const auto found = on.retained(r.rest[0], 1);
    if (!found) return problem(found.error());
    if (found->empty() || found->front()->topic() != r.rest[0]) {
        return problem(404, "not_found", "nothing is retained for " + r.rest[0]);
    }
    return json(describe(*found->front()));
}

response remove(node& on, const request& r) {
    const auto gone = on.delete_retained(r.rest[0]);
    if (!gone) return problem(gone.error());
    if (*gone == 0) return problem(404, "not_found", "nothing is retained for " + r.rest[0]);
    return json(boost::json::object{{"deleted", *gone}});
}

} // namespace

void add_retained(registry& to) {
    to.add("GET", "/api/v1/retained", list);
    to.add("GET", "/api/v1/retained/{*}", get);
    to.add("DELETE", "/api/v1/retained/{*}", remove);
}

} // namespace broker::admin
