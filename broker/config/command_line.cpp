// The flags of brokerd. They win over the file; without a file they are all there is.
#include "config/load.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <unistd.h>

namespace broker::config {

command_line parse_command_line(int argc, const char* const* argv) {
    CLI::App app{"brokerd: a message broker for MQTT and STOMP over WebSocket and TCP.\n"
                 "Without --config the flags alone configure it: loopback listeners ws 8083, mqtt 1883 and stomp 61613 "
                 "unless --listen is given, no admin HTTP unless --admin-http is given."};
    std::string file;
    std::string data_dir;
    std::vector<std::string> urls;
    tls_certificate_files tls;
    std::string admin_socket;
    std::string admin_http;
    std::uint32_t threads = 0;
    std::string durability;
    bool check = false;
    bool print_config = false;
    bool version = false;
    bool anonymous = false;
    app.set_help_flag();
    bool help = false;
    app.add_flag("-h,--help", help, "Print this help and exit.");
    app.add_option("-c,--config", file, "Configuration file (TOML); conf.d/*.toml beside it is read as well.");
    app.add_option("--data-dir", data_dir, "Where sessions, queues and retained messages are kept (default: data).");
    app.add_option("--listen", urls, "ws://HOST:PORT, mqtt://, stomp:// or tcp:// (MQTT and STOMP told apart); with TLS wss://, "
                                     "mqtts://, stomps:// or tls://. Repeats.");
    auto* const cert = app.add_option("--tls-cert", tls.cert, "PEM file with the certificate and its chain, for --listen with TLS.");
    auto* const key = app.add_option("--tls-key", tls.key, "PEM file with the certificate's key.");
    cert->needs(key);
    key->needs(cert);
    app.add_option("--admin-socket", admin_socket, "Unix socket for brokerctl (default: DATA_DIR/admin.sock).");
    app.add_option("--admin-http", admin_http, "HOST:PORT of /healthz, /readyz and /metrics, or off.");
    const auto* const threads_given = app.add_option("--threads", threads, "Threads that serve connections; 0: one per core.");
    app.add_option("--durability", durability, "What PUBACK and RECEIPT promise: sync, async or none.");
    app.add_flag("--anonymous", anonymous, "Allow listening on other than loopback addresses without authentication.");
    app.add_flag("--check", check, "Check the configuration and exit (0, or 78 with the error).");
    app.add_flag("--print-config", print_config, "Print the effective configuration and exit.");
    app.add_flag("--version", version, "Print the version and exit.");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& e) {
        throw config_error{fmt::format("command line: {}; see brokerd --help", e.what())};
    }

    command_line result{.help = app.help()};
    if (help) result.what = mode::help;
    if (version) result.what = mode::version;
    if (help || version) return result;
    auto& o = result.chosen;
    if (!file.empty()) load_file(o, file);
    apply_environment(o, environ);
    if (!urls.empty()) {
        o.listeners.clear();
        for (const auto& url : urls) o.listeners.push_back(parse_listen_url(url));
    } else if (o.listeners.empty()) {
        for (const auto* const url : {"ws://127.0.0.1:8083", "mqtt://127.0.0.1:1883", "stomp://127.0.0.1:61613"}) {
            o.listeners.push_back(parse_listen_url(url));
        }
    }
    for (auto& l : o.listeners) {
        if (l.tls && l.tls->certificates.empty() && !tls.cert.empty()) l.tls->certificates.push_back(tls);
    }
    if (!data_dir.empty()) o.data_dir = data_dir;
    if (!admin_socket.empty()) o.admin_socket = admin_socket;
    if (!admin_http.empty()) o.admin_http = admin_http;
    if (threads_given->count() != 0) o.threads = threads;
    if (anonymous) o.auth.anonymous = true;
    if (!durability.empty()) apply_toml(o, fmt::format("durability.default = \"{}\"", durability), "--durability");
    if (o.admin_socket.empty()) o.admin_socket = o.data_dir + "/admin.sock";
    validate(o);
    if (check) result.what = mode::check;
    if (print_config) result.what = mode::print_config;
    return result;
}

} // namespace broker::config
