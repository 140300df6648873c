// brokerctl session.
#include "cli/command.hpp"
#include "cli/output.hpp"

#include <CLI/CLI.hpp>
#include <boost/json/parse.hpp>
#include <fmt/format.h>

#include <memory>

namespace broker::cli {

namespace {

struct arguments {
    std::string id{};
    std::size_t limit = 10;
    std::uint64_t after = 0;
    bool inflight = false;
    std::uint64_t message = 0;
    bool force = false;
};

std::string path_of(const arguments& a) { return "/api/v1/sessions/" + encode_percent(a.id); }

int show_one(const settings& s, const arguments& a) {
    const auto answered = s.broker().call("GET", path_of(a));
    if (answered.status >= 400 || s.output == "json") return show(s, answered, {});
    auto o = boost::json::parse(answered.body).as_object();
    const auto subscriptions = o.at("subscriptions").as_array();
    o["subscriptions"] = subscriptions.size();
    fmt::print("{}", list_of(o));
    if (subscriptions.empty()) return 0;
    fmt::print("\n{}", table_of(subscriptions, {"filter", "qos", "no_local", "retain_as_published", "retain_handling", "identifier"},
                                !s.no_headers));
    return 0;
}

int list_messages(const settings& s, const arguments& a) {
    const auto answered = s.broker().call("GET", fmt::format("{}/{}?limit={}&cursor={}", path_of(a), a.inflight ? "inflight" : "messages",
                                                             a.limit, a.after));
    if (answered.status >= 400 || s.output == "json") return show(s, answered, {});
    auto rows = boost::json::parse(answered.body).as_array();
    for (auto& row : rows) {
        auto& o = row.as_object();
        o["payload"] = printable(payload_of(o)) + (o.at("truncated").as_bool() ? "..." : "");
    }
    fmt::print("{}", table_of(rows, {"id", "topic", "qos", "bytes", "age_s", "expires_in_s", "state", "payload"}, !s.no_headers));
    return 0;
}

CLI::App* with_id(CLI::App* verb, arguments& a) {
    verb->add_option("ID", a.id, "Client id; of a STOMP durable subscription client-id/name.")->required();
    return verb;
}

} // namespace

void add_session_commands(CLI::App& app, const settings& s, int& status) {
    const auto args = std::make_shared<arguments>();
    auto& a = *args; // the callbacks keep it
    auto* const sessions = app.add_subcommand("session", "Sessions, connected or not.")->alias("sessions")->require_subcommand(1);
    sessions->add_subcommand("list", "All of them.")->callback([&s, &status] {
        status = show(s, s.broker().call("GET", "/api/v1/sessions"),
                      {"id", "state", "durable", "subscriptions", "inflight", "queued", "expires_at"});
    });
    with_id(sessions->add_subcommand("show", "One of them, with its subscriptions."), a)->callback([args, &s, &status] {
        status = show_one(s, *args);
    });

    auto* const listed = with_id(sessions->add_subcommand("messages", "What it holds for its client, oldest first, left where it is."), a);
    listed->add_option("--limit", a.limit, "How many (default: 10; at most 1000).")->check(CLI::PositiveNumber);
    listed->add_option("--after", a.after, "Those behind the message of this id: the last one of the page before.");
    listed->add_flag("--inflight", a.inflight, "Those that were sent and not acknowledged.");
    listed->callback([args, &s, &status] { status = list_messages(s, *args); });

    auto* const dropped = with_id(sessions->add_subcommand("drop-message", "Erases one message it holds, unless it is in flight."), a);
    dropped->add_option("MESSAGE", a.message, "Its id, as session messages shows it.")->required()->check(CLI::PositiveNumber);
    dropped->add_flag("--force", a.force, "Though it was sent, if that was at QoS 1 and its client is away.");
    dropped->callback([args, &s, &status] {
        const auto target = fmt::format("{}/messages/{}{}", path_of(*args), args->message, args->force ? "?force=true" : "");
        status = show(s, s.broker().call("DELETE", target), {});
    });

    with_id(sessions->add_subcommand("expire", "Ends it now with all it holds, and its connection if there is one."), a)
        ->callback([args, &s, &status] { status = show(s, s.broker().call("DELETE", path_of(*args)), {}); });
}

} // namespace broker::cli
