// rocks_backend: the store on disk, one RocksDB with one column family per column.
#pragma once

#include "storage/store.hpp"

#include <filesystem>
#include <memory>

namespace broker::storage {

class rocks_backend final : public backend {
public:
    // Creates what is missing. Errors name the directory, the reason and what to do (in use by another brokerd, not
    // writable, written by a newer format).
    [[nodiscard]] static result<std::unique_ptr<rocks_backend>, storage_error> open(const std::filesystem::path& dir);
    ~rocks_backend() override;

    [[nodiscard]] result<void, storage_error> write(std::span<const batch* const> group, bool sync) override;
    [[nodiscard]] result<std::optional<std::string>, storage_error> get(column c, std::string_view key) const override;
    [[nodiscard]] result<void, storage_error> scan(column c, std::string_view prefix, std::string_view from,
                                                   const row_visitor& visit) const override;
    void recover() override;

private:
    struct database;
    explicit rocks_backend(std::unique_ptr<database> db);
    std::unique_ptr<database> db_;
};

} // namespace broker::storage
