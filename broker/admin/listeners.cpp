// Listeners and their certificates.
#include "admin/registry.hpp"

namespace broker::admin {

namespace {

boost::json::array certificates_of(const listener_row& l) {
    boost::json::array made;
    for (const auto& c : l.certificates) {
        boost::json::array names;
        for (const auto& n : c.names) names.emplace_back(n);
        made.push_back(boost::json::object{{"listener", l.name},
                                           {"subject", c.subject},
                                           {"issuer", c.issuer},
                                           {"names", names},
                                           {"not_before", rfc3339(c.not_before)},
                                           {"not_after", rfc3339(c.not_after)},
                                           {"fingerprint", c.fingerprint},
                                           {"file", c.file}});
    }
    return made;
}

response list(node& on, const request&) {
    const auto s = on.get_status();
    if (!s) return problem(s.error());
    boost::json::array rows;
    for (const auto& l : s->listeners) {
        rows.push_back(boost::json::object{{"name", l.name},
                                           {"url", l.url},
                                           {"connections", l.connections},
                                           {"max_connections", l.connections_max == 0 ? boost::json::value{} : boost::json::value(l.connections_max)},
                                           {"tls", !l.certificates.empty()}});
    }
    return json(rows);
}

response certificates(node& on, const request&) {
    const auto s = on.get_status();
    if (!s) return problem(s.error());
    boost::json::array rows;
    for (const auto& l : s->listeners) {
        for (auto& c : certificates_of(l)) rows.push_back(std::move(c));
    }
    return json(rows);
}

response reload(node& on, const request& r) {
    const auto wrong = on.reload_tls(r.get("listener"));
    if (!wrong) return problem(wrong.error());
    if (wrong->empty()) return json(boost::json::object{{"reloaded", true}});
    std::string all;
    for (const auto& line : *wrong) all += (all.empty() ? "" : "; ") + line;
    return problem(409, "refused", all);
}

} // namespace

void add_listeners(registry& to) {
    to.add("GET", "/api/v1/listeners", list);
    to.add("GET", "/api/v1/listeners/tls", certificates);
    to.add("POST", "/api/v1/listeners/tls/reload", reload);
}

} // namespace broker::admin
