#include "routing/topic_trie.hpp"

#include "core/assert.hpp"

#include <random>
#include <utility>

namespace broker {

namespace {

std::uint64_t draw_secret() {
    std::random_device source;
    return (std::uint64_t{source()} << 32) | source();
}

} // namespace

topic_trie::topic_trie(std::size_t shards)
    : lock_{shards}, edge_secret_{draw_secret()}, levels_{{.first = draw_secret(), .second = draw_secret()}} {
    nodes_.emplace_back(); // the root
}

topic_trie::~topic_trie() = default;

// --- changes ---

bool topic_trie::insert(const topic_filter& filter, slot& to, const subscription_options& options) {
    BROKER_ASSERT(filter.what() != topic_filter::kind::queue);
    const auto guard = lock_.write();
    auto& n = nodes_[make_path(filter.pattern())];
    bool existed = false;
    if (filter.is_shared()) {
        if (!n.groups) n.groups = std::make_unique<group_map>();
        auto group = n.groups->find(filter.group());
        if (group == n.groups->end()) group = n.groups->try_emplace(std::string{filter.group()}).first;
        existed = group->second.insert(to, options);
    } else {
        existed = n.subscribers.insert(to, options);
    }
    if (!existed) (filter.is_shared() ? shared_ : plain_).fetch_add(1, std::memory_order_relaxed);
    generation_.fetch_add(1, std::memory_order_release);
    return existed;
}

bool topic_trie::erase(const topic_filter& filter, const slot& to) {
    BROKER_ASSERT(filter.what() != topic_filter::kind::queue);
    const auto guard = lock_.write();
    const auto at = find_node(filter.pattern());
    if (at == no_node) return false;
    auto& n = nodes_[at];
    if (filter.is_shared()) {
        if (!n.groups) return false;
        const auto group = n.groups->find(filter.group());
        if (group == n.groups->end() || !group->second.erase(to)) return false;
        if (group->second.empty()) n.groups->erase(group);
        if (n.groups->empty()) n.groups.reset();
    } else if (!n.subscribers.erase(to)) {
        return false;
    }
    prune(at);
    (filter.is_shared() ? shared_ : plain_).fetch_sub(1, std::memory_order_relaxed);
    generation_.fetch_add(1, std::memory_order_release);
    return true;
}

// no_node also stands for "not there": no pattern ends in the root.
topic_trie::node_index topic_trie::find_node(std::string_view pattern) const {
    node_index at = root;
    for (level_walk walk{pattern}; !walk.done(); walk.next()) {
        if (walk.level() == "+") {
            at = nodes_[at].any;
        } else if (walk.level() == "#") {
            at = nodes_[at].rest;
        } else {
            const auto level = levels_.find(walk.level());
            const auto* const e = level == no_level ? nullptr : find_edge(at, level);
            at = e == nullptr ? no_node : e->to;
        }
        if (at == no_node) return no_node;
    }
    return at;
}

topic_trie::node_index topic_trie::make_path(std::string_view pattern) {
    node_index at = root;
    for (level_walk walk{pattern}; !walk.done(); walk.next()) {
        if (walk.level() == "+") {
            if (nodes_[at].any == no_node) nodes_[at].any = make_node(at, any_level);
            at = nodes_[at].any;
        } else if (walk.level() == "#") {
            if (nodes_[at].rest == no_node) nodes_[at].rest = make_node(at, rest_of_levels);
            at = nodes_[at].rest;
        } else {
            const auto level = levels_.find(walk.level());
            const auto* const e = level == no_level ? nullptr : find_edge(at, level);
            if (e != nullptr) {
                at = e->to;
                continue;
            }
            const auto used = levels_.acquire(walk.level()); // one use per edge
            const auto made = make_node(at, used);
            edges_.insert({.hash = hash(at, used), .from = at, .level = used, .to = made});
            ++nodes_[at].literals;
            at = made;
        }
    }
    return at;
}

topic_trie::node_index topic_trie::make_node(node_index parent, level_id level) {
    auto at = static_cast<node_index>(nodes_.size());
    if (unused_.empty()) {
        nodes_.emplace_back();
    } else {
        at = unused_.back();
        unused_.pop_back();
    }
    nodes_[at].parent = parent;
    nodes_[at].level = level;
    return at;
}

// Removes the node and those above it which lead nowhere any more.
void topic_trie::prune(node_index from) {
    for (auto at = from; at != root && nodes_[at].is_unused();) {
        const auto gone = std::exchange(at, nodes_[at].parent);
        const auto level = nodes_[gone].level;
        if (level == any_level) {
            nodes_[at].any = no_node;
        } else if (level == rest_of_levels) {
            nodes_[at].rest = no_node;
        } else {
            edges_.erase(find_edge(at, level));
            --nodes_[at].literals;
            levels_.release(level);
        }
        nodes_[gone] = node{};
        unused_.push_back(gone);
    }
}

// --- lookups ---

std::uint32_t topic_trie::hash(node_index from, level_id level) const {
    auto h = ((std::uint64_t{from} << 32) | level) ^ edge_secret_;
    h = (h ^ (h >> 33)) * 0xff51'afd7'ed55'8ccd;
    h = (h ^ (h >> 33)) * 0xc4ce'b9fe'1a85'ec53;
    return static_cast<std::uint32_t>(h ^ (h >> 33));
}

const topic_trie::edge* topic_trie::find_edge(node_index from, level_id level) const {
    return edges_.find(hash(from, level), [&](const edge& e) { return e.from == from && e.level == level; });
}

void topic_trie::match(shard_index reader, std::string_view topic, match_set& out) {
    const auto guard = lock_.read(reader);
    out.reached.assign(1, root);
    bool wildcards_apply = !topic.starts_with('$'); // for the first level [MQTT-4.7.2-1]
    for (level_walk walk{topic}; !walk.done() && !out.reached.empty(); walk.next()) {
        const auto level = levels_.find(walk.level()); // once per level, however many nodes are reached
        out.next.clear();
        for (const auto at : out.reached) {
            const auto& n = nodes_[at];
            if (wildcards_apply && n.rest != no_node) collect(nodes_[n.rest], out);
            if (level != no_level && n.literals != 0) {
                if (const auto* const e = find_edge(at, level)) out.next.push_back(e->to);
            }
            if (wildcards_apply && n.any != no_node) out.next.push_back(n.any);
        }
        std::swap(out.reached, out.next);
        wildcards_apply = true;
    }
    for (const auto at : out.reached) {
        const auto& n = nodes_[at];
        collect(n, out);
        if (n.rest != no_node) collect(nodes_[n.rest], out); // "a/#" matches "a" as well [MQTT5 §4.7.1.2]
    }
}

void topic_trie::collect(const node& n, match_set& out) const {
    if (!n.subscribers.empty()) {
        const auto members = n.subscribers.members();
        out.found.insert(out.found.end(), members.begin(), members.end());
        ++out.nodes;
    }
    if (!n.groups) return;
    for (const auto& [name, group] : *n.groups) {
        if (const auto* const member = group.pick()) {
            out.found.push_back(*member);
            ++out.nodes;
        }
    }
}

} // namespace broker
