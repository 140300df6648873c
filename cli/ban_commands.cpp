// brokerctl ban.
#include "cli/command.hpp"

#include <CLI/CLI.hpp>
#include <boost/json/serialize.hpp>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace broker::cli {

namespace {

struct arguments {
    std::string address{};
    std::string user{};
    std::string client_id{};
    std::int64_t for_s = 0;
    std::string reason{};

    // Which of them is named; nothing: none, or several.
    [[nodiscard]] std::optional<std::pair<std::string, std::string>> whom() const {
        std::optional<std::pair<std::string, std::string>> named;
        for (const auto& [kind, who] : {std::pair{"address", &address}, {"user", &user}, {"client_id", &client_id}}) {
            if (who->empty()) continue;
            if (named) return std::nullopt;
            named.emplace(kind, *who);
        }
        return named;
    }
};

constexpr const char* which = "write one of --address, --user and --client-id";

int add(const settings& s, const arguments& a) {
    const auto whom = a.whom();
    if (!whom) return say(usage, which);
    const boost::json::object body{{"kind", whom->first}, {"whom", whom->second}, {"for_s", a.for_s}, {"reason", a.reason}};
    return show(s, s.broker().call("POST", "/api/v1/bans", boost::json::serialize(body)), {});
}

int remove(const settings& s, const arguments& a) {
    const auto whom = a.whom();
    if (!whom) return say(usage, which);
    return show(s, s.broker().call("DELETE", "/api/v1/bans/" + whom->first + "/" + encode_percent(whom->second)), {});
}

void name_whom(CLI::App* verb, arguments& a) {
    verb->add_option("--address", a.address, "An address, or a network: 192.0.2.0/24.");
    verb->add_option("--user", a.user, "A user.");
    verb->add_option("--client-id", a.client_id, "A client id.");
}

} // namespace

void add_ban_commands(CLI::App& app, const settings& s, int& status) {
    const auto args = std::make_shared<arguments>();
    auto* const bans = app.add_subcommand("ban", "Who is not let in.")->require_subcommand(1);
    bans->add_subcommand("list", "All of them, those that failed logins have brought about too.")->callback([&s, &status] {
        status = show(s, s.broker().call("GET", "/api/v1/bans"), {"kind", "whom", "until", "automatic", "reason"});
    });
    auto* const added = bans->add_subcommand("add", "One more; who is connected is closed: brokerctl ban add --address 192.0.2.0/24 --for 1h");
    name_whom(added, *args);
    added->add_option("--for", args->for_s, "How long: 10m, 12h, 7d (default: until it is removed).")
        ->transform(CLI::AsNumberWithUnit(std::map<std::string, std::int64_t>{{"s", 1}, {"m", 60}, {"h", 3'600}, {"d", 86'400}}, CLI::AsNumberWithUnit::UNIT_REQUIRED));
    added->add_option("--reason", args->reason, "Why, for whoever lists them.");
    added->callback([args, &s, &status] { status = add(s, *args); });
    auto* const removed = bans->add_subcommand("remove", "They are let in again.");
    name_whom(removed, *args);
    removed->callback([args, &s, &status] { status = remove(s, *args); });
}

} // namespace broker::cli
