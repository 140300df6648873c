#include "session/queue_table.hpp"

#include <algorithm>
#include <limits>

namespace broker {

namespace {

std::int64_t bounded(std::size_t value) {
    return static_cast<std::int64_t>(std::min<std::size_t>(value, std::numeric_limits<std::int64_t>::max()));
}

std::string fill(std::string_view pattern, std::string_view name) {
    std::string made{pattern};
    if (const auto star = made.find('*'); star != std::string::npos) made.replace(star, 1, name);
    return made;
}

} // namespace

queue_slot* queue_table::find(std::string_view name) const {
    const std::lock_guard lock{mutex_};
    const auto it = by_name_.find(name);
    return it == by_name_.end() ? nullptr : it->second.slot.get();
}

queue_slot& queue_table::restore(std::string_view name, session_id id) {
    const std::lock_guard lock{mutex_};
    auto& known = add(name, id);
    known.restored = true;
    return known;
}

queue_slot& queue_table::add(std::string_view name, session_id id) {
    auto made = std::make_unique<queue_slot>();
    made->id = id;
    made->name = name;
    made->owner = owner_of(name, shards_);
    auto& r = by_name_.insert_or_assign(std::string{name}, row{.slot = std::move(made)}).first->second;
    apply(r);
    return *r.slot;
}

// A queue for dead letters keeps the newest, and gives none up: nobody would keep them.
void queue_table::apply(row& r) const {
    const auto& s = r.how.settings;
    auto& q = *r.slot;
    const bool last_resort = is_dead_letter_name(q.name);
    q.for_dead_letters.store(last_resort, std::memory_order_relaxed);
    q.messages_max.store(bounded(s.messages_max.value_or(bounds_.queue_messages_max)), std::memory_order_relaxed);
    q.bytes_max.store(bounded(s.bytes_max.value_or(bounds_.queue_bytes_max)), std::memory_order_relaxed);
    q.ttl_s.store(s.ttl.value_or(last_resort ? seconds{0} : bounds_.queue_ttl).count(), std::memory_order_relaxed);
    q.policy.store(s.policy.value_or(last_resort ? overflow_policy::drop_oldest : bounds_.queue_policy), std::memory_order_relaxed);
    q.max_deliveries.store(s.max_deliveries.value_or(last_resort ? 0 : bounds_.max_deliveries), std::memory_order_relaxed);
    q.by_priority.store(s.priority.value_or(true), std::memory_order_relaxed);
}

bool queue_table::is_dead_letter_name(std::string_view name) const {
    const std::string_view pattern = bounds_.queue_dead_letter;
    const auto star = pattern.find('*');
    if (star == std::string_view::npos) {
        if (name == pattern) return true;
    } else {
        const auto before = pattern.substr(0, star);
        const auto behind = pattern.substr(star + 1);
        if (name.size() > before.size() + behind.size() && name.starts_with(before) && name.ends_with(behind)) return true;
    }
    return targets_.contains(name);
}

void queue_table::retarget(const queue_settings& from, const queue_settings& to) {
    if (from.dead_letter == to.dead_letter) return;
    if (from.dead_letter && !from.dead_letter->empty()) targets_.erase(targets_.find(*from.dead_letter));
    if (to.dead_letter && !to.dead_letter->empty()) targets_.insert(*to.dead_letter);
    for (const auto& name : {from.dead_letter, to.dead_letter}) {
        if (!name) continue;
        if (const auto it = by_name_.find(*name); it != by_name_.end()) apply(it->second);
    }
}

std::optional<std::string> queue_table::declare(queue_slot& q, const queue_settings& with, origin by) {
    const std::lock_guard lock{mutex_};
    auto& r = by_name_.find(q.name)->second;
    if (by == origin::administrator && r.how.by == origin::file) {
        return "the configuration file declares it; change it there";
    }
    if (with.dead_letter && *with.dead_letter == q.name) return "a queue cannot be its own dead-letter queue";
    if (with.dead_letter && !with.dead_letter->empty() && is_dead_letter_name(q.name)) {
        return "it is a dead-letter queue itself, which has none";
    }
    if (with.policy == overflow_policy::dead_letter && with.dead_letter && with.dead_letter->empty()) {
        return "policy dead-letter needs a dead-letter queue";
    }
    retarget(r.how.settings, with);
    r.how = {.by = by, .settings = with};
    apply(r);
    return std::nullopt;
}

queue_table::declaration queue_table::declared(const queue_slot& q) const {
    const std::lock_guard lock{mutex_};
    const auto it = by_name_.find(q.name);
    return it == by_name_.end() ? declaration{} : it->second.how;
}

std::string queue_table::dead_letter_of(const queue_slot& q, bool expired) const {
    if (q.for_dead_letters.load(std::memory_order_relaxed)) return {};
    const std::lock_guard lock{mutex_};
    const auto it = by_name_.find(q.name);
    if (it != by_name_.end() && it->second.how.settings.dead_letter) return *it->second.how.settings.dead_letter;
    return expired ? std::string{} : fill(bounds_.queue_dead_letter, q.name);
}

void queue_table::add_counts(session_id id, std::int64_t messages, std::int64_t bytes) {
    const std::lock_guard lock{mutex_};
    for (const auto& [name, r] : by_name_) {
        if (r.slot->id == id) return r.slot->count(messages, bytes);
    }
}

void queue_table::for_each(const std::function<void(queue_slot&, const declaration&)>& visit) const {
    const std::lock_guard lock{mutex_};
    for (const auto& [name, r] : by_name_) visit(*r.slot, r.how);
}

std::size_t queue_table::size() const {
    const std::lock_guard lock{mutex_};
    return by_name_.size();
}

bool queue_table::unlist(queue_slot& q) {
    const std::lock_guard lock{mutex_};
    const auto it = by_name_.find(q.name);
    if (it == by_name_.end() || it->second.slot.get() != &q) return false;
    const auto settings = std::move(it->second.how.settings);
    unlisted_.push_back(std::move(it->second.slot));
    by_name_.erase(it);
    retarget(settings, {});
    return true;
}

void queue_table::free(queue_slot& q) {
    const std::lock_guard lock{mutex_};
    std::erase_if(unlisted_, [&](const auto& one) { return one.get() == &q; });
}

} // namespace broker
