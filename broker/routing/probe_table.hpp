// probe_table: a flat hash table with linear probing, the base of the trie's lookups. It holds small plain slots; what a
// key is, is the caller's business.
//
// Invariants
// 1. The capacity is a power of two and at least one slot is free, so every probe ends.
// 2. Between a slot's home (its hash) and its place no slot is free. Erasing keeps this by moving later slots back, so
//    there are no tombstones and a table that has seen much change is as quick as a new one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace broker {

// Slot: default constructed it is free; has `std::uint32_t hash` and `bool is_free() const`.
template <class Slot>
class probe_table {
public:
    // The slot with this hash for which same(slot) holds, or null. Valid until the next change.
    template <class Same>
    [[nodiscard]] const Slot* find(std::uint32_t hash, Same same) const {
        for (std::size_t at = hash & mask();; at = (at + 1) & mask()) {
            const Slot& s = slots_[at];
            if (s.is_free()) return nullptr;
            if (s.hash == hash && same(s)) return &s;
        }
    }

    // The key must not be in the table yet.
    void insert(const Slot& added) {
        if ((used_ + 1) * 4 > slots_.size() * 3) rehash(slots_.size() * 2);
        place(added);
        ++used_;
    }

    // `found`: what find() has returned since the last change.
    void erase(const Slot* found) {
        auto hole = static_cast<std::size_t>(found - slots_.data());
        for (std::size_t at = (hole + 1) & mask(); !slots_[at].is_free(); at = (at + 1) & mask()) {
            const std::size_t from_home = (at - slots_[at].hash) & mask();
            if (from_home < ((at - hole) & mask())) continue; // would end up before its home
            slots_[hole] = slots_[at];
            hole = at;
        }
        slots_[hole] = Slot{};
        --used_;
        if (slots_.size() > smallest && used_ * 8 < slots_.size()) rehash(slots_.size() / 2);
    }

    [[nodiscard]] std::size_t size() const { return used_; }

private:
    static constexpr std::size_t smallest = 16;

    [[nodiscard]] std::size_t mask() const { return slots_.size() - 1; }
    void place(const Slot& added) {
        std::size_t at = added.hash & mask();
        while (!slots_[at].is_free()) at = (at + 1) & mask();
        slots_[at] = added;
    }
    void rehash(std::size_t capacity) {
        const auto old = std::exchange(slots_, std::vector<Slot>(capacity));
        for (const auto& s : old) {
            if (!s.is_free()) place(s);
        }
    }

    std::vector<Slot> slots_ = std::vector<Slot>(smallest);
    std::size_t used_ = 0;
};

} // namespace broker
