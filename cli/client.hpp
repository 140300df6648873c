// client: HTTP over the admin socket.
#pragma once

#include <chrono>
#include <functional>
#include <stdexcept>
#include <string>

namespace broker::cli {

struct unreachable : std::runtime_error { // no broker answers: exit status 3
    using std::runtime_error::runtime_error;
};

struct answer {
    unsigned status = 0;
    std::string body{};
};

class client {
public:
    client(std::string socket_path, std::chrono::milliseconds patience) : path_{std::move(socket_path)}, patience_{patience} {}
    [[nodiscard]] answer call(const std::string& method, const std::string& target, const std::string& body = "") const;
    // Server-sent events; `on_event` returns false to stop. `idle` is asked five times a second.
    [[nodiscard]] answer stream(const std::string& target, const std::function<bool(const std::string&)>& on_event,
                                const std::function<bool()>& idle) const;

private:
    [[nodiscard]] int open() const;
    std::string path_;
    std::chrono::milliseconds patience_; // for each answer
};

// One path segment or query value.
[[nodiscard]] std::string encode_percent(const std::string& text);

} // namespace broker::cli
