// command: what brokerctl's commands share: settings, exit statuses, a request and how its answer is shown.
#pragma once

#include "cli/client.hpp"

#include <boost/json/object.hpp>

#include <chrono>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace broker::cli {

inline constexpr int refused = 1;
inline constexpr int check_failed = 2;
inline constexpr int no_broker = 3;
inline constexpr int not_authorised = 4;
inline constexpr int usage = 64;

struct settings {
    std::string socket;
    std::string output = "table";
    bool no_headers = false;
    int timeout_ms = 5'000;

    std::string url{};        // instead of the socket
    std::string token_file{}; // an API key
    std::string ca_file{};

    [[nodiscard]] client broker() const { return broker(std::chrono::milliseconds{timeout_ms}); }
    // Throws std::runtime_error: the URL or the file of the key is wrong.
    [[nodiscard]] client broker(std::chrono::milliseconds patience) const;
};

// A terminal must not obey what a message says; a pipe gets every byte.
[[nodiscard]] std::string for_people(const std::string& text);
// Base64 when it is not text.
[[nodiscard]] std::string payload_of(const boost::json::object& message);

// These print and return the exit status.
[[nodiscard]] int say(int status, const std::string& why);
[[nodiscard]] int failed(const answer& a);
[[nodiscard]] int show(const settings& s, const answer& a, const std::vector<std::string>& columns);
[[nodiscard]] int needs_yes(const std::string& what);

// `status` is set when one of them ran; both outlive the parsing.
void add_session_commands(CLI::App& app, const settings& s, int& status);
void add_queue_commands(CLI::App& app, const settings& s, int& status);
void add_store_commands(CLI::App& app, const settings& s, int& status);
void add_token_commands(CLI::App& app, const settings& s, int& status);
void add_ban_commands(CLI::App& app, const settings& s, int& status);
void add_listener_commands(CLI::App& app, const settings& s, int& status);
void add_api_key_commands(CLI::App& app, const settings& s, int& status);
void add_acl_commands(CLI::App& app, const settings& s, int& status);
void add_user_commands(CLI::App& app, const settings& s, int& status);
void add_bench_commands(CLI::App& app, const settings& s, int& status);

} // namespace broker::cli
