#include "net/auth_hook.hpp"

#include "core/utf8.hpp"

#include <boost/json/serialize.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

namespace broker {

namespace json = boost::json;

namespace {

constexpr std::size_t said_max = 300; // of what others chose

bool is_name(std::string_view text) { // RFC 9110 §5.6.2
    return !text.empty() && std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || std::string_view{"!#$%&'*+-.^_`|~"}.contains(c);
    });
}

bool is_value(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7F; });
}

std::string lower(std::string_view text) {
    std::string made{text};
    std::ranges::transform(made, made.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return made;
}

result<http_client::header, std::string> header_of(std::string_view line) {
    const auto colon = line.find(':');
    const auto wrong = [](std::string_view why) { return fail(fmt::format("auth.http.headers: {}; write \"Name: value\"", why)); };
    if (colon == std::string_view::npos || !is_name(line.substr(0, colon))) return wrong("an entry does not begin with a header's name");
    auto value = line.substr(colon + 1);
    value.remove_prefix(std::min(value.find_first_not_of(' '), value.size()));
    if (!is_value(value)) return wrong(fmt::format("{} has a control character", line.substr(0, colon)));
    for (const auto* const ours : {"host", "content-length", "content-type", "transfer-encoding", "connection"}) {
        if (lower(line.substr(0, colon)) == ours) return wrong(fmt::format("{} is set by brokerd", ours));
    }
    return http_client::header{.name = std::string{line.substr(0, colon)}, .value = std::string{value}};
}

} // namespace

result<std::shared_ptr<auth_hook>, std::string> auth_hook::make(settings chosen, outside_counters& count) {
    auto client = http_client::make(chosen.url, chosen.http);
    if (!client) return fail("auth.http.url: " + client.error());
    std::vector<http_client::header> headers;
    for (const auto& line : chosen.headers) {
        auto one = header_of(line);
        if (!one) return fail(std::move(one.error()));
        headers.push_back(std::move(*one));
    }
    if (!is_value(chosen.secret)) return fail(std::string{"auth.http.secret: it has a control character; it must be one line"});
    if (!chosen.secret.empty()) headers.push_back({.name = "Authorization", .value = "Bearer " + chosen.secret});
    return std::shared_ptr<auth_hook>{new auth_hook{std::move(*client), std::move(headers), chosen, count.auth_hook}};
}

std::string auth_hook::question_of(const security::hook_question& asked, const visitor& by) {
    json::object body{{"client_id", asked.client_id}, {"user", asked.with.user}};
    if (asked.with.password) body["password"] = *asked.with.password;
    if (!asked.with.token.empty()) body["token"] = asked.with.token;
    body["protocol"] = by.protocol;
    body["address"] = by.address;
    body["listener"] = by.listener;
    if (!by.identity.empty()) body["tls_identity"] = by.identity;
    return json::serialize(body);
}

std::optional<security::hook_answer> auth_hook::remembered(std::string_view question, time_point now) {
    auto known = cache_.find(question, now);
    if (known) ++count_[hook_result::remembered];
    return known;
}

result<security::hook_answer, std::string> auth_hook::failed(hook_result how, std::string why) {
    ++count_[how];
    why = fmt::format("auth.http.url: {}: {}", url_, utf8_prefix(why, said_max));
    if (!failing_.exchange(true)) spdlog::error("{}; clients that need it are not let in", why);
    return fail(std::move(why));
}

result<security::hook_answer, std::string> auth_hook::ask(const std::string& question, clock::time_point since, time_point now, const std::stop_token& ending) {
    const auto began = clock::now();
    if (began - since > timeout_) return failed(hook_result::timeout, "too many are asked for before this one");
    const auto came = client_.post_json(question, headers_, ending);
    count_.took(clock::now() - began);
    if (!came) return failed(came.error().timed_out ? hook_result::timeout : hook_result::failed, came.error().what);
    if (came->status != 200) return failed(hook_result::failed, fmt::format("HTTP status {}", came->status));
    auto answer = security::parse_hook_answer(came->body);
    if (!answer) return failed(hook_result::failed, "its answer: " + answer.error());
    if (failing_.exchange(false)) spdlog::info("auth.http.url: {}: answers again", url_);
    ++count_[static_cast<hook_result>(answer->what)];
    cache_.put(question, *answer, now);
    return answer;
}

} // namespace broker
