#include "sim/disk.hpp"

#include <algorithm>
#include <ranges>

namespace broker::sim {

using storage::batch;
using storage::column;
using storage::storage_error;

result<void, storage_error> disk::write(std::span<const batch* const> group, bool sync) {
    if (failures_ != 0) {
        --failures_;
        doubtful_.clear();
        for (const auto* const b : group) doubtful_.push_back(*b);
        return fail(storage_error{"the simulated disk refuses"});
    }
    doubtful_.clear();
    unsynced_.push_back(apply(group));
    if (sync && !ignores_syncs_) unsynced_.clear();
    return {};
}

disk::undo disk::apply(std::span<const batch* const> group) {
    undo u;
    for (const auto* const b : group) {
        b->for_each([&](const batch::operation& o) {
            switch (o.what) {
            case batch::operation::kind::put: put(u, o.in, o.key, std::string{o.value}); break;
            case batch::operation::kind::erase: put(u, o.in, o.key, std::nullopt); break;
            case batch::operation::kind::erase_prefix: {
                auto& rows = rows_[static_cast<std::size_t>(o.in)];
                for (auto it = rows.lower_bound(o.key); it != rows.end() && it->first.starts_with(o.key);) {
                    u.push_back({.in = o.in, .key = it->first, .value = std::move(it->second)});
                    it = rows.erase(it);
                }
                break;
            }
            }
        });
    }
    return u;
}

void disk::put(undo& u, column in, std::string_view key, std::optional<std::string> value) {
    auto& rows = rows_[static_cast<std::size_t>(in)];
    const auto it = rows.find(key);
    const bool known = it != rows.end();
    u.push_back({.in = in, .key = std::string{key}, .value = known ? std::optional{it->second} : std::nullopt});
    if (value) {
        rows.insert_or_assign(std::string{key}, std::move(*value));
    } else if (known) {
        rows.erase(it);
    }
}

void disk::killed(dice& roll) {
    failures_ = 0;
    if (!doubtful_.empty() && roll.chance(50)) {
        std::vector<const batch*> group;
        for (const auto& b : doubtful_) group.push_back(&b);
        unsynced_.push_back(apply(group));
    }
    doubtful_.clear();
}

std::size_t disk::lost_power(dice& roll) {
    killed(roll);
    const auto lost = roll.between(0, unsynced_.size());
    for (std::size_t i = 0; i != lost; ++i) {
        for (auto& b : std::views::reverse(unsynced_.back())) {
            auto& rows = rows_[static_cast<std::size_t>(b.in)];
            if (b.value) {
                rows.insert_or_assign(std::move(b.key), std::move(*b.value));
            } else {
                rows.erase(b.key);
            }
        }
        unsynced_.pop_back();
    }
    unsynced_.clear();
    return lost;
}

result<std::optional<std::string>, storage_error> disk::get(column c, std::string_view key) const {
    const auto& rows = rows_[static_cast<std::size_t>(c)];
    const auto it = rows.find(key);
    if (it == rows.end()) return std::nullopt;
    return it->second;
}

result<void, storage_error> disk::scan(column c, std::string_view prefix, std::string_view from,
                                       const row_visitor& visit) const {
    const auto& rows = rows_[static_cast<std::size_t>(c)];
    if (c == column::entries && !from.empty()) ++backlog_reads_; // recovery and sweeps begin at the front
    for (auto it = rows.lower_bound(std::max(prefix, from)); it != rows.end() && it->first.starts_with(prefix); ++it) {
        if (!visit(it->first, it->second)) break;
    }
    return {};
}

} // namespace broker::sim
