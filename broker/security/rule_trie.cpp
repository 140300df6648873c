#include "security/rule_trie.hpp"

#include "core/topic.hpp"

#include <algorithm>

namespace broker::security {

namespace {

std::size_t index(action a) { return static_cast<std::size_t>(a); }
bool servers_own(std::string_view first_level) { return first_level.starts_with('$'); }

} // namespace

rule_trie::rule_trie() : nodes_(1), table_(16) {}

std::uint64_t rule_trie::hash_of(node_id parent, std::string_view level) {
    // FNV-1a: levels are short. What is looked up is the peer's, what is in the table is not, so nobody can make it slow.
    std::uint64_t h = 0xCBF29CE484222325 ^ parent;
    for (const char c : level) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001B3;
    return h ^ h >> 29;
}

rule_trie::node_id rule_trie::child(node_id of, std::string_view level) const {
    const auto h = hash_of(of, level);
    for (auto at = h & (table_.size() - 1); table_[at].child != none; at = (at + 1) & (table_.size() - 1)) {
        if (table_[at].hash != h) continue;
        const auto& found = nodes_[table_[at].child];
        if (found.parent == of && found.level == level) return table_[at].child;
    }
    return none;
}

void rule_trie::grow() {
    std::vector<place> larger(table_.size() * 2);
    for (const auto& p : table_) {
        if (p.child == none) continue;
        auto at = p.hash & (larger.size() - 1);
        while (larger[at].child != none) at = (at + 1) & (larger.size() - 1);
        larger[at] = p;
    }
    table_ = std::move(larger);
}

rule_trie::node_id rule_trie::reach(node_id from, std::string_view level) {
    const auto made = static_cast<node_id>(nodes_.size());
    if (level == "+") {
        if (nodes_[from].plus != none) return nodes_[from].plus;
        nodes_.push_back({.level = "+", .parent = from});
        return nodes_[from].plus = made;
    }
    if (const auto there = child(from, level); there != none) return there;
    nodes_.push_back({.level = std::string{level}, .parent = from, .next_sibling = nodes_[from].first_child});
    nodes_[from].first_child = made;
    if (++children_ * 2 > table_.size()) grow();
    const auto h = hash_of(from, level);
    auto at = h & (table_.size() - 1);
    while (table_[at].child != none) at = (at + 1) & (table_.size() - 1);
    table_[at] = {.hash = h, .child = made};
    return made;
}

void rule_trie::add(std::string_view pattern, effect what, action_set to, rule_number number) {
    const auto path = levels_of(pattern);
    if (path.size() > topic_levels_max) return;
    node_id at = root;
    for (const auto level : path) {
        if (level != "#") at = reach(at, level);
    }
    auto& cells = path.back() == "#" ? nodes_[at].rest : nodes_[at].ends;
    for (std::size_t a = 0; a < actions; ++a) {
        if (to.has(static_cast<action>(a))) cells[a].take(what, number);
    }
    for (auto n = at; n != none; n = nodes_[n].parent) (what == effect::allow ? nodes_[n].allows : nodes_[n].denies).add(to);
    ++entries_;
}

void rule_trie::match(action a, std::string_view topic, deciding& into) const {
    const auto& top = nodes_[root];
    const bool own = servers_own(topic); // matched by no leading wildcard [MQTT-4.7.2-1]
    if (!own) into.take(top.rest[index(a)]);
    const auto slash = topic.find('/');
    const auto level = topic.substr(0, slash);
    const auto below = slash == std::string_view::npos ? std::string_view{} : topic.substr(slash);
    if (const auto next = child(root, level); next != none) visit(nodes_[next], below, a, into);
    if (top.plus != none && !own) visit(nodes_[top.plus], below, a, into);
}

// `topic`: what is left of it, the slash in front included. Nodes are levels, so the stack is as deep as a filter at most.
void rule_trie::visit(const node& n, std::string_view topic, action a, deciding& into) const {
    into.take(n.rest[index(a)]);
    if (topic.empty()) return into.take(n.ends[index(a)]);
    const auto slash = topic.find('/', 1);
    const auto level = slash == std::string_view::npos ? topic.substr(1) : topic.substr(1, slash - 1);
    const auto below = slash == std::string_view::npos ? std::string_view{} : topic.substr(slash);
    if (n.first_child != none) {
        if (const auto next = child(static_cast<node_id>(&n - nodes_.data()), level); next != none) visit(nodes_[next], below, a, into);
    }
    if (n.plus != none) visit(nodes_[n.plus], below, a, into);
}

rule_trie::levels rule_trie::levels_of(std::string_view pattern) {
    levels made;
    for (level_walk w{pattern}; !w.done(); w.next()) made.push_back(w.level());
    return made;
}

// Goes down the trie beside a filter, keeping what both match so far.
struct rule_trie::walk {
    const rule_trie& trie;
    const levels& filter;
    std::size_t a;
    effect what;
    const overlap& use;
    levels both{};

    bool report(const deciding& cell, std::span<const std::string_view> more) {
        if (cell.of(what) == no_rule) return true;
        auto whole = both;
        whole.insert(whole.end(), more.begin(), more.end());
        if (whole.size() == 1 && whole.front().empty()) return true; // the empty text is no topic [MQTT-4.7.3-1]
        return use(cell.of(what), whole);
    }

    bool below(node_id to, std::string_view level, std::size_t depth) {
        const auto& n = trie.nodes_[to];
        if (!(what == effect::allow ? n.allows : n.denies).has(static_cast<action>(a))) return true;
        both.push_back(level);
        const bool goes_on = at(to, depth + 1);
        both.pop_back();
        return goes_on;
    }

    // What the filter has at and below `depth` may be anything once it said '#'.
    bool at(node_id id, std::size_t depth) {
        const auto& n = trie.nodes_[id];
        const bool rest = depth >= filter.size() ? filter.back() == "#" : filter[depth] == "#";
        const bool ended = depth >= filter.size() && !rest;
        const std::string_view hash = "#";
        const bool front = id == root;
        // The rule's '#': it has in common with the filter what the filter still asks for.
        if (!(front && servers_own(filter.front()))) {
            const auto left = rest ? std::span{&hash, 1} : ended ? std::span<const std::string_view>{} : std::span{filter}.subspan(depth);
            if (!report(n.rest[a], left)) return false;
        }
        if (!front && (ended || rest) && !report(n.ends[a], {})) return false;
        if (ended) return true;
        if (!rest && filter[depth] != "+") return literal(id, depth);
        for (auto child = n.first_child; child != none; child = trie.nodes_[child].next_sibling) {
            const auto& level = trie.nodes_[child].level;
            if (!(front && servers_own(level)) && !below(child, level, depth)) return false;
        }
        return n.plus == none || below(n.plus, "+", depth);
    }

    bool literal(node_id id, std::size_t depth) {
        const auto level = filter[depth];
        const auto plus = trie.nodes_[id].plus;
        if (const auto child = trie.child(id, level); child != none && !below(child, level, depth)) return false;
        return plus == none || (id == root && servers_own(level)) || below(plus, level, depth);
    }
};

bool rule_trie::each_overlap(action a, effect what, const levels& filter, const overlap& use) const {
    return walk{.trie = *this, .filter = filter, .a = index(a), .what = what, .use = use}.at(root, 0);
}

// A level that no rule names stands for all of them: a rule that matches it there does so by a wildcard, which matches
// what is named as well. So the topics of a filter are all covered when the one with such a level for each '+', and those
// with any number of them for '#', are.
bool rule_trie::covers(std::span<const rule_trie* const> tries, action a, effect what, const levels& filter) {
    struct state {
        const rule_trie* trie;
        node_id at;
    };
    std::vector<state> now;
    std::vector<state> next;
    for (const auto* t : tries) now.push_back({t, root});
    const auto any = [&](auto cells) {
        return std::ranges::any_of(now, [&](const state& s) { return (s.trie->nodes_[s.at].*cells)[index(a)].of(what) != no_rule; });
    };
    const auto step = [&](std::string_view level, bool named, bool front) {
        next.clear();
        for (const auto& s : now) {
            if (named) {
                if (const auto c = s.trie->child(s.at, level); c != none) next.push_back({s.trie, c});
            }
            const auto plus = s.trie->nodes_[s.at].plus;
            if (plus != none && !(front && named && servers_own(level))) next.push_back({s.trie, plus});
        }
        now.swap(next);
    };
    for (std::size_t depth = 0; !now.empty(); ++depth) {
        const bool front = depth == 0;
        if (!(front && servers_own(filter.front())) && any(&node::rest)) return true;
        const bool beyond = depth >= filter.size() || filter[depth] == "#";
        if (beyond && filter.back() != "#") return any(&node::ends);
        // Something must cover the topic that ends here. "/#" has none: the empty text is no topic [MQTT-4.7.3-1].
        const bool no_topic = depth == 0 || (depth == 1 && filter.front().empty());
        if (beyond && !no_topic && !any(&node::ends)) return false;
        step(beyond ? "+" : filter[depth], !beyond && filter[depth] != "+", front);
    }
    return false;
}

} // namespace broker::security
