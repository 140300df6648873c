#include "routing/topic_trie.hpp"

#include <algorithm>

namespace broker {

namespace {

constexpr std::size_t index_from = 64; // members; below it a linear search is quicker

constexpr std::uint64_t edge(std::uint32_t node, std::uint32_t level) {
    return static_cast<std::uint64_t>(node) << 32 | level;
}

} // namespace

// --- members ---

std::size_t topic_trie::members::find(const slot& to) const {
    if (index_) {
        const auto it = index_->find(&to);
        return it == index_->end() ? list_.size() : it->second;
    }
    return static_cast<std::size_t>(std::ranges::find(list_, &to, &trie_match::to) - list_.begin());
}

bool topic_trie::members::put(slot& to, const subscription_options& options) {
    if (const auto at = find(to); at != list_.size()) {
        list_[at].options = options;
        return true;
    }
    list_.push_back({.to = &to, .options = options});
    if (index_) {
        index_->emplace(&to, list_.size() - 1);
    } else if (list_.size() > index_from) {
        index_ = std::make_unique<std::unordered_map<const slot*, std::size_t>>();
        for (std::size_t i = 0; i != list_.size(); ++i) index_->emplace(list_[i].to, i);
    }
    return false;
}

bool topic_trie::members::remove(const slot& to) {
    const auto at = find(to);
    if (at == list_.size()) return false;
    if (index_) {
        index_->erase(&to);
        if (at + 1 != list_.size()) (*index_)[list_.back().to] = at;
    }
    list_[at] = list_.back();
    list_.pop_back();
    return true;
}

// --- structure ---

topic_trie::topic_trie(std::size_t shards) : lock_{shards} {
    nodes_.push_back(std::make_unique<node>());
    for (const auto* const text : {"+", "#"}) {
        levels_.push_back(std::make_unique<level_text>(level_text{.text = text, .uses = 1}));
        by_text_.emplace(levels_.back()->text, static_cast<level_id>(levels_.size() - 1));
    }
}

topic_trie::~topic_trie() = default;

topic_trie::level_id topic_trie::intern(std::string_view text) {
    if (const auto it = by_text_.find(text); it != by_text_.end()) {
        ++levels_[it->second]->uses;
        return it->second;
    }
    auto made = std::make_unique<level_text>(level_text{.text = std::string{text}, .uses = 1});
    level_id id = 0;
    if (free_levels_.empty()) {
        id = static_cast<level_id>(levels_.size());
        levels_.push_back(std::move(made));
    } else {
        id = free_levels_.back();
        free_levels_.pop_back();
        levels_[id] = std::move(made);
    }
    by_text_.emplace(levels_[id]->text, id);
    return id;
}

void topic_trie::release(level_id level) {
    if (--levels_[level]->uses != 0) return;
    by_text_.erase(levels_[level]->text);
    levels_[level].reset();
    free_levels_.push_back(level);
}

topic_trie::node_id topic_trie::child(node_id of, level_id level) const {
    const auto it = children_.find(edge(of, level));
    return it == children_.end() ? none : it->second;
}

topic_trie::node_id topic_trie::find(std::string_view pattern) const {
    auto at = root;
    for (level_walk walk{pattern}; !walk.done() && at != none; walk.next()) {
        const auto level = by_text_.find(walk.level());
        at = level == by_text_.end() ? none : child(at, level->second);
    }
    return at;
}

topic_trie::node_id topic_trie::reach(std::string_view pattern) {
    auto at = root;
    for (level_walk walk{pattern}; !walk.done(); walk.next()) {
        const auto level = intern(walk.level());
        if (const auto known = child(at, level); known != none) {
            release(level); // the node holds its level already
            at = known;
            continue;
        }
        node_id fresh = 0;
        if (free_nodes_.empty()) {
            fresh = static_cast<node_id>(nodes_.size());
            nodes_.push_back(nullptr);
        } else {
            fresh = free_nodes_.back();
            free_nodes_.pop_back();
        }
        nodes_[fresh] = std::make_unique<node>();
        nodes_[fresh]->parent = at;
        nodes_[fresh]->level = level;
        ++nodes_[at]->children;
        children_.emplace(edge(at, level), fresh);
        nodes_in_use_.fetch_add(1, std::memory_order_relaxed);
        at = fresh;
    }
    return at;
}

void topic_trie::prune(node_id from) {
    while (from != root && nodes_[from]->unused()) {
        const auto parent = nodes_[from]->parent;
        const auto level = nodes_[from]->level;
        children_.erase(edge(parent, level));
        release(level);
        --nodes_[parent]->children;
        nodes_[from].reset();
        free_nodes_.push_back(from);
        nodes_in_use_.fetch_sub(1, std::memory_order_relaxed);
        from = parent;
    }
}

// --- changes ---

topic_trie::groups::iterator topic_trie::find(groups& among, std::string_view filter) {
    return std::ranges::find(among, filter, [](const auto& g) { return std::string_view{g->what->filter()}; });
}

bool topic_trie::insert(const topic_filter& filter, slot& to, const subscription_options& options) {
    const auto guard = lock_.write();
    auto& at = *nodes_[reach(filter.pattern())];
    if (!filter.is_shared()) {
        const bool replaced = at.plain.put(to, options);
        if (!replaced) {
            subscriptions_.fetch_add(1, std::memory_order_relaxed);
            to.plain_filters.fetch_add(1, std::memory_order_relaxed);
        }
        return replaced;
    }
    auto it = find(at.shared, filter.text());
    if (it == at.shared.end()) {
        at.shared.push_back(std::make_unique<group>());
        it = at.shared.end() - 1;
        (*it)->what = shared_group::of(filter.text());
    }
    const bool replaced = (*it)->who.put(to, options);
    if (!replaced) shared_.fetch_add(1, std::memory_order_relaxed);
    return replaced;
}

bool topic_trie::erase(const topic_filter& filter, slot& to) {
    const auto guard = lock_.write();
    const auto id = find(filter.pattern());
    if (id == none) return false;
    auto& at = *nodes_[id];
    bool removed = false;
    if (!filter.is_shared()) {
        removed = at.plain.remove(to);
        if (removed) {
            subscriptions_.fetch_sub(1, std::memory_order_relaxed);
            to.plain_filters.fetch_sub(1, std::memory_order_relaxed);
        }
    } else {
        const auto it = find(at.shared, filter.text());
        if (it == at.shared.end()) return false;
        removed = (*it)->who.remove(to);
        if (removed) shared_.fetch_sub(1, std::memory_order_relaxed);
        if ((*it)->who.empty()) at.shared.erase(it);
    }
    prune(id);
    return removed;
}

// --- match ---

// Levels are compared byte for byte, without normalisation [MQTT-4.7.3-4]; what is found here is all a topic is delivered
// to [MQTT-3.3.2-3].

void topic_trie::match(shard_index reader, std::string_view topic, match_set& into) {
    const auto guard = lock_.read(reader);
    into.levels.clear();
    for (level_walk walk{topic}; !walk.done(); walk.next()) {
        const auto it = by_text_.find(walk.level());
        into.levels.push_back(it == by_text_.end() ? unknown : it->second);
    }
    // Breadth first: every node is visited once, so the work is bounded by the nodes that lead to the topic.
    into.now.assign(1, root);
    for (std::size_t depth = 0; depth <= into.levels.size(); ++depth) {
        into.next.clear();
        const bool wildcards = depth != 0 || !topic.starts_with('$'); // [MQTT-4.7.2-1]
        for (const auto at : into.now) {
            if (nodes_[at]->children != 0 && wildcards) {
                if (const auto rest = child(at, hash); rest != none) collect(*nodes_[rest], into);
            }
            if (depth == into.levels.size()) {
                collect(*nodes_[at], into);
                continue;
            }
            if (nodes_[at]->children == 0) continue;
            const auto level = into.levels[depth];
            if (level != unknown && level != plus && level != hash) {
                if (const auto exact = child(at, level); exact != none) into.next.push_back(exact);
            }
            if (wildcards) {
                if (const auto any = child(at, plus); any != none) into.next.push_back(any);
            }
        }
        into.now.swap(into.next);
        if (into.now.empty()) break;
    }
}

void topic_trie::collect(const node& n, match_set& into) const {
    if (!n.plain.empty()) {
        into.found.insert(into.found.end(), n.plain.all().begin(), n.plain.all().end());
        ++into.nodes;
    }
    for (const auto& g : n.shared) {
        if (const auto* const chosen = next(*g, nullptr, false)) {
            into.shared.push_back({.to = chosen->to, .options = chosen->options, .of = g->what});
        }
    }
}

// Round robin among equals: who has room, else who is online, else who will get it from the store. Readers of several
// shards may choose the same member at once; the turn is fair, not strict.
const trie_match* topic_trie::next(group& of, const slot* except, bool online_only) {
    const auto& who = of.who.all();
    const auto first = of.turn.load(std::memory_order_relaxed);
    constexpr int nobody = 3;
    int best = nobody;
    std::size_t chosen = 0;
    for (std::size_t i = 0; i != who.size() && best != 0; ++i) {
        const auto at = (first + i) % who.size();
        const auto& candidate = *who[at].to;
        if (&candidate == except) continue;
        const int rank = candidate.room.load(std::memory_order_relaxed)      ? 0
                         : candidate.online.load(std::memory_order_relaxed)  ? 1
                         : candidate.durable.load(std::memory_order_relaxed) ? 2
                                                                             : nobody;
        if (rank >= best || (online_only && rank > 1)) continue;
        best = rank;
        chosen = at;
    }
    if (best == nobody) return nullptr;
    of.turn.store(chosen + 1, std::memory_order_relaxed);
    return &who[chosen];
}

std::optional<share_match> topic_trie::choose(shard_index reader, const shared_group& of, const slot* except, bool online_only) {
    const auto guard = lock_.read(reader);
    // "$share/GROUP/PATTERN": it was parsed when somebody subscribed.
    const std::string_view text{of.filter()};
    const auto id = find(text.substr(text.find('/', share_prefix.size()) + 1));
    if (id == none) return std::nullopt;
    const auto it = find(nodes_[id]->shared, text);
    if (it == nodes_[id]->shared.end()) return std::nullopt;
    const auto* const chosen = next(**it, except, online_only);
    if (chosen == nullptr) return std::nullopt;
    return share_match{.to = chosen->to, .options = chosen->options, .of = (*it)->what};
}

} // namespace broker
