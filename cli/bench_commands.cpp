// brokerctl bench: load for a broker, this one or another.
#include "cli/bench/run.hpp"
#include "cli/command.hpp"
#include "cli/text_file.hpp"
#include "security/text_lines.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cstdlib>
#include <map>
#include <memory>

namespace broker::cli {

namespace {

struct arguments {
    bench::options asked{};
    std::string password_file{};
    std::string token_file{};
};

std::string first_line_of(const std::string& file) {
    warn_if_others_read(file);
    const auto text = read_text(file);
    return std::string{security::trimmed(text.substr(0, text.find('\n')))};
}

std::string from_environment(const char* name) {
    const char* const value = std::getenv(name);
    return value == nullptr ? "" : value;
}

int run(const settings& s, arguments a) {
    auto& o = a.asked;
    o.patience = std::chrono::milliseconds{s.timeout_ms};
    o.as_json = s.output == "json";
    if (!a.password_file.empty()) o.password = first_line_of(a.password_file);
    if (!a.token_file.empty()) o.token = first_line_of(a.token_file);
    if (o.password.empty() && o.token.empty()) {
        o.token = from_environment("BROKERCTL_BENCH_TOKEN");
        if (o.token.empty() && !o.user.empty()) o.password = from_environment("BROKERCTL_BENCH_PASSWORD");
    }
    try {
        o = bench::checked(o);
    } catch (const std::invalid_argument& e) {
        return say(usage, e.what());
    }
    return bench::run(o);
}

} // namespace

void add_bench_commands(CLI::App& app, const settings& s, int& status) {
    using bench::verb;
    auto* const group = app.add_subcommand("bench", "Load for a broker, and what it did with it. Exit status 2: messages were lost or "
                                                    "connections closed.")->require_subcommand(1);
    const auto add = [&](verb what, const char* text) {
        const auto a = std::make_shared<arguments>(); // the callback keeps it
        auto& o = a->asked;
        o.what = what;
        auto* const command = group->add_subcommand(bench::name(what), text);
        command->add_option("URL", o.url, "ws://HOST:PORT/PATH, or wss, mqtt, mqtts, stomp, stomps, tcp, tls.")->required();
        command->add_option("--protocol", o.protocol_name, "mqtt (5), mqtt311 or stomp (1.2). Default: by the URL, else mqtt.")
            ->check(CLI::IsMember({"mqtt", "mqtt311", "stomp"}));
        if (what == verb::fanout) {
            command->add_option("--publishers", o.publishers, "Default: 1.")->check(CLI::PositiveNumber);
            command->add_option("--subscribers", o.subscribers, "Default: 100.")->check(CLI::PositiveNumber);
        } else {
            command->add_option("--clients", o.clients, "conn: clients (1000). pub: publishers (10). pairs (100), latency (1): pairs.")->check(CLI::PositiveNumber);
        }
        command->add_option("--topic", o.topic, "Default: bench/ and a number of this run. Each client or pair has /N below it, but for fanout. "
                                                "conn: subscribes to it.");
        command->add_option("--duration", o.duration, "Default: 10s.")
            ->transform(CLI::AsNumberWithUnit(std::map<std::string, std::int64_t>{{"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}},
                                              CLI::AsNumberWithUnit::UNIT_REQUIRED));
        command->add_option("--rate", o.rate, "Messages (conn: connections) per second, of all together. Latency counts from when one was due.")
            ->check(CLI::PositiveNumber);
        command->add_option("--window", o.window, "Without --rate: messages of one publisher that may be under way (32); conn: connections that "
                                                  "open at once (100).")->check(CLI::PositiveNumber);
        if (what != verb::conn) {
            command->add_option("--payload", o.payload_bytes, "Size: 128, 4KiB, 1MB.")->transform(CLI::AsSizeValue(true));
            command->add_option("--qos", o.qos, "0, 1 or 2, of both sides. STOMP: 0, or 1 for receipts and ack:client-individual.")->check(CLI::Range(0, 2));
        }
        command->add_option("--user", o.user, "User name.");
        command->add_option("--password", o.password, "Others see it in the list of processes; better --password-file, or BROKERCTL_BENCH_PASSWORD.");
        command->add_option("--password-file", a->password_file, "Its first line; - is standard input.");
        command->add_option("--token", a->token_file, "A file with a token or an API key (- is standard input), or BROKERCTL_BENCH_TOKEN.");
        command->add_option("--ca", o.ca_file, "TLS: certificates that are trusted, PEM (default: the system's).");
        command->add_flag("--insecure", o.insecure, "TLS: whatever certificate it has.");
        command->add_option("--threads", o.threads, "Default: 1.")->check(CLI::Range(1, 64));
        command->callback([a, &s, &status] { status = run(s, *a); });
    };
    add(verb::conn, "Opens connections and keeps them.");
    add(verb::pub, "Publishes; nobody subscribes.");
    add(verb::fanout, "Publishes to one topic with many subscribers.");
    add(verb::pairs, "Publishers with a subscriber each.");
    add(verb::latency, "The same at a moderate rate: how long a message takes.");
}

} // namespace broker::cli
