// Assertions guard against our own mistakes and stay on in release builds. Input from outside is never asserted.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace broker::detail {

[[noreturn]] inline void assertion_failed(const char* expression, const char* file, int line) {
    std::fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, expression);
    std::abort();
}

} // namespace broker::detail

#define BROKER_ASSERT(expression) \
    ((expression) ? void() : ::broker::detail::assertion_failed(#expression, __FILE__, __LINE__))

#ifdef NDEBUG
#define BROKER_DEBUG_ASSERT(expression) void()
#else
#define BROKER_DEBUG_ASSERT(expression) BROKER_ASSERT(expression)
#endif
