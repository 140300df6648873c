// rights: what one identity may do. Rules of its roles and its own (a token's), compiled once; then a verdict on a topic
// costs a walk down a trie, and nothing where verdict_cache knows the topic.
//
// Deny beats allow. What no rule speaks of is denied once any rule exists, or if the policy says so; with neither,
// everything is allowed. Two actions differ: connect is judged only if any rule speaks of connect, and manage is never
// allowed without a rule.
#pragma once

#include "security/placeholder.hpp"
#include "security/rule_trie.hpp"

#include <map>
#include <memory>
#include <mutex>
#include <optional>

namespace broker::security {

struct identity {
    std::string user{};      // empty: anonymous
    std::string client_id{};
    std::vector<std::string> roles{}; // besides those the policy gives; names the policy does not know mean nothing
    claim_values claims{};
    std::vector<rule> own{};
};

struct verdict {
    bool allowed = false;
    const rule* by = nullptr; // null: no rule spoke of it. Lives as long as the rights it comes from
};

// What of a subscription's topics may be received.
enum class coverage : std::uint8_t {
    all,
    part, // each delivery is asked for: verdict_on(action::subscribe, topic)
    none,
};
struct subscription_verdict {
    coverage what = coverage::none;
    const rule* by = nullptr; // all: a rule that allows; part, none: one that denies, or null: no rule allows
};

class rule_book;

// Threading: immutable.
class rights {
public:
    [[nodiscard]] verdict verdict_on(action a, std::string_view topic) const;

    // `filter`: "a/+/#", "$share/GROUP/FILTER" or "$queue/NAME", valid. The topics of a shared subscription are those of
    // its FILTER, and rules on the group count too. A group chooses a member without asking for rights, so whoever asks
    // should refuse a shared subscription that is not wholly allowed.
    [[nodiscard]] subscription_verdict verdict_on_subscription(std::string_view filter) const;

    // Publishing and subscribing as it is asked for: "$queue/..." is the queue's right.
    [[nodiscard]] static action publishing_to(std::string_view topic);
    [[nodiscard]] static action subscribing_to(std::string_view topic);

private:
    friend class rule_book;
    struct in_group { // a rule on $share/GROUP/...
        std::string group{};
        std::string pattern{};
        effect what{};
        action_set to{};
        rule_number number = no_rule;
    };
    struct compiled {
        rule_trie trie{};
        std::vector<in_group> groups{};
        void add(std::string_view filter, effect what, action_set to, rule_number number);
    };

    [[nodiscard]] const rule* at(rule_number number) const;
    [[nodiscard]] bool open_to(action a) const; // allowed where no rule speaks

    std::shared_ptr<const rule_book> book_;
    std::shared_ptr<const compiled> shared_; // rules without placeholders, the same for everybody with these roles
    compiled own_;
    std::vector<rule> own_rules_; // numbered behind those of the book
    bool restricted_ = true;
    bool connect_open_ = true;
};

// The policy, checked. One per process; a changed policy is a new book.
// Threading: rights_of() from any thread.
class rule_book : public std::enable_shared_from_this<rule_book> {
public:
    // Error: one line. A role used but not defined, a role defined twice.
    [[nodiscard]] static result<std::shared_ptr<const rule_book>, std::string> make(policy from);

    // Error: placeholders and lists of values that become too many rules, or too many rules of its own. Refuse it then.
    [[nodiscard]] result<std::shared_ptr<const rights>, std::string> rights_of(const identity& who) const;

    [[nodiscard]] std::size_t rules() const { return rules_.size(); }

    static constexpr std::size_t own_rules_max = 1'000;      // of a token
    static constexpr std::size_t expanded_rules_max = 10'000; // of an identity, after placeholders

private:
    friend class rights;
    struct span { // of rules_
        rule_number from = 0;
        rule_number to = 0;
    };
    using role_set = std::vector<std::size_t>;

    rule_book() = default;
    [[nodiscard]] role_set roles_of(const identity& who) const;
    [[nodiscard]] std::shared_ptr<const rights::compiled> compiled_for(const role_set& these) const;

    policy policy_;
    std::vector<rule> rules_; // of all roles
    std::vector<span> role_rules_;
    std::map<std::string, std::size_t, std::less<>> role_index_;
    bool has_connect_rule_ = false;
    mutable std::mutex mutex_;
    mutable std::map<role_set, std::shared_ptr<const rights::compiled>> compiled_; // at most compiled_max
    static constexpr std::size_t compiled_max = 1'024;
};

} // namespace broker::security
