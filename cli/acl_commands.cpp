// brokerctl acl: rules in files, without a broker.
#include "cli/command.hpp"
#include "cli/text_file.hpp"
#include "core/limits.hpp"
#include "core/topic.hpp"
#include "security/mosquitto_acl.hpp"
#include "security/rights.hpp"
#include "security/text_lines.hpp"

#include <CLI/CLI.hpp>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <memory>

namespace broker::cli {

namespace {

namespace json = boost::json;

struct arguments {
    std::string file{};
    std::string user{};
    std::string client_id{};
    std::vector<std::string> claims{};
    std::string action = "subscribe";
    std::string topic{};
};

// Lines of rules are everybody's; everything else is Mosquitto's.
security::policy policy_in(const std::string& file) {
    const auto text = read_text(file);
    security::policy made{.roles = {{.name = "everybody"}}, .everybody = {"everybody"}};
    for (security::text_lines lines{text}; lines.next();) {
        const auto line = security::trimmed(lines.line());
        if (line.empty() || line.starts_with('#')) continue;
        const bool first = made.roles[0].rules.empty();
        if (first && !line.starts_with("allow ") && !line.starts_with("deny ")) {
            auto imported = security::import_mosquitto_acl(text, file);
            if (!imported) throw std::runtime_error{imported.error()};
            return std::move(*imported);
        }
        auto r = security::parse_rule(line, fmt::format("{}:{}", file, lines.number()));
        if (!r) throw std::runtime_error{fmt::format("{}:{}: {}", file, lines.number(), r.error())};
        made.roles[0].rules.push_back(std::move(*r));
    }
    return made;
}

int list(const settings& s, const arguments& a) {
    json::array rows;
    for (const auto& role : policy_in(a.file).roles) {
        for (const auto& r : role.rules) rows.push_back({{"role", role.name}, {"rule", security::text(r)}, {"origin", r.origin}});
    }
    return show(s, {.status = 200, .body = json::serialize(rows) + "\n"}, {"role", "rule", "origin"});
}

std::optional<security::action> action_named(std::string_view word) {
    for (std::size_t a = 0; a < security::actions; ++a) {
        if (security::name(static_cast<security::action>(a)) == word) return static_cast<security::action>(a);
    }
    return std::nullopt;
}

int test(const settings& s, const arguments& a) {
    security::identity who{.user = a.user, .client_id = a.client_id};
    for (const auto& c : a.claims) {
        const auto equals = c.find('=');
        if (equals == std::string::npos) return say(usage, fmt::format("--claim {}: write NAME=VALUE", c));
        who.claims[c.substr(0, equals)].push_back(c.substr(equals + 1));
    }
    const auto book = security::rule_book::make(policy_in(a.file));
    if (!book) throw std::runtime_error{book.error()};
    const auto rights = (*book)->rights_of(who);
    if (!rights) throw std::runtime_error{rights.error()};

    const auto asked = *action_named(a.action);
    const bool subscribing = asked == security::action::subscribe || asked == security::action::queue_read;
    const limits bounds;
    if (subscribing ? !topic_filter::parse(a.topic, bounds) : !is_topic_name(a.topic, bounds)) {
        return say(usage, fmt::format("'{}' is no {}", a.topic, subscribing ? "topic filter" : "topic name"));
    }
    const security::rule* by = nullptr;
    std::string_view verdict;
    if (subscribing) {
        const auto v = (*rights)->verdict_on_subscription(a.topic);
        by = v.by;
        verdict = v.what == security::coverage::all ? "allowed" : v.what == security::coverage::part ? "part" : "denied";
    } else {
        const auto publishing = asked == security::action::publish || asked == security::action::queue_write;
        const auto v = (*rights)->verdict_on(publishing ? security::rights::publishing_to(a.topic) : asked, a.topic);
        by = v.by;
        verdict = v.allowed ? "allowed" : "denied";
    }
    json::object shown{{"verdict", verdict}, {"rule", by == nullptr ? "none: no rule allows it" : security::text(*by)}};
    if (by == nullptr && verdict == "allowed") shown["rule"] = "none: no rule speaks of it";
    if (by != nullptr) shown["origin"] = by->origin;
    if (verdict == "part") shown["note"] = "messages on topics that are not allowed are held back";
    const int status = show(s, {.status = 200, .body = json::serialize(shown) + "\n"}, {});
    return status != 0 ? status : verdict == "allowed" ? 0 : check_failed;
}

CLI::App* with_file(CLI::App* verb, arguments& a) {
    verb->add_option("--file", a.file, "Lines such as 'allow publish a/%u/#', or Mosquitto's acl_file; - is standard input.")->required();
    return verb;
}

} // namespace

void add_acl_commands(CLI::App& app, const settings& s, int& status) {
    const auto args = std::make_shared<arguments>();
    auto& a = *args; // the callbacks keep it
    auto* const acl = app.add_subcommand("acl", "Rights, without a broker.")->require_subcommand(1);
    with_file(acl->add_subcommand("list", "The rules in a file, as the broker reads them."), a)->callback([args, &s, &status] { status = list(s, *args); });

    auto* const tested = with_file(acl->add_subcommand("test", "Says whether they allow something, and which rule decides: "
                                                               "brokerctl acl test --file acl --user anna --action subscribe 'room/#'"), a);
    tested->add_option("--user", a.user, "The user (default: an anonymous client).");
    tested->add_option("--client-id", a.client_id, "The client id.");
    tested->add_option("--claim", a.claims, "A claim for placeholders, NAME=VALUE; repeats.");
    tested->add_option("--action", a.action, "What is to be done (default: subscribe).")
        ->check(CLI::IsMember({"connect", "publish", "subscribe", "retain", "queue_read", "queue_write", "manage"}));
    tested->add_option("TOPIC", a.topic, "Topic name or filter; for connect the client id.")->required();
    tested->callback([args, &s, &status] { status = test(s, *args); });
}

} // namespace broker::cli
