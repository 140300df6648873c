// topic_trie: filters → subscriptions, for the whole process, shared by MQTT and STOMP.
//
// Layout: nodes are numbered. A literal child is found in one flat table by (node, level id); the "+" and "#" children
// stand in the node itself. A match walks the topic once, level by level, with the set of nodes that the levels so far
// lead to. Every node is reached by one path, so no node is visited twice, whatever the filters are.
//
// Threading: any thread. match() locks its shard's lane only; a change locks out all readers (reader_lock.hpp).
// Slots:     a slot found may leave the trie as soon as match() has returned; session/slot.hpp says how long it lives.
#pragma once

#include "core/ids.hpp"
#include "core/topic.hpp"
#include "routing/level_table.hpp"
#include "routing/probe_table.hpp"
#include "routing/reader_lock.hpp"
#include "routing/shared_group.hpp"
#include "routing/subscriber_set.hpp"

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace broker {

// The outcome of a match. Belongs to one reader and is kept for its capacity: once grown, matching does not allocate.
struct match_set {
    std::vector<trie_match> found{};
    std::size_t nodes = 0; // filters and groups in `found`; only when there are several may a slot be in it repeatedly

    void clear() {
        found.clear();
        nodes = 0;
    }

    // Scratch of match(): the nodes that the levels so far, and the next one, lead to.
    std::vector<std::uint32_t> reached{};
    std::vector<std::uint32_t> next{};
};

class topic_trie {
public:
    explicit topic_trie(std::size_t shards);
    ~topic_trie();
    topic_trie(const topic_trie&) = delete;
    topic_trie& operator=(const topic_trie&) = delete;

    // Plain and shared filters; queue filters never come here.
    // True: this slot had subscribed to the filter before, its options are replaced [MQTT-3.8.4-3].
    bool insert(const topic_filter& filter, slot& to, const subscription_options& options);
    bool erase(const topic_filter& filter, const slot& to); // true: it was there

    // Appends every subscription that matches the topic name, and one member of each group that does; clears nothing.
    // `$` names are not matched by a leading wildcard [MQTT-4.7.2-1].
    void match(shard_index reader, std::string_view topic, match_set& out);

    // Grows with every change. Equal generations: equal matches, apart from whose turn it is in groups.
    [[nodiscard]] std::uint64_t generation() const { return generation_.load(std::memory_order_acquire); }
    [[nodiscard]] std::size_t subscriptions() const { return plain_.load(std::memory_order_relaxed); } // not shared
    [[nodiscard]] std::size_t shared_subscriptions() const { return shared_.load(std::memory_order_relaxed); }

    // For tests: what pruning has left, without the root. Not synchronised with changes.
    [[nodiscard]] std::size_t node_count() const { return nodes_.size() - unused_.size() - 1; }
    [[nodiscard]] std::size_t level_count() const { return levels_.size(); }

private:
    using node_index = std::uint32_t;
    static constexpr node_index root = 0;
    static constexpr node_index no_node = 0; // the root is nobody's child
    static constexpr level_id any_level = no_level - 1;   // "+"
    static constexpr level_id rest_of_levels = no_level - 2; // "#"
    using group_map = std::map<std::string, shared_group, std::less<>>;

    struct node { // one cache line
        node_index parent = no_node;
        level_id level = no_level;
        node_index any = no_node;
        node_index rest = no_node;
        std::uint32_t literals = 0; // children in edges_
        subscriber_set subscribers{};
        std::unique_ptr<group_map> groups{};

        [[nodiscard]] bool is_unused() const {
            return any == no_node && rest == no_node && literals == 0 && subscribers.empty() && !groups;
        }
    };
    struct edge {
        std::uint32_t hash = 0;
        node_index from = no_node;
        level_id level = no_level;
        node_index to = no_node;
        [[nodiscard]] bool is_free() const { return to == no_node; }
    };

    [[nodiscard]] std::uint32_t hash(node_index from, level_id level) const;
    [[nodiscard]] const edge* find_edge(node_index from, level_id level) const;
    [[nodiscard]] node_index find_node(std::string_view pattern) const;
    node_index make_path(std::string_view pattern);
    node_index make_node(node_index parent, level_id level);
    void prune(node_index from);
    void collect(const node& n, match_set& out) const;

    reader_lock lock_;
    std::uint64_t edge_secret_;
    level_table levels_;
    std::deque<node> nodes_; // a deque, because growing must not move a million nodes under the write lock
    std::vector<node_index> unused_;
    probe_table<edge> edges_;
    std::atomic<std::uint64_t> generation_{0};
    std::atomic<std::size_t> plain_{0};
    std::atomic<std::size_t> shared_{0};
};

} // namespace broker
