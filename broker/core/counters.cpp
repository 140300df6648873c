#include "core/counters.hpp"

#include <type_traits>

namespace broker {

void counters::add(const counters& other) {
    // All members are the same integer type: the struct is an array of counts.
    static_assert(std::is_trivially_copyable_v<counters> && sizeof(counters) % sizeof(count) == 0);
    auto* to = reinterpret_cast<count*>(this);
    const auto* from = reinterpret_cast<const count*>(&other);
    for (std::size_t i = 0; i != sizeof(counters) / sizeof(count); ++i) to[i] += from[i];
}

} // namespace broker
