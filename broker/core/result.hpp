// result<T, E>: a value or the reason there is none. Use `if (!r)`, `*r`, `r->`, `r.error()`; never `.value()`.
#pragma once

#include <expected>
#include <utility>

namespace broker {

template <class T, class E>
using result = std::expected<T, E>;

template <class E>
[[nodiscard]] constexpr auto fail(E&& e) {
    return std::unexpected<std::decay_t<E>>(std::forward<E>(e));
}

} // namespace broker
