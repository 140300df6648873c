// What is on disk: looked at, verified, copied.
#include "admin/body.hpp"
#include "admin/registry.hpp"

namespace broker::admin {

namespace {

boost::json::object describe(const store_rows& rows) {
    boost::json::object o;
    for (const auto& r : rows) o[r.column] = r.rows;
    return o;
}

response show(node& on, const request&) {
    const auto s = on.show_store();
    if (!s) return problem(s.error());
    boost::json::array columns;
    for (const auto& c : s->columns) columns.push_back(boost::json::object{{"column", c.column}, {"rows", c.rows}, {"bytes", c.bytes}});
    return json(boost::json::object{{"data_dir", s->data_dir},
                                    {"durability", s->durability},
                                    {"state", s->trouble.empty() ? "ok" : "trouble"},
                                    {"trouble", s->trouble.empty() ? boost::json::value{} : boost::json::value(s->trouble)},
                                    {"format", s->format},
                                    {"data_files", s->data_files},
                                    {"data_bytes", s->data_bytes},
                                    {"log_bytes", s->log_bytes},
                                    {"memory_bytes", s->memory_bytes},
                                    {"to_compact_bytes", s->to_compact},
                                    {"disk_free_bytes", s->disk_free},
                                    {"disk_total_bytes", s->disk_total},
                                    {"columns", columns}});
}

response verify(node& on, const request&) {
    const auto s = on.verify_store();
    if (!s) return problem(s.error());
    return json(boost::json::object{{"intact", s->wrong.empty()},
                                    {"files", s->files},
                                    {"bytes", s->bytes},
                                    {"wrong", boost::json::array(s->wrong.begin(), s->wrong.end())},
                                    {"notes", boost::json::array(s->notes.begin(), s->notes.end())},
                                    {"rows", describe(s->rows)}});
}

response back_up(node& on, const request& r) {
    constexpr std::array<std::string_view, 1> known{"to"};
    return with_body(r, known, [&](const boost::json::object& o) {
        const auto to = text_at(o, "to");
        if (!to.starts_with('/')) throw wrong_type{"to", "an absolute path"};
        const auto made = on.back_up_store(to);
        if (!made) return problem(made.error());
        return json(boost::json::object{{"to", to}, {"files", made->files}, {"bytes", made->bytes}});
    });
}

} // namespace

void add_store(registry& to) {
    to.add("GET", "/api/v1/store", show);
    to.add("POST", "/api/v1/store/verify", verify);
    to.add("POST", "/api/v1/store/backup", back_up);
}

} // namespace broker::admin
