// shared_group: one shared group, by the filter its members subscribed with: "$share/GROUP/FILTER". The trie, and every entry
// that a member got through the group, hold it: when the member goes, the entry says whose turn it may be next.
#pragma once

#include "core/ref.hpp"

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace broker {

class shared_group;
using group_ptr = ref<const shared_group>;

class shared_group {
public:
    [[nodiscard]] static group_ptr of(std::string_view filter) { return group_ptr{new shared_group{filter}}; }
    [[nodiscard]] const std::string& filter() const { return filter_; }

    void add_reference() const { references_.fetch_add(1, std::memory_order_relaxed); }
    void drop_reference() const {
        if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
    }

private:
    explicit shared_group(std::string_view filter) : filter_{filter} {}
    ~shared_group() = default;

    mutable std::atomic<std::uint32_t> references_{1};
    std::string filter_;
};

} // namespace broker
