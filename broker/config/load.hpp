// load: configuration file, environment and command line → options. Errors are exceptions with one line: file, line, key,
// reason, suggestion.
#pragma once

#include "config/options.hpp"

#include <stdexcept>
#include <string>
#include <string_view>

namespace broker::config {

struct config_error : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// Applies a TOML text; `file` is for messages.
void apply_toml(options& o, std::string_view text, const std::string& file);
// Reads FILE, then FILE's directory conf.d/*.toml in name order, then BROKERD__SECTION__KEY of the environment.
void load_file(options& o, const std::string& file);
void apply_environment(options& o, const char* const* environment);
// Names, ports and addresses together: duplicates, and the rule that only loopback is bound without authentication.
void validate(const options& o);

// "ws://127.0.0.1:8083"; of a TLS scheme the certificates are still to be named.
[[nodiscard]] listener parse_listen_url(std::string_view url);
[[nodiscard]] std::string print(options o); // as a configuration file

enum class mode : std::uint8_t { run, check, print_config, version, help };
struct command_line {
    options chosen{};
    mode what = mode::run;
    std::string help{};
};
[[nodiscard]] command_line parse_command_line(int argc, const char* const* argv);

} // namespace broker::config
