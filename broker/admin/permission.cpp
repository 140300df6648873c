#include "admin/permission.hpp"

#include "core/topic.hpp"

namespace broker::admin {

namespace {

constexpr std::string_view base = "/api/v1/";

// What a rule's filter is compared with. A slash that is part of a name stays %2F, so that levels are the path's segments however they are written.
std::string managed(std::string_view path) {
    if (path.starts_with(base)) path.remove_prefix(base.size());
    std::string made;
    for (;;) {
        const auto slash = path.find('/');
        for (const char c : decode_percent(path.substr(0, slash), false)) {
            if (c == '/') made += "%2F";
            else made += c;
        }
        if (slash == std::string_view::npos) return made;
        made += '/';
        path.remove_prefix(slash + 1);
    }
}

// The node's own limits are asked later; rights must not be asked about what is no filter at all.
limits widest() {
    limits l;
    l.max_topic_levels = topic_levels_max;
    l.max_topic_bytes = 0xFFFF;
    return l;
}

} // namespace

std::optional<response> refusal_of(request& r, const security::rights& may) {
    if (may.verdict_on(security::action::manage, managed(r.path)).allowed) return std::nullopt;
    if (r.method == "POST" && r.path == "/api/v1/publish") {
        r.may = &may;
        return std::nullopt;
    }
    if (r.method == "GET" && r.path == "/api/v1/stream") {
        for (auto [at, end] = r.query.equal_range("topic"); at != end; ++at) {
            if (!topic_filter::parse(at->second, widest())) return problem(400, "invalid", "not a topic filter: " + at->second);
            if (may.verdict_on_subscription(at->second).what == security::coverage::all) continue;
            return problem(403, "forbidden", "the scopes and roles of this key do not allow all of " + at->second);
        }
        return std::nullopt;
    }
    return problem(403, "forbidden", "this key has no scope that allows it; manage allows everything");
}

} // namespace broker::admin
