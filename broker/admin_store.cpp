// admin_node: the store.
#include "admin_node.hpp"

#include "storage/maintenance.hpp"

#include <fmt/format.h>

#include <filesystem>

namespace broker {

using admin::admin_error;

namespace {

constexpr auto refused = admin_error::kind::refused;

auto not_on_disk() { return fail(admin_error{refused, "durability is none: nothing is on disk"}); }

} // namespace

result<admin::store_status, admin_error> admin_node::show_store() {
    if (facts_.disk == nullptr) return not_on_disk();
    admin::store_status s{.data_dir = facts_.data_dir, .durability = facts_.durability, .trouble = store_.trouble().what};
    if (const auto room = facts_.disk->room_left()) {
        s.disk_free = room->free;
        s.disk_total = room->total;
    }
    const auto found = facts_.disk->look();
    if (!found) {
        s.trouble = found.error().what;
        return s;
    }
    s.format = found->format;
    s.data_files = found->data_files;
    s.data_bytes = found->data_bytes;
    s.log_bytes = found->log_bytes;
    s.memory_bytes = found->memory_bytes;
    s.to_compact = found->to_compact;
    for (std::size_t i = 0; i != storage::columns; ++i) {
        const auto& c = found->by_column[i];
        s.columns.push_back({.column = std::string{storage::name(static_cast<storage::column>(i))}, .rows = c.rows, .bytes = c.bytes});
    }
    return s;
}

result<admin::store_backup, admin_error> admin_node::back_up_store(const std::string& to) {
    if (facts_.disk == nullptr) return not_on_disk();
    const auto made = facts_.disk->back_up(to);
    if (!made) return fail(admin_error{refused, made.error().what});
    return admin::store_backup{.files = made->files, .bytes = made->bytes};
}

// What is in use cannot be judged: a copy of it is, beside it, where data files are the same files.
result<admin::store_check, admin_error> admin_node::verify_store() {
    if (facts_.disk == nullptr) return not_on_disk();
    const std::unique_lock alone{verifying_, std::try_to_lock};
    if (!alone) return fail(admin_error{refused, "it is being verified already"});
    const auto copy = storage::verified_copy(facts_.data_dir);
    storage::remove_verified_copy(facts_.data_dir);
    if (const auto made = facts_.disk->back_up(copy); !made) return fail(admin_error{refused, made.error().what});
    auto found = storage::verify_store(copy, [this] { return ready_.load(); });
    storage::remove_verified_copy(facts_.data_dir);
    if (!found) return fail(admin_error{refused, found.error().what});
    admin::store_check check{.wrong = std::move(found->wrong), .notes = std::move(found->notes), .files = found->files, .bytes = found->bytes};
    for (std::size_t i = 0; i != storage::columns; ++i) {
        check.rows.push_back({.column = std::string{storage::name(static_cast<storage::column>(i))}, .rows = found->rows[i]});
    }
    return check;
}

} // namespace broker
