// Queues: list, show, declare, peek, purge, move, delete. A queue's name may contain slashes: the resources below it are
// told by the end of the path.
#include "admin/body.hpp"
#include "core/properties.hpp"

#include <array>
#include <optional>

namespace broker::admin {

namespace {

constexpr std::size_t peeked_max = 1000;   // messages, however many are asked for
constexpr std::size_t piece_max = 10'000;  // messages one purge or move takes away: a request does not last
constexpr std::string_view messages_end = "/messages";
constexpr std::string_view purge_end = "/purge";
constexpr std::string_view move_end = "/move";

boost::json::value text_or_null(const std::string& text) {
    return text.empty() ? boost::json::value{} : boost::json::value(text);
}

boost::json::object row(const queue_row& q) {
    return {{"name", q.name},
            {"messages", q.messages},
            {"unacknowledged", q.unacknowledged},
            {"consumers", q.consumers},
            {"bytes", q.bytes},
            {"declared_by", text_or_null(q.declared_by)},
            {"messages_max", q.messages_max},
            {"bytes_max", q.bytes_max},
            {"ttl_s", q.ttl.count()},
            {"policy", word(q.policy)},
            {"dead_letter", text_or_null(q.dead_letter)},
            {"max_deliveries", q.max_deliveries},
            {"priority", q.priority},
            {"arrived", q.arrived},
            {"delivered", q.delivered},
            {"redelivered", q.redelivered},
            {"expired", q.expired},
            {"dropped", q.dropped},
            {"dead_lettered", q.dead_lettered},
            {"in_memory", q.in_memory},
            {"thread", q.shard}};
}

response list(node& on, const request&) {
    const auto all = on.list_queues();
    if (!all) return problem(all.error());
    boost::json::array rows;
    for (const auto& q : *all) rows.push_back(row(q));
    return json(rows);
}

response show(node& on, const std::string& name) {
    const auto all = on.list_queues();
    if (!all) return problem(all.error());
    for (const auto& q : *all) {
        if (q.name == name) return json(row(q));
    }
    return problem(404, "not_found", "no queue " + name);
}

response not_a_number() { return problem(400, "invalid", "limit is not a number"); }

response peek(node& on, const request& r, const std::string& name) {
    const auto limit = r.number("limit", 10, peeked_max);
    if (!limit) return not_a_number();
    const auto found = on.peek_queue(name, *limit);
    if (!found) return problem(found.error());
    boost::json::array rows;
    for (const auto& m : *found) {
        auto o = describe(*m.message);
        o["id"] = m.message->id().value();
        o["bytes"] = m.message->payload().size();
        o["received_at"] = rfc3339(m.message->received_at());
        o["redelivery_count"] = m.redelivery_count;
        if (m.message->expires_at() != never) o["expires_at"] = rfc3339(m.message->expires_at());
        boost::json::array headers; // pairs: a name may come twice
        property_reader properties{m.message->properties()};
        while (const auto p = properties.next()) {
            if (p->kind == property_kind::user_property) headers.push_back(boost::json::array{p->name, p->value});
        }
        o["headers"] = std::move(headers);
        rows.push_back(std::move(o));
    }
    return json(rows);
}

response get(node& on, const request& r) {
    auto name = r.rest[0];
    if (!name.ends_with(messages_end) || name.size() == messages_end.size()) return show(on, name);
    name.resize(name.size() - messages_end.size());
    return peek(on, r, name);
}

response declare(node& on, const request& r) {
    constexpr std::array<std::string_view, 7> known{"messages",    "bytes",          "ttl_s",   "policy",
                                                    "dead_letter", "max_deliveries", "priority"};
    return with_body(r, known, [&](const boost::json::object& o) {
        queue_settings s;
        const auto count = [&](std::string_view key, std::int64_t most) -> std::optional<std::int64_t> {
            if (!o.contains(key)) return std::nullopt;
            const auto value = integer_at(o, key, 0);
            if (value < 0 || value > most) throw wrong_type{key, "zero or more, within reason"};
            return value;
        };
        constexpr std::int64_t much = 1'000'000'000'000;
        if (const auto n = count("messages", much)) s.messages_max = static_cast<std::size_t>(*n);
        if (const auto n = count("bytes", 1024 * much)) s.bytes_max = static_cast<std::size_t>(*n);
        if (const auto n = count("ttl_s", 1'000'000'000)) s.ttl = seconds{*n};
        if (const auto n = count("max_deliveries", 1'000'000)) s.max_deliveries = static_cast<std::uint32_t>(*n);
        if (o.contains("policy")) {
            s.policy = policy_of(text_at(o, "policy"));
            if (!s.policy) throw wrong_type{"policy", "reject, drop-oldest or dead-letter"};
        }
        if (o.contains("dead_letter")) s.dead_letter = text_at(o, "dead_letter");
        if (o.contains("priority")) s.priority = flag_at(o, "priority");
        const auto done = on.declare_queue(r.rest[0], s);
        return done ? show(on, r.rest[0]) : problem(done.error());
    });
}

response removed(const result<queue_removed, admin_error>& done, std::string_view word_for_it) {
    if (!done) return problem(done.error());
    return json(boost::json::object{{word_for_it, done->messages}, {"more", done->more}, {"target_full", done->target_full}});
}

response post(node& on, const request& r) {
    auto name = r.rest[0];
    const auto ends = [&name](std::string_view end) {
        if (!name.ends_with(end) || name.size() == end.size()) return false;
        name.resize(name.size() - end.size());
        return true;
    };
    const auto limit = r.number("limit", piece_max, piece_max);
    if (!limit) return not_a_number();
    if (ends(purge_end)) return removed(on.remove_from_queue(name, *limit, ""), "purged");
    if (!ends(move_end)) return problem(404, "not_found", "no such resource: " + r.path);
    constexpr std::array<std::string_view, 1> known{"to"};
    return with_body(r, known, [&](const boost::json::object& o) {
        const auto to = text_at(o, "to");
        if (to.empty() || to == name) throw wrong_type{"to", "the name of another queue"};
        return removed(on.remove_from_queue(name, *limit, to), "moved");
    });
}

response remove(node& on, const request& r) {
    const auto gone = on.delete_queue(r.rest[0], r.get("force") == "true");
    return gone ? json(boost::json::object{{"deleted", r.rest[0]}}) : problem(gone.error());
}

} // namespace

void add_queues(registry& to) {
    to.add("GET", "/api/v1/queues", list);
    to.add("GET", "/api/v1/queues/{*}", get);
    to.add("PUT", "/api/v1/queues/{*}", declare);
    to.add("POST", "/api/v1/queues/{*}", post);
    to.add("DELETE", "/api/v1/queues/{*}", remove);
}

} // namespace broker::admin
