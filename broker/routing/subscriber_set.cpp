#include "routing/subscriber_set.hpp"

#include <algorithm>

namespace broker {

bool subscriber_set::insert(slot& to, const subscription_options& options) {
    const auto at = position(to);
    if (at != members_.size()) {
        members_[at].options = options;
        return true;
    }
    members_.push_back({.to = &to, .options = options});
    if (index_) {
        index_->emplace(&to, static_cast<std::uint32_t>(at));
    } else if (members_.size() > indexed_from) {
        build_index();
    }
    return false;
}

bool subscriber_set::erase(const slot& to) {
    const auto at = position(to);
    if (at == members_.size()) return false;
    if (index_) {
        index_->erase(&to);
        if (at + 1 != members_.size()) (*index_)[members_.back().to] = static_cast<std::uint32_t>(at);
    }
    members_[at] = members_.back();
    members_.pop_back();
    if (members_.size() < indexed_until) index_.reset();
    if (members_.size() * 4 < members_.capacity()) members_.shrink_to_fit();
    return true;
}

std::size_t subscriber_set::position(const slot& to) const {
    if (index_) {
        const auto found = index_->find(&to);
        return found == index_->end() ? members_.size() : found->second;
    }
    const auto found = std::ranges::find(members_, &to, &trie_match::to);
    return static_cast<std::size_t>(found - members_.begin());
}

void subscriber_set::build_index() {
    index_ = std::make_unique<positions>();
    for (std::uint32_t at = 0; at != members_.size(); ++at) index_->emplace(members_[at].to, at);
}

} // namespace broker
