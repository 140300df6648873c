// What somebody may, as the broker would decide now.
#include "admin/body.hpp"
#include "admin/registry.hpp"
#include "security/token_rules.hpp"

#include <array>

namespace broker::admin {

namespace {

response test(node& on, const request& r) {
    constexpr std::array<std::string_view, 6> known{"user", "client_id", "roles", "claims", "action", "topic"};
    return with_body(r, known, [&](const boost::json::object& o) {
        security::identity who{.user = text_at(o, "user"), .client_id = text_at(o, "client_id"), .roles = texts_at(o, "roles")};
        if (const auto* const claims = o.if_contains("claims")) {
            if (!claims->is_object()) throw wrong_type{"claims", "an object"};
            auto values = security::values_of(claims->as_object());
            if (!values) return problem(400, "invalid", values.error());
            who.claims = std::move(*values);
        }
        const auto what = security::action_named(text_at(o, "action"));
        if (!what) return problem(400, "invalid", "action is connect, publish, subscribe, retain, queue_read, queue_write or manage");
        const auto ruled = on.test_rights(who, *what, text_at(o, "topic"));
        return ruled ? json(describe(*ruled)) : problem(ruled.error());
    });
}

} // namespace

void add_acl(registry& to) { to.add("POST", "/api/v1/acl/test", test); }

} // namespace broker::admin
