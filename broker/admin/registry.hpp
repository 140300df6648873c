// registry: (method, path) → command. Transport-neutral: a request and a response are values.
#pragma once

#include "admin/node.hpp"
#include "security/rights.hpp"

#include <boost/json/value.hpp>

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace broker::admin {

struct request {
    std::string method{};                      // "GET"
    std::string path{};                        // without the query
    std::multimap<std::string, std::string> query{}; // decoded
    std::string body{};
    const security::rights* may = nullptr;     // of who asks; null: everything
    std::vector<std::string> rest{};           // what the pattern's {} matched, decoded
    [[nodiscard]] std::string get(const std::string& key, const std::string& otherwise = "") const {
        const auto it = query.find(key);
        return it == query.end() ? otherwise : it->second;
    }
    // A number of the query; larger ones are `most`. Nothing: it is none.
    [[nodiscard]] std::optional<std::uint64_t> number(const std::string& key, std::uint64_t otherwise, std::uint64_t most) const;
};

struct response {
    unsigned status = 200;
    std::string content_type{"application/json"};
    std::string body{};
    std::string headers{}; // more of them, each with its CRLF
};

[[nodiscard]] response json(const boost::json::value& value, unsigned status = 200);
// RFC 9457 problem+json.
[[nodiscard]] response problem(unsigned status, std::string_view code, std::string_view detail);
[[nodiscard]] response problem(const admin_error& error);
[[nodiscard]] std::string decode_percent(std::string_view text, bool plus_is_space);
[[nodiscard]] std::string rfc3339(time_point t);
// Topic, payload (text, or payload_base64 when it is not UTF-8), qos, retain.
[[nodiscard]] boost::json::object describe(const message& m);
void put_payload(boost::json::object& o, std::string_view payload);
[[nodiscard]] boost::json::value time_or_null(time_point at);
[[nodiscard]] std::optional<std::uint64_t> number_in(std::string_view text); // decimal digits alone

using command = std::function<response(node&, const request&)>;

class registry {
public:
    registry(); // every command of this folder
    // "{}" in a pattern is one segment, in which a slash is %2F, "{*}" at its end the rest of the path. The first pattern that
    // matches has the request.
    void add(std::string_view method, std::string_view pattern, command run);
    [[nodiscard]] response run(node& on, request r) const;

private:
    struct row {
        std::string method{};
        std::string pattern{};
        command run{};
    };
    std::vector<row> rows_;
};

// One per file of commands.
void add_observation(registry& to); // health, readiness, status, version
void add_metrics(registry& to);
void add_clients(registry& to);
void add_listeners(registry& to);
void add_bans(registry& to);
void add_sessions(registry& to);
void add_retained(registry& to);
void add_queues(registry& to);
void add_store(registry& to);
void add_acl(registry& to);
void add_tokens(registry& to);
void add_api_keys(registry& to);
void add_users(registry& to);
void add_publish(registry& to);

} // namespace broker::admin
