#include "security/ruling.hpp"

#include "core/topic.hpp"

#include <fmt/format.h>

namespace broker::security {

namespace {

ruling made(coverage what, const rule* by) {
    if (by != nullptr) return {.what = what, .rule = text(*by), .origin = by->origin};
    return {.what = what, .rule = what == coverage::all ? "none: no rule speaks of it" : "none: no rule allows it"};
}

bool subscribes(action a) { return a == action::subscribe || a == action::queue_read; }
bool publishes(action a) { return a == action::publish || a == action::queue_write; }

} // namespace

std::optional<action> action_named(std::string_view word) {
    for (std::size_t a = 0; a < actions; ++a) {
        if (name(static_cast<action>(a)) == word) return static_cast<action>(a);
    }
    return std::nullopt;
}

result<ruling, std::string> ruling_on(const rights* may, action what, const std::string& topic, const limits& bounds) {
    if (subscribes(what) ? !topic_filter::parse(topic, bounds) : !is_topic_name(topic, bounds)) {
        return fail(fmt::format("'{}' is no {}", topic, subscribes(what) ? "topic filter" : "topic name"));
    }
    if ((publishes(what) || what == action::retain) && is_server_topic(topic)) return ruling{.rule = "none: topics that begin with $ are the server's"};
    if (may == nullptr) return ruling{.what = coverage::all, .rule = "none: nobody has to prove who he is, and everything is allowed"};
    if (subscribes(what)) {
        const auto v = may->verdict_on_subscription(topic);
        const bool lost = v.what == coverage::part && topic.starts_with(share_prefix); // see rights.hpp
        return made(lost ? coverage::none : v.what, v.by);
    }
    const auto v = may->verdict_on(publishes(what) ? rights::publishing_to(topic) : what, topic);
    return made(v.allowed ? coverage::all : coverage::none, v.by);
}

boost::json::object describe(const ruling& r) {
    boost::json::object o{{"verdict", r.what == coverage::all ? "allowed" : r.what == coverage::part ? "part" : "denied"}, {"rule", r.rule}};
    if (!r.origin.empty()) o["origin"] = r.origin;
    if (r.what == coverage::part) o["note"] = "messages on topics that are not allowed are held back, or it is refused: auth.partial_subscriptions";
    return o;
}

} // namespace broker::security
