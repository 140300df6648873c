// memory_backend: the store in memory. The product's `durability = "none"`, and the tests' disk: writes can be made to
// fail, and what is there survives the objects that use it.
#pragma once

#include "storage/store.hpp"

#include <array>
#include <map>
#include <shared_mutex>

namespace broker::storage {

class memory_backend final : public backend {
public:
    [[nodiscard]] result<void, storage_error> write(std::span<const batch* const> group, bool sync) override;
    [[nodiscard]] result<std::optional<std::string>, storage_error> get(column c, std::string_view key) const override;
    [[nodiscard]] result<void, storage_error> scan(column c, std::string_view prefix, std::string_view from,
                                                   const row_visitor& visit) const override;

    [[nodiscard]] std::optional<room> room_left() const override { return room_; }

    void fail_next_writes(std::size_t n, storage_error::kind why = storage_error::kind::other) {
        failures_ = n;
        why_ = why;
    }
    void set_room(std::optional<room> left) { room_ = left; } // tests: of the disk it stands for
    [[nodiscard]] std::size_t rows(column c) const;
    void corrupt(column c, std::string_view key, std::string value); // tests: what a damaged disk holds

private:
    using rows_of_column = std::map<std::string, std::string, std::less<>>;
    mutable std::shared_mutex mutex_;
    std::array<rows_of_column, columns> rows_;
    std::size_t failures_ = 0;
    storage_error::kind why_ = storage_error::kind::other;
    std::optional<room> room_{};
};

} // namespace broker::storage
