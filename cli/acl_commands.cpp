// brokerctl acl: rules in files, without a broker, and those of the running one.
#include "cli/command.hpp"
#include "cli/text_file.hpp"
#include "core/limits.hpp"
#include "security/mosquitto_acl.hpp"
#include "security/ruling.hpp"
#include "security/text_lines.hpp"

#include <CLI/CLI.hpp>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
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
    std::vector<std::string> roles{};
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

int show_verdict(const settings& s, const answer& a) {
    if (const int status = show(s, a, {}); status != 0) return status;
    return json::parse(a.body).at("verdict") == "allowed" ? 0 : check_failed;
}

// Of a file.
int test_file(const settings& s, const arguments& a, const security::identity& who) {
    const auto book = security::rule_book::make(policy_in(a.file));
    if (!book) throw std::runtime_error{book.error()};
    const auto rights = (*book)->rights_of(who);
    if (!rights) throw std::runtime_error{rights.error()};
    const auto ruled = security::ruling_on(rights->get(), *security::action_named(a.action), a.topic, limits{});
    if (!ruled) return say(usage, ruled.error());
    return show_verdict(s, {.status = 200, .body = json::serialize(describe(*ruled)) + "\n"});
}

// Of the running broker.
int test_broker(const settings& s, const arguments& a, const security::identity& who) {
    json::object claims;
    for (const auto& [claim, values] : who.claims) claims[claim] = json::array(values.begin(), values.end());
    const json::object asked{{"user", who.user},          {"client_id", who.client_id}, {"roles", json::array(who.roles.begin(), who.roles.end())},
                             {"claims", std::move(claims)}, {"action", a.action},         {"topic", a.topic}};
    return show_verdict(s, s.broker().call("POST", "/api/v1/acl/test", json::serialize(asked)));
}

int test(const settings& s, const arguments& a) {
    security::identity who{.user = a.user, .client_id = a.client_id, .roles = a.roles};
    for (const auto& c : a.claims) {
        const auto equals = c.find('=');
        if (equals == std::string::npos) return say(usage, fmt::format("--claim {}: write NAME=VALUE", c));
        who.claims[c.substr(0, equals)].push_back(c.substr(equals + 1));
    }
    return a.file.empty() ? test_broker(s, a, who) : test_file(s, a, who);
}

constexpr auto about_file = "Lines such as 'allow publish a/%u/#', or Mosquitto's acl_file; - is standard input.";

} // namespace

void add_acl_commands(CLI::App& app, const settings& s, int& status) {
    const auto args = std::make_shared<arguments>();
    auto& a = *args; // the callbacks keep it
    auto* const acl = app.add_subcommand("acl", "Rights.")->require_subcommand(1);
    auto* const listed = acl->add_subcommand("list", "The rules in a file, as the broker reads them.");
    listed->add_option("--file", a.file, about_file)->required();
    listed->callback([args, &s, &status] { status = list(s, *args); });

    auto* const tested = acl->add_subcommand("test", "Says whether something is allowed, and which rule decides: of the running broker, or of a file: "
                                                     "brokerctl acl test --user anna --action subscribe 'room/#'");
    tested->add_option("--file", a.file, about_file);
    tested->add_option("--user", a.user, "The user (default: an anonymous client).");
    tested->add_option("--client-id", a.client_id, "The client id.");
    tested->add_option("--role", a.roles, "A role besides those the rules give the user, as of a token; repeats.");
    tested->add_option("--claim", a.claims, "A claim for placeholders, NAME=VALUE; repeats.");
    tested->add_option("--action", a.action, "What is to be done (default: subscribe).")
        ->check(CLI::IsMember({"connect", "publish", "subscribe", "retain", "queue_read", "queue_write", "manage"}));
    tested->add_option("TOPIC", a.topic, "Topic name or filter; for connect the client id.")->required();
    tested->callback([args, &s, &status] { status = test(s, *args); });
}

} // namespace broker::cli
