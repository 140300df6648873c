// disk: a store that can lose power. Groups are atomic; what was written without a sync is there for whoever reads, and
// after a kill, but a power cut takes any number of the newest of such groups away. Writes can be made to fail; whether a
// failed group reached the disk is seen only after a crash.
#pragma once

#include "storage/store.hpp"

#include "sim/dice.hpp"

#include <array>
#include <map>
#include <utility>

namespace broker::sim {

class disk final : public storage::backend {
public:
    [[nodiscard]] result<void, storage::storage_error> write(std::span<const storage::batch* const> group,
                                                             bool sync) override;
    [[nodiscard]] result<std::optional<std::string>, storage::storage_error> get(storage::column c,
                                                                                 std::string_view key) const override;
    [[nodiscard]] result<void, storage::storage_error> scan(storage::column c, std::string_view prefix,
                                                            std::string_view from,
                                                            const row_visitor& visit) const override;

    void fail_writes(std::size_t n) { failures_ = n; }
    [[nodiscard]] bool fails() const { return failures_ != 0; }
    void ignore_syncs() { ignores_syncs_ = true; }

    // The process is gone: a group whose write failed turns out to be there, or not.
    void killed(dice& roll);
    // So is the machine. How many groups that had been written are gone.
    std::size_t lost_power(dice& roll);
    [[nodiscard]] bool in_doubt() const { return !doubtful_.empty(); }
    // How often since the last call somebody has read what one session or queue is owed.
    [[nodiscard]] std::size_t take_backlog_reads() { return std::exchange(backlog_reads_, 0); }

    [[nodiscard]] std::size_t rows(storage::column c) const { return rows_[static_cast<std::size_t>(c)].size(); }

private:
    struct before {
        storage::column in{};
        std::string key{};
        std::optional<std::string> value{};
    };
    using undo = std::vector<before>; // of one group, in the order it was applied
    undo apply(std::span<const storage::batch* const> group);
    void put(undo& u, storage::column in, std::string_view key, std::optional<std::string> value);

    using rows_of_column = std::map<std::string, std::string, std::less<>>;
    std::array<rows_of_column, storage::columns> rows_;
    std::vector<undo> unsynced_; // oldest first
    std::vector<storage::batch> doubtful_;
    std::size_t failures_ = 0;
    bool ignores_syncs_ = false;
    mutable std::size_t backlog_reads_ = 0;
};

} // namespace broker::sim
