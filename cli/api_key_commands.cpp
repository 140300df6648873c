// brokerctl apikey: named secrets of programs, of the running broker.
#include "cli/command.hpp"
#include "cli/output.hpp"

#include <CLI/CLI.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <memory>

namespace broker::cli {

namespace {

namespace json = boost::json;

struct arguments {
    std::string name{};
    std::vector<std::string> scopes{};
    std::int64_t ttl_s = 0;
};

// The key alone on standard output: `brokerctl apikey create sensor > key`.
int create(const settings& s, const arguments& a) {
    const json::object body{{"name", a.name}, {"scopes", json::array(a.scopes.begin(), a.scopes.end())}, {"ttl_s", a.ttl_s}};
    const auto answered = s.broker().call("POST", "/api/v1/apikeys", json::serialize(body));
    if (answered.status != 201) return failed(answered);
    if (s.output == "json") {
        fmt::print("{}", answered.body);
        return 0;
    }
    fmt::print("{}\n", text_of(json::parse(answered.body).at("key")));
    fmt::print(stderr, "brokerctl: this is the only time the key is shown\n");
    return 0;
}

} // namespace

void add_api_key_commands(CLI::App& app, const settings& s, int& status) {
    const auto args = std::make_shared<arguments>();
    auto& a = *args; // the callbacks keep it
    auto* const keys = app.add_subcommand("apikey", "API keys: secrets of programs, for clients and for the HTTP API.")->require_subcommand(1);

    auto* const created = keys->add_subcommand("create", "A new one; prints it, once: brokerctl apikey create sensor --scope 'publish:room/#' --ttl 30d");
    created->add_option("NAME", a.name, "Its name; its clients are the user apikey:NAME.")->required();
    created->add_option("--scope", a.scopes, "What it may: publish:FILTER, subscribe:FILTER, publish,retain:FILTER, role:NAME, manage (the HTTP API); repeats.");
    created->add_option("--ttl", a.ttl_s, "How long it is good: 12h, 30d (default: for ever).")
        ->transform(CLI::AsNumberWithUnit(std::map<std::string, std::int64_t>{{"s", 1}, {"m", 60}, {"h", 3'600}, {"d", 86'400}}, CLI::AsNumberWithUnit::UNIT_REQUIRED))
        ->check(CLI::PositiveNumber);
    created->callback([args, &s, &status] { status = create(s, *args); });

    keys->add_subcommand("list", "All of them, without their secrets.")->callback([&s, &status] {
        status = show(s, s.broker().call("GET", "/api/v1/apikeys"), {"name", "scopes", "created_at", "expires_at", "expired"});
    });

    auto* const deleted = keys->add_subcommand("delete", "It is not good any more, and who came with it is disconnected.");
    deleted->add_option("NAME", a.name, "Its name.")->required();
    deleted->callback([args, &s, &status] {
        const auto answered = s.broker().call("DELETE", "/api/v1/apikeys/" + encode_percent(args->name));
        status = answered.status == 200 ? 0 : failed(answered);
    });
}

} // namespace broker::cli
