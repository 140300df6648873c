#include "routing/topic_trie.hpp"

#include <algorithm>
#include <utility>

namespace broker {

namespace {

constexpr std::size_t index_from = 64; // members; below it a linear search is quicker

constexpr std::uint64_t edge(std::uint32_t node, std::uint32_t level) {
    return static_cast<std::uint64_t>(node) << 32 | level;
}

} // namespace

// --- members ---

std::size_t topic_trie::members::many::find(const slot& to) const {
    if (index) {
        const auto it = index->find(&to);
        return it == index->end() ? list.size() : it->second;
    }
    return static_cast<std::size_t>(std::ranges::find(list, &to, &trie_match::to) - list.begin());
}

bool topic_trie::members::put(slot& to, const subscription_options& options) {
    if (!many_) {
        if (one_.to == nullptr || one_.to == &to) return std::exchange(one_, {.to = &to, .options = options}).to != nullptr;
        many_ = std::make_unique<many>();
        many_->list.push_back(std::exchange(one_, {}));
    }
    auto& list = many_->list;
    auto& index = many_->index;
    if (const auto at = many_->find(to); at != list.size()) {
        list[at].options = options;
        return true;
    }
    list.push_back({.to = &to, .options = options});
    if (index) {
        index->emplace(&to, list.size() - 1);
    } else if (list.size() > index_from) {
        index = std::make_unique<std::unordered_map<const slot*, std::size_t>>();
        for (std::size_t i = 0; i != list.size(); ++i) index->emplace(list[i].to, i);
    }
    return false;
}

bool topic_trie::members::remove(const slot& to) {
    if (!many_) return one_.to == &to && std::exchange(one_, {}).to != nullptr;
    auto& list = many_->list;
    const auto at = many_->find(to);
    if (at == list.size()) return false;
    if (many_->index) {
        many_->index->erase(&to);
        if (at + 1 != list.size()) (*many_->index)[list.back().to] = at;
    }
    list[at] = list.back();
    list.pop_back();
    if (list.empty()) many_.reset();
    return true;
}

// --- structure ---

topic_trie::topic_trie(std::size_t shards) : lock_{shards}, by_text_{0, text_hash{&levels_}, text_equal{&levels_}} {
    (void)nodes_.add({});
    for (const auto* const text : {"+", "#"}) by_text_.insert(levels_.add({.text = text, .uses = 1}));
}

topic_trie::~topic_trie() = default;

topic_trie::level_id topic_trie::intern(std::string_view text) {
    if (const auto it = by_text_.find(text); it != by_text_.end()) {
        ++levels_[*it].uses;
        return *it;
    }
    const auto id = levels_.add({.text = std::string{text}, .uses = 1});
    by_text_.insert(id);
    return id;
}

void topic_trie::release(level_id level) {
    if (--levels_[level].uses != 0) return;
    by_text_.erase(level);
    levels_.erase(level);
}

topic_trie::node_id topic_trie::child(node_id of, level_id level) const {
    const auto it = children_.find(edge(of, level));
    return it == children_.end() ? none : it->second;
}

topic_trie::node_id topic_trie::find(std::string_view pattern) const {
    auto at = root;
    for (level_walk walk{pattern}; !walk.done() && at != none; walk.next()) {
        const auto level = by_text_.find(walk.level());
        at = level == by_text_.end() ? none : child(at, *level);
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
        const auto fresh = nodes_.add({.parent = at, .level = level});
        auto& of = nodes_[at];
        ++of.children;
        if (level == plus) of.has_plus = true;
        if (level == hash) of.has_hash = true;
        children_.emplace(edge(at, level), fresh);
        nodes_in_use_.fetch_add(1, std::memory_order_relaxed);
        at = fresh;
    }
    return at;
}

void topic_trie::prune(node_id from) {
    while (from != root && nodes_[from].unused()) {
        const auto parent = nodes_[from].parent;
        const auto level = nodes_[from].level;
        children_.erase(edge(parent, level));
        release(level);
        auto& of = nodes_[parent];
        --of.children;
        if (level == plus) of.has_plus = false;
        if (level == hash) of.has_hash = false;
        nodes_.erase(from);
        nodes_in_use_.fetch_sub(1, std::memory_order_relaxed);
        from = parent;
    }
}

// --- changes ---

topic_trie::group* topic_trie::find(const node& at, std::string_view filter) {
    if (!at.shared) return nullptr;
    const auto it = std::ranges::find(*at.shared, filter, [](const auto& g) { return std::string_view{g->what->filter()}; });
    return it == at.shared->end() ? nullptr : it->get();
}

bool topic_trie::insert(const topic_filter& filter, slot& to, const subscription_options& options) {
    const auto guard = lock_.write();
    auto& at = nodes_[reach(filter.pattern())];
    if (!filter.is_shared()) {
        const bool replaced = at.plain.put(to, options);
        if (!replaced) {
            subscriptions_.fetch_add(1, std::memory_order_relaxed);
            to.plain_filters.fetch_add(1, std::memory_order_relaxed);
        }
        return replaced;
    }
    auto* members_of = find(at, filter.text());
    if (members_of == nullptr) {
        if (!at.shared) at.shared = std::make_unique<groups>();
        members_of = at.shared->emplace_back(std::make_unique<group>()).get();
        members_of->what = shared_group::of(filter.text());
    }
    const bool replaced = members_of->who.put(to, options);
    if (!replaced) shared_.fetch_add(1, std::memory_order_relaxed);
    return replaced;
}

bool topic_trie::erase(const topic_filter& filter, slot& to) {
    const auto guard = lock_.write();
    const auto id = find(filter.pattern());
    if (id == none) return false;
    auto& at = nodes_[id];
    bool removed = false;
    if (!filter.is_shared()) {
        removed = at.plain.remove(to);
        if (removed) {
            subscriptions_.fetch_sub(1, std::memory_order_relaxed);
            to.plain_filters.fetch_sub(1, std::memory_order_relaxed);
        }
    } else {
        auto* const of = find(at, filter.text());
        if (of == nullptr) return false;
        removed = of->who.remove(to);
        if (removed) shared_.fetch_sub(1, std::memory_order_relaxed);
        if (of->who.empty()) std::erase_if(*at.shared, [&](const auto& g) { return g.get() == of; });
        if (at.shared->empty()) at.shared.reset();
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
        into.levels.push_back(it == by_text_.end() ? unknown : *it);
    }
    // Breadth first: every node is visited once, so the work is bounded by the nodes that lead to the topic.
    into.now.assign(1, root);
    for (std::size_t depth = 0; depth <= into.levels.size(); ++depth) {
        into.next.clear();
        const bool wildcards = depth != 0 || !topic.starts_with('$'); // [MQTT-4.7.2-1]
        for (const auto at : into.now) {
            const auto& n = nodes_[at];
            if (n.has_hash && wildcards) collect(nodes_[child(at, hash)], into);
            if (depth == into.levels.size()) {
                collect(n, into);
                continue;
            }
            if (n.children == 0) continue;
            const auto level = into.levels[depth];
            if (level != unknown && level != plus && level != hash) {
                if (const auto exact = child(at, level); exact != none) into.next.push_back(exact);
            }
            if (n.has_plus && wildcards) into.next.push_back(child(at, plus));
        }
        into.now.swap(into.next);
        if (into.now.empty()) break;
    }
}

void topic_trie::collect(const node& n, match_set& into) const {
    if (const auto plain = n.plain.all(); !plain.empty()) {
        into.found.insert(into.found.end(), plain.begin(), plain.end());
        ++into.nodes;
    }
    if (!n.shared) return;
    for (const auto& g : *n.shared) {
        if (const auto* const chosen = next(*g, nullptr, false)) {
            into.shared.push_back({.to = chosen->to, .options = chosen->options, .of = g->what});
        }
    }
}

// Round robin among equals: who has room, else who is online, else who will get it from the store. Readers of several
// shards may choose the same member at once; the turn is fair, not strict.
const trie_match* topic_trie::next(group& of, const slot* except, bool online_only) {
    const auto who = of.who.all();
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
    auto* const found = find(nodes_[id], text);
    if (found == nullptr) return std::nullopt;
    const auto* const chosen = next(*found, except, online_only);
    if (chosen == nullptr) return std::nullopt;
    return share_match{.to = chosen->to, .options = chosen->options, .of = found->what};
}

} // namespace broker
