// rule: who may do what with which topics, as it is written. rights.hpp compiles rules for one identity.
//
//   allow publish,retain fleet/%u/#      effect, actions, filter; the filter is the rest of the line, spaces included
//   deny subscribe $SYS/#
//   allow queue_read $queue/jobs         publish and subscribe mean queue_write and queue_read in a $queue/ filter
//   allow subscribe $share/workers/a/#   only as a member of that group ('+': of any)
//   allow connect dev-%u                 the filter is compared with the client id
//   allow manage clients/#               the filter is compared with the path of the admin interface
//
// A filter matches topics as a subscription does: '#' and '+' do not begin with '$' [MQTT-4.7.2-1].
// Placeholders, whole levels or parts of one: %u user, %c client id, %{claim} (every value if it is a list), %% a '%'.
#pragma once

#include "core/result.hpp"

#include <cstdint>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace broker::security {

enum class action : std::uint8_t { connect, publish, subscribe, retain, queue_read, queue_write, manage };
inline constexpr std::size_t actions = 7;
[[nodiscard]] std::string_view name(action a);

class action_set {
public:
    constexpr action_set() = default;
    constexpr action_set(std::initializer_list<action> these) {
        for (const auto a : these) add(a);
    }
    constexpr void add(action a) { bits_ = static_cast<std::uint8_t>(bits_ | bit(a)); }
    constexpr void add(action_set these) { bits_ = static_cast<std::uint8_t>(bits_ | these.bits_); }
    constexpr void remove(action a) { bits_ = static_cast<std::uint8_t>(bits_ & ~bit(a)); }
    [[nodiscard]] constexpr bool has(action a) const { return (bits_ & bit(a)) != 0; }
    [[nodiscard]] constexpr bool empty() const { return bits_ == 0; }
    friend constexpr bool operator==(action_set, action_set) = default;

private:
    static constexpr std::uint8_t bit(action a) { return static_cast<std::uint8_t>(1U << static_cast<unsigned>(a)); }
    std::uint8_t bits_ = 0;
};

// "all": everything that is done with messages; neither connect nor manage.
inline constexpr action_set all_of_messages{action::publish, action::subscribe, action::retain, action::queue_read, action::queue_write};

enum class effect : std::uint8_t { allow, deny };

struct rule {
    effect what = effect::allow;
    action_set to{};
    std::string filter{}; // with placeholders
    std::string origin{}; // where it was written, for logs: "role driver", "acl:12", "token"
    friend bool operator==(const rule&, const rule&) = default;
};

// A checked rule. Errors say in one line what is wrong with it.
[[nodiscard]] result<rule, std::string> make_rule(effect what, action_set to, std::string_view filter, std::string_view origin);
[[nodiscard]] result<rule, std::string> parse_rule(std::string_view line, std::string_view origin);
// As parse_rule reads it.
[[nodiscard]] std::string text(const rule& r);
// '%' is no placeholder in it.
[[nodiscard]] std::string without_placeholders(std::string_view filter);

struct role {
    std::string name{};
    std::vector<rule> rules{};
};

// What an operator wrote down. Roles named here exist; rights.hpp's rule_book::make checks it.
struct policy {
    bool deny_by_default = false; // else only once any rule exists
    std::vector<role> roles{};
    std::vector<std::string> everybody{}; // roles of every identity
    std::vector<std::string> anonymous{}; // of those without a user
    std::map<std::string, std::vector<std::string>, std::less<>> users{};
};

} // namespace broker::security
