// A directory of its own for a test, gone afterwards; whole files; one batch written; every row of a store as text.
#pragma once

#include "storage/rocks_store.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <string_view>

namespace broker::test {

// A try takes so many times as long: of many that are alike, one in so many is made.
#ifdef BROKER_SANITIZED
inline constexpr int slowness = 11;
#else
inline constexpr int slowness = 1;
#endif

struct scratch {
    std::filesystem::path dir;
    scratch() {
        char name[] = "/tmp/brokerd-test-XXXXXX";
        dir = ::mkdtemp(name);
    }
    ~scratch() { std::filesystem::remove_all(dir); }
    scratch(const scratch&) = delete;
    scratch& operator=(const scratch&) = delete;
};

[[nodiscard]] inline std::string slurp(const std::filesystem::path& file) {
    std::ifstream in{file, std::ios::binary};
    return {std::istreambuf_iterator<char>{in}, {}};
}

inline void spill(const std::filesystem::path& file, std::string_view bytes) {
    std::ofstream{file, std::ios::binary | std::ios::trunc} << bytes;
}

[[nodiscard]] inline result<void, storage::storage_error> write(storage::backend& to, const storage::batch& b) {
    const auto* const group = &b;
    return to.write({&group, 1}, true);
}

// Nothing when some row cannot be read; `why` then says so.
[[nodiscard]] inline std::map<std::string, std::string> everything(const storage::backend& from, std::string* why = nullptr) {
    std::map<std::string, std::string> all;
    for (std::size_t i = 0; i != storage::columns; ++i) {
        const auto c = static_cast<storage::column>(i);
        const auto done = from.scan(c, "", "", [&](std::string_view key, std::string_view value) {
            all[std::string{name(c)} + "/" + std::string{key}] = value;
            return true;
        });
        if (!done && why != nullptr) *why = done.error().what;
    }
    return all;
}

} // namespace broker::test
