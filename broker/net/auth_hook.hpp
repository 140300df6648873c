// auth_hook: a web server that is asked who may come in: POST, a JSON object with what the client brought, and hook_answer.hpp in the
// answer. Whatever else comes, or nothing in time, is no answer: the client is not let in.
// Threading: any; ask() blocks, for threads of a pool.
#pragma once

#include "net/http_client.hpp"
#include "net/outside_counters.hpp"
#include "security/access_control.hpp"

#include <atomic>
#include <chrono>

namespace broker {

// Who asks to come in, beside what he brought.
struct visitor {
    std::string address{};  // for logs, too, and the bound on what one address may have waiting
    std::string listener{}; // name
    std::string identity{}; // of its TLS certificate; may be empty
    std::string protocol{}; // "mqtt", "stomp"
};

class auth_hook {
public:
    struct settings {
        std::string url{};
        http_client::settings http{.timeout = milliseconds{2'000}, .body_bytes_max = 64 * 1024};
        std::vector<std::string> headers{}; // "Name: value"
        std::string secret{};               // sent as a bearer; empty: none
        seconds cache{10};
    };
    using clock = std::chrono::steady_clock;

    // Error: one line: the key, what, what to do.
    [[nodiscard]] static result<std::shared_ptr<auth_hook>, std::string> make(settings chosen, outside_counters& count);

    // The body of the request.
    [[nodiscard]] static std::string question_of(const security::hook_question& asked, const visitor& by);

    // What it said of the same question a moment ago.
    [[nodiscard]] std::optional<security::hook_answer> remembered(std::string_view question, time_point now);

    // `since`: when it was to be asked: after the timeout nobody waits for an answer any more. Error: one line, for the log.
    [[nodiscard]] result<security::hook_answer, std::string> ask(const std::string& question, clock::time_point since, time_point now, const std::stop_token& ending);

    // Too many were waiting already.
    void on_busy() { ++count_[hook_result::busy]; }

private:
    auth_hook(http_client client, std::vector<http_client::header> headers, const settings& s, hook_counters& count)
        : client_{std::move(client)}, headers_{std::move(headers)}, timeout_{s.http.timeout}, url_{s.url}, cache_{s.cache}, count_{count} {}
    [[nodiscard]] result<security::hook_answer, std::string> failed(hook_result how, std::string why);

    const http_client client_;
    const std::vector<http_client::header> headers_;
    const milliseconds timeout_;
    const std::string url_;
    security::hook_cache cache_;
    hook_counters& count_;
    std::atomic<bool> failing_{false}; // as the log has it
};

} // namespace broker
