// topic_trie: filter levels → subscriptions, one per process, shared by all protocols and shards.
//
// Invariants
// 1. A level's text is interned: children are found by (node, level id) in one flat table, so matching hashes each level
//    of a topic once and allocates nothing.
// 2. A node without subscriptions, groups and children does not exist; a level no filter uses is not interned.
// 3. A slot occurs at most once per node and at most once per group.
#pragma once

#include "core/slab.hpp"
#include "core/topic.hpp"
#include "routing/reader_lock.hpp"
#include "routing/subscription.hpp"
#include "session/shared_group.hpp"
#include "session/slot.hpp"

#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>

#include <atomic>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace broker {

struct trie_match {
    slot* to = nullptr;
    subscription_options options{};
};

// The member of a shared group that was chosen.
struct share_match {
    slot* to = nullptr;
    subscription_options options{};
    group_ptr of{};
};

// What a match found. Keep it: its vectors keep their capacity.
struct match_set {
    std::vector<trie_match> found{};
    std::size_t nodes = 0; // distinct filters that matched; more than one: a slot may have been found more than once
    std::vector<share_match> shared{}; // one of each group; a slot may be there, and in `found`, more than once
    void clear() {
        found.clear();
        shared.clear();
        nodes = 0;
    }

private:
    friend class topic_trie;
    std::vector<std::uint32_t> levels{};
    std::vector<std::uint32_t> now{};
    std::vector<std::uint32_t> next{};
};

class topic_trie {
public:
    explicit topic_trie(std::size_t shards);
    ~topic_trie();

    // Plain or shared filters. True: the slot had it already, its options are replaced.
    [[nodiscard]] bool insert(const topic_filter& filter, slot& to, const subscription_options& options);
    [[nodiscard]] bool erase(const topic_filter& filter, slot& to); // true: it was there

    // Of a shared group one member is chosen: the next with room, else the next online, else the next durable one.
    void match(shard_index reader, std::string_view topic, match_set& into);

    // A member of the group other than `except`. Nothing: there is none, or the group is gone.
    [[nodiscard]] std::optional<share_match> choose(shard_index reader, const shared_group& of, const slot* except,
                                                    bool online_only);

    [[nodiscard]] std::size_t subscriptions() const { return subscriptions_.load(std::memory_order_relaxed); }
    [[nodiscard]] std::size_t shared_subscriptions() const { return shared_.load(std::memory_order_relaxed); }
    [[nodiscard]] std::size_t nodes() const { return nodes_in_use_.load(std::memory_order_relaxed); }

private:
    using node_id = std::uint32_t;
    using level_id = std::uint32_t;

    // Members by slot: one costs no memory of its own; beyond a threshold an index makes removal cheap.
    class members {
    public:
        [[nodiscard]] bool put(slot& to, const subscription_options& options); // true: replaced
        [[nodiscard]] bool remove(const slot& to);
        [[nodiscard]] std::span<const trie_match> all() const {
            if (many_) return many_->list;
            return {&one_, one_.to == nullptr ? 0U : 1U};
        }
        [[nodiscard]] bool empty() const { return all().empty(); }

    private:
        struct many {
            std::vector<trie_match> list{};
            std::unique_ptr<std::unordered_map<const slot*, std::size_t>> index{};
            [[nodiscard]] std::size_t find(const slot& to) const;
        };
        trie_match one_{};
        std::unique_ptr<many> many_; // not null: these, and not `one_`
    };
    struct group {
        group_ptr what{};
        members who{};
        std::atomic<std::size_t> turn{0}; // the member after the one chosen last
    };
    using groups = std::vector<std::unique_ptr<group>>;
    struct node {
        node_id parent = 0;
        level_id level = 0;
        std::uint32_t children = 0;
        bool has_plus = false; // a child of that level
        bool has_hash = false;
        members plain{};
        std::unique_ptr<groups> shared{}; // null: none
        [[nodiscard]] bool unused() const { return children == 0 && plain.empty() && !shared; }
    };
    struct level_text {
        std::string text{};
        std::uint32_t uses = 0;
    };

    using level_table = slab<level_text>;
    struct text_hash {
        using is_transparent = void;
        const level_table* levels;
        [[nodiscard]] std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
        [[nodiscard]] std::size_t operator()(level_id level) const { return (*this)((*levels)[level].text); }
    };
    struct text_equal {
        using is_transparent = void;
        const level_table* levels;
        [[nodiscard]] bool operator()(level_id a, level_id b) const { return a == b; }
        [[nodiscard]] bool operator()(std::string_view a, level_id b) const { return a == (*levels)[b].text; }
        [[nodiscard]] bool operator()(level_id a, std::string_view b) const { return (*this)(b, a); }
    };

    static constexpr node_id root = 0;
    static constexpr node_id none = ~node_id{0};
    static constexpr level_id plus = 0;
    static constexpr level_id hash = 1;
    static constexpr level_id unknown = ~level_id{0};

    [[nodiscard]] node_id child(node_id of, level_id level) const;
    [[nodiscard]] node_id find(std::string_view pattern) const;
    node_id reach(std::string_view pattern);
    void prune(node_id from);
    [[nodiscard]] level_id intern(std::string_view text);
    void release(level_id level);
    void collect(const node& n, match_set& into) const;
    [[nodiscard]] static const trie_match* next(group& of, const slot* except, bool online_only);
    [[nodiscard]] static group* find(const node& at, std::string_view filter); // null: there is none

    reader_lock lock_;
    slab<node> nodes_;
    boost::unordered_flat_map<std::uint64_t, node_id> children_; // (node << 32 | level)
    level_table levels_;
    boost::unordered_flat_set<level_id, text_hash, text_equal> by_text_;
    std::atomic<std::size_t> subscriptions_{0};
    std::atomic<std::size_t> shared_{0};
    std::atomic<std::size_t> nodes_in_use_{0};
};

} // namespace broker
