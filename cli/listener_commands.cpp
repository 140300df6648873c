// brokerctl listener.
#include "cli/command.hpp"

#include <CLI/CLI.hpp>

#include <memory>

namespace broker::cli {

void add_listener_commands(CLI::App& app, const settings& s, int& status) {
    auto* const listeners = app.add_subcommand("listener", "Listeners and their certificates.")->require_subcommand(1);
    listeners->add_subcommand("list", "All of them.")->callback([&s, &status] {
        status = show(s, s.broker().call("GET", "/api/v1/listeners"), {"name", "url", "connections", "max_connections", "tls"});
    });
    auto* const tls = listeners->add_subcommand("tls", "Certificates.")->require_subcommand(1);
    tls->add_subcommand("show", "Which are in use.")->callback([&s, &status] {
        status = show(s, s.broker().call("GET", "/api/v1/listeners/tls"), {"listener", "subject", "not_after", "fingerprint", "file"});
    });
    const auto name = std::make_shared<std::string>();
    auto* const reload = tls->add_subcommand("reload", "Reads certificates, keys, authorities and revocation lists again; who is connected stays so.");
    reload->add_option("NAME", *name, "Of this listener (default: of all).");
    reload->callback([name, &s, &status] {
        status = show(s, s.broker().call("POST", "/api/v1/listeners/tls/reload" + (name->empty() ? "" : "?listener=" + encode_percent(*name))), {});
    });
}

} // namespace broker::cli
