#include "storage/memory_store.hpp"

#include <mutex>

namespace broker::storage {

result<void, storage_error> memory_backend::write(std::span<const batch* const> group, bool) {
    const std::unique_lock lock{mutex_};
    if (failures_ != 0) {
        --failures_;
        return fail(storage_error{"write refused by the test", why_});
    }
    for (const auto* const b : group) {
        b->for_each([this](const batch::operation& o) {
            auto& rows = rows_[static_cast<std::size_t>(o.in)];
            switch (o.what) {
            case batch::operation::kind::put: rows.insert_or_assign(std::string{o.key}, std::string{o.value}); break;
            case batch::operation::kind::erase:
                if (const auto it = rows.find(o.key); it != rows.end()) rows.erase(it);
                break;
            case batch::operation::kind::erase_prefix:
                for (auto it = rows.lower_bound(o.key); it != rows.end() && it->first.starts_with(o.key);) {
                    it = rows.erase(it);
                }
                break;
            }
        });
    }
    return {};
}

result<std::optional<std::string>, storage_error> memory_backend::get(column c, std::string_view key) const {
    const std::shared_lock lock{mutex_};
    const auto& rows = rows_[static_cast<std::size_t>(c)];
    const auto it = rows.find(key);
    if (it == rows.end()) return std::nullopt;
    return it->second;
}

result<void, storage_error> memory_backend::scan(column c, std::string_view prefix, std::string_view from,
                                                 const row_visitor& visit) const {
    const std::shared_lock lock{mutex_};
    const auto& rows = rows_[static_cast<std::size_t>(c)];
    for (auto it = rows.lower_bound(std::max(prefix, from)); it != rows.end() && it->first.starts_with(prefix); ++it) {
        if (!visit(it->first, it->second)) break;
    }
    return {};
}

std::size_t memory_backend::rows(column c) const {
    const std::shared_lock lock{mutex_};
    return rows_[static_cast<std::size_t>(c)].size();
}

void memory_backend::corrupt(column c, std::string_view key, std::string value) {
    const std::unique_lock lock{mutex_};
    rows_[static_cast<std::size_t>(c)].insert_or_assign(std::string{key}, std::move(value));
}

} // namespace broker::storage
