// Users that the store keeps.
//   GET    /api/v1/users, /api/v1/users/NAME
//   POST   /api/v1/users {"name", "password"}           a new one
//   POST   /api/v1/users/import {"users": [{"name", "hash", "disabled"}]}   all or none; those that are there are changed
//   PATCH  /api/v1/users/NAME {"password", "disabled"}
//   DELETE /api/v1/users/NAME
#include "admin/body.hpp"
#include "admin/registry.hpp"

namespace broker::admin {

namespace {

boost::json::object described(const user_row& u) {
    return {{"user", u.name},
            {"source", u.from_file ? "file" : "store"},
            {"disabled", u.disabled},
            {"hash", u.hash_kind},
            {"set_at", u.set_at == time_point{} ? boost::json::value{} : boost::json::value(rfc3339(u.set_at))}};
}

response list(node& on, const request&) {
    const auto rows = on.list_users();
    if (!rows) return problem(rows.error());
    boost::json::array all;
    for (const auto& u : *rows) all.push_back(described(u));
    return json(all);
}

response show(node& on, const request& r) {
    const auto rows = on.list_users();
    if (!rows) return problem(rows.error());
    const auto found = std::ranges::find(*rows, r.rest.front(), &user_row::name);
    return found == rows->end() ? problem(404, "not_found", fmt::format("there is no user {}", r.rest.front())) : json(described(*found));
}

std::optional<std::string> password_in(const boost::json::object& o) {
    if (!o.contains("password")) return std::nullopt;
    auto password = text_at(o, "password");
    if (password.empty()) throw wrong_type{"password", "a string that is not empty"};
    return password;
}

response create(node& on, const request& r) {
    constexpr std::array<std::string_view, 2> known{"name", "password"};
    return with_body(r, known, [&](const boost::json::object& o) {
        const auto password = password_in(o);
        if (!password) return problem(400, "invalid", "password is missing");
        const auto done = on.add_user(text_at(o, "name"), *password);
        return done ? json(boost::json::object{{"added", true}}, 201) : problem(done.error());
    });
}

response import(node& on, const request& r) {
    constexpr std::array<std::string_view, 1> known{"users"};
    return with_body(r, known, [&](const boost::json::object& o) {
        const auto* const list_of_them = o.if_contains("users");
        if (list_of_them == nullptr || !list_of_them->is_array()) throw wrong_type{"users", "a list"};
        std::vector<user_to_import> all;
        for (const auto& one : list_of_them->get_array()) {
            if (!one.is_object()) throw wrong_type{"users", "a list of objects"};
            const auto& u = one.get_object();
            all.push_back({.name = text_at(u, "name"), .hash = text_at(u, "hash"), .disabled = flag_at(u, "disabled")});
        }
        const auto done = on.import_users(all);
        return done ? json(boost::json::object{{"imported", *done}}) : problem(done.error());
    });
}

response change(node& on, const request& r) {
    constexpr std::array<std::string_view, 2> known{"password", "disabled"};
    return with_body(r, known, [&](const boost::json::object& o) {
        const auto password = password_in(o);
        const auto disabled = o.contains("disabled") ? std::optional{flag_at(o, "disabled")} : std::nullopt;
        if (!password && !disabled) return problem(400, "invalid", "write password or disabled");
        const auto done = on.change_user(r.rest.front(), password, disabled);
        return done ? json(boost::json::object{{"changed", true}}) : problem(done.error());
    });
}

response remove(node& on, const request& r) {
    const auto done = on.delete_user(r.rest.front());
    return done ? json(boost::json::object{{"deleted", true}}) : problem(done.error());
}

} // namespace

void add_users(registry& to) {
    to.add("GET", "/api/v1/users", list);
    to.add("POST", "/api/v1/users", create);
    to.add("POST", "/api/v1/users/import", import);
    to.add("GET", "/api/v1/users/{}", show);
    to.add("PATCH", "/api/v1/users/{}", change);
    to.add("DELETE", "/api/v1/users/{}", remove);
}

} // namespace broker::admin
