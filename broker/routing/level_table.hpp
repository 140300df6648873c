// level_table: the levels of all filters, each text once. Comparing levels is then comparing numbers.
// The hash is keyed: levels come from clients, who must not be able to choose ones that collide.
#pragma once

#include "routing/probe_table.hpp"

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace broker {

using level_id = std::uint32_t;
inline constexpr level_id no_level = 0xFFFF'FFFF;

class level_table {
public:
    struct key {
        std::uint64_t first = 0;
        std::uint64_t second = 0;
    };
    explicit level_table(key secret) : secret_{secret} {}

    // no_level if no filter has this level.
    [[nodiscard]] level_id find(std::string_view text) const;

    // Each acquire() is one use; the text is forgotten, and its id given to another, with the release of the last.
    [[nodiscard]] level_id acquire(std::string_view text);
    void release(level_id id);

    [[nodiscard]] std::size_t size() const { return index_.size(); }

private:
    struct level {
        std::string text{};
        std::uint32_t uses = 0;
        std::uint32_t hash = 0;
    };
    struct slot_of {
        std::uint32_t hash = 0;
        level_id id = no_level;
        [[nodiscard]] bool is_free() const { return id == no_level; }
    };
    [[nodiscard]] std::uint32_t hash(std::string_view text) const;
    [[nodiscard]] const slot_of* lookup(std::string_view text, std::uint32_t hash) const;

    key secret_;
    std::deque<level> levels_; // by id; a deque, because growing must not move a million strings under the write lock
    std::vector<level_id> unused_;
    probe_table<slot_of> index_;
};

} // namespace broker
