// window: what was handed over and is not answered yet, in order of handing over, found by handle.
//
// Invariants
// 1. Handles are unique and never 0: that is the mark of a gap, an entry answered before those in front of it.
// 2. The first cell is no gap, and gaps are at most gaps_max more than what waits.
// 3. Without index_ the handles follow each other (…, 65535, 1, …), so where one is, is a subtraction: the common case
//    costs nothing. Something else came, a client that goes on after a restart or leaves one message unanswered for long:
//    index_ knows where every waiting handle is, until nothing waits any more.
//
// What is done with an entry takes a constant number of steps, seen over many of them. Nothing is allocated while it is empty.
#pragma once

#include "core/ring.hpp"

#include <boost/unordered/unordered_flat_map.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace broker {

// The most a receiver may have unanswered. Not all 65,535 handles: with one of 16 free, counting up finds it soon.
inline constexpr std::uint16_t window_max = 61'440;

[[nodiscard]] constexpr std::uint16_t handle_after(std::uint16_t handle) {
    return handle == 0xFFFF ? std::uint16_t{1} : static_cast<std::uint16_t>(handle + 1);
}

template <class Entry> // has a `handle`
class window {
public:
    // Where an entry is, counted from the first there ever was. When gaps are closed, entries move to higher places.
    using place = std::uint64_t;

    [[nodiscard]] bool empty() const { return waiting_ == 0; }
    [[nodiscard]] std::size_t size() const { return waiting_; }

    // Its handle is not in the window.
    Entry& push_back(Entry e) {
        if (cells_.size() > 2 * waiting_ + gaps_max) erase_if([](const Entry&) { return false; });
        const std::uint16_t handle = e.handle;
        if (!index_ && !cells_.empty() && handle != handle_after(last_)) make_index();
        if (index_) index_->emplace(handle, end());
        last_ = handle;
        cells_.push_back(std::move(e));
        ++waiting_;
        return cells_.back();
    }

    [[nodiscard]] const Entry* find(std::uint16_t handle) const {
        const auto at = index_ ? indexed(handle) : counted(handle);
        return at < cells_.size() && cells_[at].handle == handle && handle != 0 ? &cells_[at] : nullptr;
    }
    [[nodiscard]] Entry* find(std::uint16_t handle) { return const_cast<Entry*>(std::as_const(*this).find(handle)); }

    [[nodiscard]] Entry& front() { return cells_.front(); } // not empty

    // Out of the window; other entries stay where they are.
    Entry take(Entry& which) {
        if (index_) index_->erase(which.handle);
        auto taken = std::move(which);
        which = Entry{};
        --waiting_;
        if (waiting_ == 0) clear();
        while (!cells_.empty() && is_gap(cells_.front())) {
            cells_.pop_front();
            ++first_;
        }
        return taken;
    }

    // Without gaps afterwards.
    template <class Unwanted>
    void erase_if(Unwanted unwanted) {
        const auto before = cells_.size();
        const auto kept = std::remove_if(cells_.begin(), cells_.end(), [&](Entry& e) { return is_gap(e) || unwanted(e); });
        cells_.erase(kept, cells_.end());
        if (cells_.size() == before) return;
        first_ += before - cells_.size();
        waiting_ = cells_.size();
        if (cells_.empty()) {
            index_.reset();
        } else {
            make_index();
        }
    }

    [[nodiscard]] place begin() const { return first_; }
    [[nodiscard]] place end() const { return first_ + cells_.size(); }
    [[nodiscard]] Entry* at(place p) { // begin() <= p < end(); null: a gap
        auto& e = cells_[static_cast<std::size_t>(p - first_)];
        return is_gap(e) ? nullptr : &e;
    }
    template <class Visit>
    void for_each(Visit visit) {
        for (auto& e : cells_) {
            if (!is_gap(e)) visit(e);
        }
    }
    template <class Visit>
    void for_each(Visit visit) const {
        for (const auto& e : cells_) {
            if (!is_gap(e)) visit(e);
        }
    }

private:
    static constexpr std::size_t gaps_max = 16;
    static constexpr std::size_t nowhere = ~std::size_t{0};
    using index = boost::unordered_flat_map<std::uint16_t, place>;

    [[nodiscard]] static bool is_gap(const Entry& e) { return e.handle == 0; }

    [[nodiscard]] std::size_t counted(std::uint16_t handle) const {
        if (cells_.empty()) return nowhere;
        const std::uint16_t first = cells_.front().handle;
        return handle >= first ? std::size_t{handle} - first : std::size_t{handle} + 0xFFFF - first;
    }
    [[nodiscard]] std::size_t indexed(std::uint16_t handle) const {
        const auto it = index_->find(handle);
        return it == index_->end() ? nowhere : static_cast<std::size_t>(it->second - first_);
    }
    void make_index() {
        index_ = std::make_unique<index>();
        for (auto p = begin(); p != end(); ++p) {
            if (const auto* const e = at(p)) index_->emplace(e->handle, p);
        }
    }
    void clear() {
        first_ = end();
        cells_.clear();
        index_.reset();
    }

    ring<Entry> cells_;
    std::size_t waiting_ = 0;
    place first_ = 0; // of cells_
    std::unique_ptr<index> index_;
    std::uint16_t last_ = 0; // pushed
};

} // namespace broker
