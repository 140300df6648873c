// brokerd: configuration, server, and a wait for a signal.
#include "access_files.hpp"
#include "config/load.hpp"
#include "host.hpp"
#include "server.hpp"
#include "version.hpp"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <csignal>
#include <cstdio>
#include <sys/stat.h>
#include <unistd.h>

namespace {

constexpr int bad_configuration = 78; // sysexits: EX_CONFIG
constexpr int system_trouble = 71;    // EX_OSERR

void set_up_log(const broker::config::options& o) {
    auto log = spdlog::stderr_color_mt("brokerd");
    const bool text = o.log_format == "text" || (o.log_format == "auto" && ::isatty(STDERR_FILENO) != 0);
    if (text) {
        log->set_pattern("%Y-%m-%d %H:%M:%S.%e %^%l%$ %v");
    } else {
        log->set_formatter(broker::json_log_formatter());
    }
    log->set_level(spdlog::level::from_str(o.log_level));
    spdlog::set_default_logger(std::move(log));
}

// The configuration is read as at the start: what can be changed while serving is.
void reload(broker::server& server, int argc, char** argv) {
    try {
        server.reload(broker::config::parse_command_line(argc, argv).chosen);
    } catch (const broker::config::config_error& e) {
        spdlog::error("reload: {}; everything stays as it was", e.what());
    }
}

// What a start would find wrong before it opens anything. Throws config_error.
void check(const broker::config::options& chosen) {
    (void)broker::load_certificates(chosen);
    (void)broker::load_admin_certificate(chosen);
    broker::outside_counters unused;
    if (const auto loaded = broker::load_access(chosen.auth, unused); !loaded) throw broker::config::config_error{loaded.error()};
}

int run(const broker::config::options& chosen, int argc, char** argv) {
    set_up_log(chosen);
    // Signals are waited for, not handled: every thread started from here on has them blocked.
    sigset_t awaited;
    sigemptyset(&awaited);
    sigaddset(&awaited, SIGTERM);
    sigaddset(&awaited, SIGINT);
    sigaddset(&awaited, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &awaited, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    ::umask(077); // what clients sent is nobody else's to read

    broker::server server{chosen};
    broker::notify_service_manager("READY=1");
    int received = 0;
    for (;;) {
        const timespec pause{.tv_sec = 2, .tv_nsec = 0};
        received = sigtimedwait(&awaited, nullptr, &pause);
        if (received == SIGHUP) reload(server, argc, argv);
        else if (received > 0) break;
        else server.watch_files();
    }
    spdlog::info("stopping: {}", received == SIGTERM ? "SIGTERM" : "SIGINT");
    broker::notify_service_manager("STOPPING=1");
    server.stop();
    spdlog::info("stopped");
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    using broker::config::mode;
    try {
        const auto line = broker::config::parse_command_line(argc, argv);
        switch (line.what) {
        case mode::help: fmt::print("{}", line.help); return 0;
        case mode::version: fmt::print("brokerd {}\n", broker::version); return 0;
        case mode::print_config: fmt::print("{}", broker::config::print(line.chosen)); return 0;
        case mode::check: check(line.chosen); return 0;
        case mode::run: return run(line.chosen, argc, argv);
        }
    } catch (const broker::config::config_error& e) {
        fmt::print(stderr, "brokerd: {}\n", e.what());
        return bad_configuration;
    } catch (const broker::start_error& e) {
        fmt::print(stderr, "brokerd: {}\n", e.what);
        return system_trouble;
    } catch (const std::exception& e) {
        fmt::print(stderr, "brokerd: {}\n", e.what());
        return system_trouble;
    }
}
