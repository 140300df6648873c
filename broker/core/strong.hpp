// A distinct integer type per kind of id: explicit in, value() out, ordered, hashable.
#pragma once

#include <compare>
#include <cstddef>
#include <functional>

namespace broker {

template <class Rep, class Tag>
class strong {
public:
    using rep = Rep;

    constexpr strong() = default;
    constexpr explicit strong(Rep v) : value_{v} {}
    [[nodiscard]] constexpr Rep value() const { return value_; }
    friend constexpr auto operator<=>(strong, strong) = default;

private:
    Rep value_{};
};

} // namespace broker

template <class Rep, class Tag>
struct std::hash<broker::strong<Rep, Tag>> {
    std::size_t operator()(broker::strong<Rep, Tag> id) const noexcept { return std::hash<Rep>{}(id.value()); }
};
