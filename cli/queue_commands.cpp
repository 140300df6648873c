// brokerctl queue.
#include "cli/command.hpp"
#include "cli/output.hpp"

#include <CLI/CLI.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>

namespace broker::cli {

namespace {

struct arguments {
    std::string name{};
    std::string to{};
    std::size_t limit = 0;
    bool yes = false;
    bool force = false;
    // Declared; what is not said follows the broker's limits.
    std::optional<std::uint64_t> messages{};
    std::optional<std::uint64_t> bytes{};
    std::optional<std::uint64_t> ttl_s{};
    std::optional<std::uint64_t> max_deliveries{};
    std::optional<std::string> policy{};
    std::optional<std::string> dead_letter{};
    std::optional<bool> priority{};
};

// Shell users write /queue/NAME as well.
std::string path_of(const std::string& queue) {
    return "/api/v1/queues/" + encode_percent(queue.starts_with("/queue/") ? queue.substr(7) : queue);
}

// Purge and move end after so many messages, so that a request does not last: asks again until all of it is done.
int remove(const settings& s, const arguments& a, const std::string& verb, const std::string& word, const std::string& body) {
    std::size_t done = 0;
    for (bool more = true; more;) {
        const auto limit = a.limit == 0 ? std::string{} : fmt::format("?limit={}", a.limit - done);
        const auto answered = s.broker().call("POST", path_of(a.name) + verb + limit, body);
        if (answered.status >= 400) {
            if (done != 0) fmt::print(stderr, "brokerctl: {} were {} before it failed\n", done, word);
            return failed(answered);
        }
        const auto o = boost::json::parse(answered.body).as_object();
        done += o.at(word).to_number<std::size_t>();
        if (o.at("target_full").as_bool()) {
            fmt::print(stderr, "brokerctl: {} were {}; then {} took no more: make room there, or declare it with a larger limit\n", done, word, a.to);
            return refused;
        }
        more = o.at("more").as_bool() && (a.limit == 0 || done < a.limit);
    }
    const boost::json::object result{{word, done}};
    return show(s, {.status = 200, .body = boost::json::serialize(result) + "\n"}, {});
}

int peek(const settings& s, const arguments& a) {
    const auto answered = s.broker().call("GET", fmt::format("{}/messages?limit={}", path_of(a.name), a.limit));
    if (answered.status >= 400 || s.output == "json") return show(s, answered, {});
    auto rows = boost::json::parse(answered.body).as_array();
    for (auto& row : rows) row.as_object()["payload"] = printable(payload_of(row.as_object()));
    fmt::print("{}", table_of(rows, {"id", "received_at", "redelivery_count", "bytes", "payload"}, !s.no_headers));
    return 0;
}

int declare(const settings& s, const arguments& a) {
    boost::json::object body;
    const auto add = [&body](const char* key, const auto& value) {
        if (value) body[key] = *value;
    };
    add("messages", a.messages);
    add("bytes", a.bytes);
    add("ttl_s", a.ttl_s);
    add("policy", a.policy);
    add("dead_letter", a.dead_letter);
    add("max_deliveries", a.max_deliveries);
    add("priority", a.priority);
    return show(s, s.broker().call("PUT", path_of(a.name), boost::json::serialize(body)), {});
}

CLI::App* with_name(CLI::App* verb, arguments& a) {
    verb->add_option("QUEUE", a.name, "Its name.")->required();
    return verb;
}

} // namespace

void add_queue_commands(CLI::App& app, const settings& s, int& status) {
    const auto args = std::make_shared<arguments>();
    auto& a = *args; // the callbacks keep it
    auto* const queues = app.add_subcommand("queue", "Queues.")->alias("queues")->require_subcommand(1);
    queues->add_subcommand("list", "All of them.")->callback([args, &s, &status] {
        status = show(s, s.broker().call("GET", "/api/v1/queues"), {"name", "messages", "unacknowledged", "consumers", "bytes"});
    });
    with_name(queues->add_subcommand("show", "One of them: its settings and what happened in it."), a)->callback([args, &s, &status] {
        status = show(s, s.broker().call("GET", path_of(args->name)), {});
    });

    auto* const declared = with_name(queues->add_subcommand("declare", "Makes it, or changes its settings: what is not said follows the broker's limits."), a);
    declared->add_option("--messages", a.messages, "Most messages.");
    declared->add_option("--bytes", a.bytes, "Most bytes: 1000000, 64MB, 1GB.")->transform(CLI::AsSizeValue{false});
    declared->add_option("--ttl", a.ttl_s, "Age at which messages expire: 30s, 5m, 12h, 7d; 0s: never.")
        ->transform(CLI::AsNumberWithUnit(std::map<std::string, std::uint64_t>{{"s", 1}, {"m", 60}, {"h", 3'600}, {"d", 86'400}},
                                          CLI::AsNumberWithUnit::UNIT_REQUIRED));
    declared->add_option("--policy", a.policy, "When it is full.")->check(CLI::IsMember({"reject", "drop-oldest", "dead-letter"}));
    declared->add_option("--dead-letter", a.dead_letter, "The queue for what is given up; '' is none.");
    declared->add_option("--max-deliveries", a.max_deliveries, "Deliveries in vain until a message is given up; 0: no bound.");
    declared->add_option("--priority", a.priority, "false: first in, first out, whatever a message says.");
    declared->callback([args, &s, &status] { status = declare(s, *args); });

    auto* const peeked = with_name(queues->add_subcommand("peek", "The next messages, left where they are."), a);
    peeked->add_option("--limit", a.limit, "How many (default: 10; at most 1000).")->check(CLI::PositiveNumber);
    peeked->callback([args, &s, &status] {
        if (args->limit == 0) args->limit = 10;
        status = peek(s, *args);
    });

    auto* const purged = with_name(queues->add_subcommand("purge", "Erases its messages, except those a consumer holds."), a);
    purged->add_option("--limit", a.limit, "At most so many, the next ones first.")->check(CLI::PositiveNumber);
    purged->add_flag("--yes", a.yes, "Really.");
    purged->callback([args, &s, &status] { status = args->yes ? remove(s, *args, "/purge", "purged", "") : needs_yes("purging a queue"); });

    auto* const moved = with_name(queues->add_subcommand("move", "Moves its messages into another queue, except those a consumer holds."), a);
    moved->add_option("TO", a.to, "The other queue's name.")->required();
    moved->add_option("--limit", a.limit, "At most so many, the next ones first.")->check(CLI::PositiveNumber);
    moved->callback([args, &s, &status] {
        if (args->to.starts_with("/queue/")) args->to.erase(0, 7);
        const boost::json::object body{{"to", args->to}};
        status = remove(s, *args, "/move", "moved", boost::json::serialize(body));
    });

    auto* const deleted = with_name(queues->add_subcommand("delete", "Deletes it with its messages."), a);
    deleted->add_flag("--yes", a.yes, "Really.");
    deleted->add_flag("--force", a.force, "Though it has consumers: they go on with a new, empty queue of that name.");
    deleted->callback([args, &s, &status] {
        if (!args->yes) {
            status = needs_yes("deleting a queue");
            return;
        }
        status = show(s, s.broker().call("DELETE", path_of(args->name) + (args->force ? "?force=true" : "")), {});
    });
}

} // namespace broker::cli
