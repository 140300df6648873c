// admission: who comes in. Engines ask when a client has said who it is, before it gets its session; they know of no
// credentials, tokens or files themselves.
// Threading: the connection's shard. One per connection.
#pragma once

#include "core/close_reason.hpp"
#include "core/time.hpp"
#include "security/rights.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace broker {

struct newcomer { // what CONNECT says; borrowed
    std::string_view client_id{}; // as granted
    std::string_view user{};      // user name, login; may be empty
    std::optional<std::string_view> password{};
    std::string_view token{}; // of MQTT's authentication method "token"; may be empty
    std::string_view protocol{}; // "mqtt", "stomp"
};

struct welcome {
    std::string user{};                            // whom its sessions belong to; empty: nobody in particular
    std::shared_ptr<const security::rights> may{}; // null: everything
    time_point until = never;                      // the connection ends then
};

class admission {
public:
    using answer = std::variant<welcome, close_reason>; // why not: put in the protocol's words; detail is for the client to read
    using answered = std::function<void(answer, time_point)>;

    virtual ~admission() = default;

    // The answer, or nothing: then `later` is called once, in a later turn, unless the connection is gone by then.
    [[nodiscard]] virtual std::optional<answer> ask(const newcomer& who, answered later) = 0;

    // A new token on a connection that is open. It must be the same user's.
    [[nodiscard]] virtual answer renew(std::string_view token) = 0;

    // Something was not allowed: for the log. `by`: the rule that denies it; null: none allows it.
    virtual void on_denied(security::action what, std::string_view topic, const security::rule* by) = 0;
};

} // namespace broker
