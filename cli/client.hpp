// client: the admin API over HTTP.
#pragma once

#include "cli/wire.hpp"

#include <chrono>
#include <functional>
#include <string>

namespace broker::cli {

struct answer {
    unsigned status = 0;
    std::string body{};
};

class client {
public:
    // `key`: an API key; empty: none is needed, on the socket.
    client(endpoint to, std::string key, std::chrono::milliseconds patience) : to_{std::move(to)}, key_{std::move(key)}, patience_{patience} {}
    [[nodiscard]] answer call(const std::string& method, const std::string& target, const std::string& body = "") const;
    // Server-sent events; `on_event` returns false to stop. `idle` is asked five times a second.
    [[nodiscard]] answer stream(const std::string& target, const std::function<bool(const std::string&)>& on_event,
                                const std::function<bool()>& idle) const;

private:
    void ask(wire& on, const std::string& method, const std::string& target, const std::string& body) const;

    endpoint to_;
    std::string key_;
    std::chrono::milliseconds patience_; // for each answer
};

// One path segment or query value.
[[nodiscard]] std::string encode_percent(const std::string& text);

} // namespace broker::cli
