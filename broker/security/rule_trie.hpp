// rule_trie: filters of rules, compiled: which rule decides on a topic, and what a set of rules leaves of a subscription.
//
// What a rule covers is a set of topics. Of all rules of one effect that match the one with the lowest number is named.
// Threading: immutable once built; then any number of readers.
#pragma once

#include "security/rule.hpp"

#include <array>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace broker::security {

using rule_number = std::uint32_t;
inline constexpr rule_number no_rule = std::numeric_limits<rule_number>::max();

struct deciding {
    rule_number allow = no_rule;
    rule_number deny = no_rule;
    void take(const deciding& other) {
        allow = std::min(allow, other.allow);
        deny = std::min(deny, other.deny);
    }
    void take(effect what, rule_number number) {
        auto& mine = what == effect::allow ? allow : deny;
        mine = std::min(mine, number);
    }
    [[nodiscard]] rule_number of(effect what) const { return what == effect::allow ? allow : deny; }
};

class rule_trie {
public:
    rule_trie();

    // `pattern`: no placeholders, no $share/. One with more levels than a topic may have matches none and is left out.
    void add(std::string_view pattern, effect what, action_set to, rule_number number);

    // The rules that match this topic name.
    void match(action a, std::string_view topic, deciding& into) const;

    [[nodiscard]] bool empty() const { return nodes_.size() == 1 && entries_ == 0; }

    // Set algebra on filters, exact (rights_test.cpp compares it with every topic of a small alphabet).
    // A filter as its levels; '#' only as the last. The texts live as long as the filter it was made from.
    using levels = std::vector<std::string_view>;
    [[nodiscard]] static levels levels_of(std::string_view pattern);
    // Calls use(number, what both match) for every rule of this effect that has a topic in common with `filter`. Two filters
    // have either nothing in common or exactly what one other filter matches. Ends early when `use` returns false.
    using overlap = std::function<bool(rule_number, const levels&)>;
    bool each_overlap(action a, effect what, const levels& filter, const overlap& use) const; // false: ended early
    // Does every topic that matches `filter` match a rule of this effect in one of the tries?
    [[nodiscard]] static bool covers(std::span<const rule_trie* const> tries, action a, effect what, const levels& filter);

private:
    using node_id = std::uint32_t;
    static constexpr node_id root = 0;
    static constexpr node_id none = std::numeric_limits<node_id>::max();

    using per_action = std::array<deciding, actions>;
    struct node {
        std::string level{};
        node_id parent = none;
        node_id plus = none;
        node_id first_child = none; // other than plus
        node_id next_sibling = none;
        per_action ends{}; // filters that end here
        per_action rest{}; // those that go on with '#', which also matches what ends here [§4.7.1.2]
        action_set allows{}; // here or below: a subscription's walk leaves out what has nothing for it
        action_set denies{};
    };
    struct place {
        std::uint64_t hash = 0;
        node_id child = none;
    };
    struct walk;

    [[nodiscard]] static std::uint64_t hash_of(node_id parent, std::string_view level);
    [[nodiscard]] node_id child(node_id of, std::string_view level) const;
    node_id reach(node_id from, std::string_view level);
    void grow();
    void visit(const node& n, std::string_view topic, action a, deciding& into) const;

    std::vector<node> nodes_;
    std::vector<place> table_; // children by (parent, level): open addressing, a power of two, at most half full
    std::size_t children_ = 0;
    std::size_t entries_ = 0;
};

} // namespace broker::security
