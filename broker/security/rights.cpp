#include "security/rights.hpp"

#include "core/topic.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace broker::security {

namespace {

// One deny is enough for the verdict; so many are looked at to name the first one that was written.
constexpr int denies_looked_at_max = 64;

struct shared_filter {
    std::string_view group;
    std::string_view pattern;
};

std::optional<shared_filter> as_shared(std::string_view filter) {
    if (!filter.starts_with(share_prefix)) return std::nullopt;
    const auto rest = filter.substr(share_prefix.size());
    const auto slash = rest.find('/');
    if (slash == std::string_view::npos) return std::nullopt;
    return shared_filter{.group = rest.substr(0, slash), .pattern = rest.substr(slash + 1)};
}

} // namespace

action rights::publishing_to(std::string_view topic) {
    return topic.starts_with(queue_prefix) ? action::queue_write : action::publish;
}

action rights::subscribing_to(std::string_view topic) {
    return topic.starts_with(queue_prefix) ? action::queue_read : action::subscribe;
}

void rights::compiled::add(std::string_view filter, effect what, action_set to, rule_number number) {
    if (const auto shared = as_shared(filter)) {
        groups.push_back({std::string{shared->group}, std::string{shared->pattern}, what, to, number});
    } else {
        trie.add(filter, what, to, number);
    }
}

const rule* rights::at(rule_number number) const {
    if (number == no_rule) return nullptr;
    const auto of_book = book_->rules_.size();
    return number < of_book ? &book_->rules_[number] : &own_rules_[number - of_book];
}

bool rights::open_to(action a) const {
    if (a == action::manage) return false;
    return a == action::connect ? connect_open_ : !restricted_;
}

verdict rights::verdict_on(action a, std::string_view topic) const {
    deciding found;
    shared_->trie.match(a, topic, found);
    if (!own_.trie.empty()) own_.trie.match(a, topic, found);
    if (found.deny != no_rule) return {.allowed = false, .by = at(found.deny)};
    if (found.allow != no_rule) return {.allowed = true, .by = at(found.allow)};
    return {.allowed = open_to(a), .by = nullptr};
}

subscription_verdict rights::verdict_on_subscription(std::string_view filter) const {
    rule_trie of_group;
    auto pattern = filter;
    if (const auto shared = as_shared(filter)) {
        pattern = shared->pattern;
        for (const auto* from : {shared_.get(), &own_}) {
            for (const auto& g : from->groups) {
                if (g.group == "+" || g.group == shared->group) of_group.add(g.pattern, g.what, g.to, g.number);
            }
        }
    }
    const std::array<const rule_trie*, 3> tries{&shared_->trie, &own_.trie, &of_group};
    const auto a = subscribing_to(pattern);
    const auto levels = rule_trie::levels_of(pattern);

    deciding lowest;
    const auto all_overlaps = [&](effect what, const rule_trie::overlap& use) {
        return std::ranges::all_of(tries, [&](const rule_trie* t) { return t->each_overlap(a, what, levels, use); });
    };
    int looked_at = 0;
    all_overlaps(effect::deny, [&](rule_number number, const auto&) {
        lowest.take(effect::deny, number);
        return ++looked_at < denies_looked_at_max;
    });
    if (open_to(a) && lowest.deny == no_rule) return {.what = coverage::all, .by = nullptr};

    // Nothing is left when whatever a rule allows of it is denied.
    const bool nothing = all_overlaps(effect::allow, [&](rule_number number, const rule_trie::levels& both) {
        lowest.take(effect::allow, number);
        return lowest.deny != no_rule && rule_trie::covers(tries, a, effect::deny, both);
    });
    if (nothing) return {.what = coverage::none, .by = at(lowest.deny)};
    if (lowest.deny != no_rule || !rule_trie::covers(tries, a, effect::allow, levels)) return {.what = coverage::part, .by = at(lowest.deny)};
    return {.what = coverage::all, .by = at(lowest.allow)};
}

result<std::shared_ptr<const rule_book>, std::string> rule_book::make(policy from) {
    const std::shared_ptr<rule_book> book{new rule_book};
    for (auto& r : from.roles) {
        if (!book->role_index_.emplace(r.name, book->role_rules_.size()).second) return fail(fmt::format("role '{}' is defined twice", r.name));
        const auto first = static_cast<rule_number>(book->rules_.size());
        std::ranges::move(r.rules, std::back_inserter(book->rules_));
        r.rules.clear();
        book->role_rules_.push_back({.from = first, .to = static_cast<rule_number>(book->rules_.size())});
    }
    const auto unknown = [&](const std::vector<std::string>& names) -> const std::string* {
        const auto found = std::ranges::find_if(names, [&](const auto& n) { return !book->role_index_.contains(n); });
        return found == names.end() ? nullptr : &*found;
    };
    if (const auto* n = unknown(from.everybody)) return fail(fmt::format("everybody has role '{}', which is not defined", *n));
    if (const auto* n = unknown(from.anonymous)) return fail(fmt::format("anonymous clients have role '{}', which is not defined", *n));
    for (const auto& [user, roles] : from.users) {
        if (const auto* n = unknown(roles)) return fail(fmt::format("user '{}' has role '{}', which is not defined", user, *n));
    }
    book->has_connect_rule_ = std::ranges::any_of(book->rules_, [](const rule& r) { return r.to.has(action::connect); });
    book->policy_ = std::move(from);
    return book;
}

rule_book::role_set rule_book::roles_of(const identity& who) const {
    std::set<std::size_t> these;
    const auto add = [&](const std::vector<std::string>& names) {
        for (const auto& n : names) {
            if (const auto found = role_index_.find(n); found != role_index_.end()) these.insert(found->second);
        }
    };
    add(policy_.everybody);
    add(who.roles);
    if (who.user.empty()) {
        add(policy_.anonymous);
    } else if (const auto found = policy_.users.find(who.user); found != policy_.users.end()) {
        add(found->second);
    }
    return {these.begin(), these.end()};
}

std::shared_ptr<const rights::compiled> rule_book::compiled_for(const role_set& these) const {
    const std::lock_guard lock{mutex_};
    if (const auto found = compiled_.find(these); found != compiled_.end()) return found->second;
    const auto made = std::make_shared<rights::compiled>();
    for (const auto r : these) {
        for (auto n = role_rules_[r].from; n < role_rules_[r].to; ++n) {
            if (!has_placeholder(rules_[n].filter)) made->add(rules_[n].filter, rules_[n].what, rules_[n].to, n);
        }
    }
    if (compiled_.size() < compiled_max) compiled_.emplace(these, made);
    return made;
}

result<std::shared_ptr<const rights>, std::string> rule_book::rights_of(const identity& who) const {
    if (who.own.size() > own_rules_max) return fail(fmt::format("it brings {} rules of its own; at most {} are taken", who.own.size(), own_rules_max));
    const auto made = std::make_shared<rights>();
    made->book_ = shared_from_this();
    made->restricted_ = policy_.deny_by_default || !rules_.empty() || !who.own.empty();
    made->connect_open_ = !has_connect_rule_ && std::ranges::none_of(who.own, [](const rule& r) { return r.to.has(action::connect); });
    made->own_rules_ = who.own;

    const auto these = roles_of(who);
    made->shared_ = compiled_for(these);
    const subject of{.user = who.user, .client_id = who.client_id, .claims = who.claims};
    std::size_t left = expanded_rules_max;
    const auto add = [&](const rule& r, rule_number number) -> std::optional<std::string> {
        const auto filters = expand(r.filter, of, r.what == effect::allow, left);
        if (!filters) return filters.error();
        for (const auto& f : *filters) made->own_.add(f, r.what, r.to, number);
        left -= filters->size();
        return std::nullopt;
    };
    for (const auto r : these) {
        for (auto n = role_rules_[r].from; n < role_rules_[r].to; ++n) {
            if (!has_placeholder(rules_[n].filter)) continue;
            if (auto error = add(rules_[n], n)) return fail(std::move(*error));
        }
    }
    for (std::size_t n = 0; n < who.own.size(); ++n) {
        if (auto error = add(who.own[n], static_cast<rule_number>(rules_.size() + n))) return fail(std::move(*error));
    }
    return made;
}

} // namespace broker::security
