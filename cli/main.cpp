// brokerctl: nouns first, verbs second. Exit status: 0 done, 1 refused or not found, 2 a check says no, 3 no broker
// answers, 4 not authorised, 64 usage.
#include "cli/command.hpp"
#include "cli/durability/check.hpp"
#include "cli/output.hpp"
#include "cli/text_file.hpp"

#include <CLI/CLI.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>

#include <unistd.h>

namespace {

using namespace broker::cli;

std::string program_beside(const std::filesystem::path& self, const std::string& name) {
    const auto beside = self.parent_path() / name;
    return self.has_parent_path() && ::access(beside.c_str(), X_OK) == 0 ? beside.string() : name;
}

std::string default_socket() {
    if (const char* const named = std::getenv("BROKERCTL_SOCKET")) return named;
    if (::access("data/admin.sock", F_OK) == 0) return "data/admin.sock";
    return "/run/brokerd/admin.sock";
}

struct publication {
    std::string destination;
    std::string message;
    std::string file;
    bool lines = false;
    int qos = 1;
    bool retain = false;
    int ttl_s = 0;
    std::vector<std::string> headers;
};

int publish(const settings& s, const publication& p, const std::string& payload) {
    boost::json::object headers;
    for (const auto& h : p.headers) {
        const auto equals = h.find('=');
        if (equals == std::string::npos) {
            fmt::print(stderr, "brokerctl: --header {}: write key=value\n", h);
            return usage;
        }
        headers[h.substr(0, equals)] = h.substr(equals + 1);
    }
    // Base64 whatever it is: a file need not be text.
    const boost::json::object body{{"destination", p.destination}, {"payload_base64", base64(payload)}, {"qos", p.qos},
                                   {"retain", p.retain},           {"ttl_s", p.ttl_s},                  {"headers", headers}};
    const auto a = s.broker().call("POST", "/api/v1/publish", boost::json::serialize(body));
    return a.status >= 400 ? failed(a) : 0;
}

int pub(const settings& s, const publication& p) {
    if (p.lines) {
        for (std::string line; std::getline(std::cin, line);) {
            if (const int status = publish(s, p, line); status != 0) return status;
        }
        return 0;
    }
    if (p.file.empty()) return publish(s, p, p.message);
    if (p.file == "-") return publish(s, p, {std::istreambuf_iterator<char>{std::cin}, {}});
    std::ifstream in{p.file, std::ios::binary};
    if (!in) {
        fmt::print(stderr, "brokerctl: {}: cannot be read\n", p.file);
        return refused;
    }
    return publish(s, p, {std::istreambuf_iterator<char>{in}, {}});
}

int sub(const settings& s, const std::vector<std::string>& destinations, int qos, long count, int for_s) {
    std::string target = fmt::format("/api/v1/stream?qos={}", qos);
    for (auto d : destinations) {
        if (d.starts_with("/topic/")) d = d.substr(7);
        if (d.starts_with("/queue/")) d = "$queue/" + d.substr(7);
        target += "&topic=" + encode_percent(d);
    }
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{for_s};
    const auto time_left = [&] { return for_s == 0 || std::chrono::steady_clock::now() < until; };
    const auto a = s.broker().stream(
        target,
        [&](const std::string& event) {
            if (s.output == "json") {
                fmt::print("{}\n", event);
            } else {
                const auto o = boost::json::parse(event).as_object();
                fmt::print("{} {}\n", printable(text_of(o.at("topic"))), for_people(payload_of(o)));
            }
            std::fflush(stdout);
            return (count == 0 || --count != 0) && time_left();
        },
        time_left);
    return a.status >= 400 ? failed(a) : 0;
}

} // namespace

int main(int argc, char** argv) {
    CLI::App app{"brokerctl: administers brokerd over its Unix socket, or over HTTP with an API key.\n"
                 "Examples: brokerctl status · brokerctl client list -o json · brokerctl pub /queue/jobs -m go · "
                 "brokerctl sub 'sensors/#' --count 3"};
    settings s{.socket = default_socket()};
    app.require_subcommand(1);
    app.fallthrough();
    app.add_option("--socket", s.socket, "The broker's admin socket (BROKERCTL_SOCKET, ./data/admin.sock, /run/brokerd/admin.sock).");
    app.add_option("--url", s.url, "Instead of the socket: admin.http of a broker, http://127.0.0.1:18083 or https://HOST:PORT.");
    app.add_option("--token", s.token_file, "With --url: a file with an API key; - is standard input.");
    app.add_option("--ca", s.ca_file, "With https: certificates that are trusted, PEM (default: the system's).");
    app.add_option("-o,--output", s.output, "table or json.")->check(CLI::IsMember({"table", "json"}));
    app.add_flag("--no-headers", s.no_headers, "Tables without their first line.");
    app.add_option("--timeout", s.timeout_ms, "How long to wait for each answer: 5s, 500ms.")
        ->transform(CLI::AsNumberWithUnit(std::map<std::string, int>{{"ms", 1}, {"s", 1'000}, {"m", 60'000}},
                                          CLI::AsNumberWithUnit::UNIT_REQUIRED));
    int status = 0;
    const auto call = [&](const std::string& method, const std::string& target, const std::vector<std::string>& columns = {}) {
        status = show(s, s.broker().call(method, target), columns);
    };
    const std::vector<std::string> client_columns{"id", "protocol", "version", "transport", "listener", "address", "subscriptions", "inflight"};

    app.add_subcommand("status", "What the broker is and does.")->callback([&] { call("GET", "/api/v1/status"); });
    app.add_subcommand("version", "The broker's version.")->callback([&] { call("GET", "/api/v1/version"); });
    bool ready = false;
    auto* const health = app.add_subcommand("health", "Exit status 0 when healthy, 2 when not.");
    health->add_flag("--ready", ready, "Ask whether it takes clients.");
    health->callback([&] {
        const auto a = s.broker().call("GET", ready ? "/readyz" : "/healthz");
        fmt::print("{}", a.status == 200 ? a.body : "not ready\n");
        status = a.status == 200 ? 0 : check_failed;
    });

    std::string id;
    auto* const clients = app.add_subcommand("client", "Connected clients.")->alias("clients")->require_subcommand(1);
    clients->add_subcommand("list", "All of them.")->callback([&] { call("GET", "/api/v1/clients", client_columns); });
    auto* const shown = clients->add_subcommand("show", "One of them.");
    shown->add_option("ID", id, "Client id.")->required();
    shown->callback([&] { call("GET", "/api/v1/clients/" + encode_percent(id), client_columns); });
    auto* const kick = clients->add_subcommand("kick", "Closes its connection.");
    kick->add_option("ID", id, "Client id.")->required();
    std::int64_t ban_s = 0;
    kick->add_option("--ban", ban_s, "And does not let it in again for so long: 10m, 12h.")
        ->transform(CLI::AsNumberWithUnit(std::map<std::string, std::int64_t>{{"s", 1}, {"m", 60}, {"h", 3'600}, {"d", 86'400}}, CLI::AsNumberWithUnit::UNIT_REQUIRED));
    kick->callback([&] {
        if (ban_s == 0) return call("DELETE", "/api/v1/clients/" + encode_percent(id));
        const boost::json::object ban{{"kind", "client_id"}, {"whom", id}, {"for_s", ban_s}, {"reason", "kicked"}};
        status = show(s, s.broker().call("POST", "/api/v1/bans", boost::json::serialize(ban)), {});
    });

    auto* const refresh = clients->add_subcommand("refresh", "Gives its connection a new token or API key of the same user; a bad one ends the connection.");
    refresh->add_option("ID", id, "Client id.")->required();
    std::string token_file;
    refresh->add_option("--token-file", token_file, "The token is this file's first line; - is standard input. There is no flag for the token itself: whoever "
                                                    "lists processes would see it.")->required();
    refresh->callback([&] {
        const boost::json::object body{{"token", secret_in(token_file)}};
        status = show(s, s.broker().call("POST", "/api/v1/clients/" + encode_percent(id) + "/token", boost::json::serialize(body)), {});
    });

    add_session_commands(app, s, status);
    add_listener_commands(app, s, status);
    add_ban_commands(app, s, status);
    add_queue_commands(app, s, status);
    add_store_commands(app, s, status);
    add_token_commands(app, s, status);
    add_api_key_commands(app, s, status);
    add_acl_commands(app, s, status);
    add_user_commands(app, s, status);
    add_bench_commands(app, s, status);

    std::string topic = "#";
    bool yes = false;
    auto* const retained = app.add_subcommand("retained", "Retained messages.")->require_subcommand(1);
    auto* const retained_list = retained->add_subcommand("list", "Those that match a filter.");
    retained_list->add_option("FILTER", topic, "Topic filter (default: #).");
    retained_list->callback([&] {
        call("GET", "/api/v1/retained?filter=" + encode_percent(topic), {"topic", "qos", "bytes", "received_at", "payload"});
    });
    auto* const get = retained->add_subcommand("get", "The payload of one.");
    get->add_option("TOPIC", topic, "Topic name.")->required();
    get->callback([&] {
        const auto a = s.broker().call("GET", "/api/v1/retained/" + encode_percent(topic));
        if (a.status >= 400 || s.output == "json") {
            status = show(s, a, {});
            return;
        }
        const auto o = boost::json::parse(a.body).as_object();
        fmt::print("{}\n", for_people(payload_of(o)));
    });
    auto* const remove = retained->add_subcommand("delete", "Deletes those that match a filter.");
    remove->add_option("FILTER", topic, "Topic filter.")->required();
    remove->add_flag("--yes", yes, "Really.");
    remove->callback([&] {
        if (yes) return call("DELETE", "/api/v1/retained/" + encode_percent(topic));
        status = needs_yes("deleting retained messages");
    });

    publication p;
    auto* const pub_command = app.add_subcommand("pub", "Publishes: brokerctl pub /topic/a -m hello");
    pub_command->add_option("DEST", p.destination, "/topic/NAME, /queue/NAME or an MQTT topic.")->required();
    pub_command->add_option("-m,--message", p.message, "The payload.");
    pub_command->add_option("-f,--file", p.file, "The payload is this file; - is standard input.");
    pub_command->add_flag("-l,--lines", p.lines, "One message per line of standard input.");
    pub_command->add_option("--qos", p.qos, "0, 1 or 2.")->check(CLI::Range(0, 2));
    pub_command->add_flag("--retain", p.retain, "Keep it as the topic's retained message.");
    pub_command->add_option("--ttl", p.ttl_s, "Seconds until it expires.");
    pub_command->add_option("--header", p.headers, "key=value; repeats.");
    pub_command->callback([&] { status = pub(s, p); });

    std::vector<std::string> destinations;
    long count = 0;
    int for_s = 0;
    auto* const sub_command = app.add_subcommand("sub", "Prints what is published: brokerctl sub 'a/#' --count 1");
    sub_command->add_option("DEST", destinations, "Topic filters, /topic/NAME or /queue/NAME.")->required();
    sub_command->add_option("--qos", p.qos, "0, 1 or 2.")->check(CLI::Range(0, 2));
    sub_command->add_option("--count", count, "Stop after so many messages.");
    sub_command->add_option("--for", for_s, "Stop after so many seconds.");
    sub_command->callback([&] { status = sub(s, destinations, p.qos, count, for_s); });

    broker::cli::durability::check_options durability{.directory = ".", .brokerd = program_beside(argv[0], "brokerd")};
    auto* const verify = app.add_subcommand("verify-durability", "Kills a brokerd of its own under load and checks what it had acknowledged: "
                                                                 "brokerctl verify-durability --dir /var/lib/brokerd");
    verify->add_option("--cycles", durability.cycles, "How often it is killed (default: 10).")->check(CLI::Range(1, 10'000));
    verify->add_option("--dir", durability.directory, "The disk: a folder of its own is made there, and removed (default: .).");
    verify->add_option("--brokerd", durability.brokerd, "The program (default: the one beside brokerctl, else of the PATH).");
    verify->add_option("--durability", durability.mode, "sync, async or none.")->check(CLI::IsMember({"sync", "async", "none"}));
    verify->add_flag("--power-cuts", durability.power_cuts, "Plays power cuts instead of kills, on a disk image of its own. Needs root.");
    verify->add_option("--seed", durability.seed, "When it is killed; printed when something is lost.");
    verify->callback([&] {
        durability.as_json = s.output == "json";
        status = broker::cli::durability::check(durability);
    });

    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& e) {
        if (const auto unknown = app.remaining(true); e.get_exit_code() != 0 && !unknown.empty()) {
            fmt::print(stderr, "brokerctl: {}: no such command or flag; see brokerctl --help\n", unknown.front());
            return usage;
        }
        return app.exit(e) == 0 ? 0 : usage;
    } catch (const unreachable& e) {
        fmt::print(stderr, "brokerctl: {}\n", e.what());
        return no_broker;
    } catch (const std::exception& e) {
        fmt::print(stderr, "brokerctl: {}\n", e.what());
        return refused;
    }
    return status;
}
