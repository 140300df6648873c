// Every key once: name, where it goes, what it means. The loader, --print-config and the check of conf/brokerd.toml
// follow from it.
#pragma once

#include "config/options.hpp"

#include <chrono>
#include <string_view>
#include <variant>
#include <vector>

namespace broker::config {

// Sizes are written "64KiB", durations "10s", lists ["a", "b"] (in the environment a,b), everything else as TOML's own types.
struct size_value { std::size_t* to; };
struct count_value { std::size_t* to; };
struct rate_value { rate* to; bool of_bytes = false; }; // "100/s", "1MiB/s", "30/m"; "0/s": no bound
struct choice_value { std::string* to; std::string_view choices; }; // "a|b|c"

using target = std::variant<bool*, std::uint16_t*, std::uint32_t*, count_value, size_value, rate_value, seconds*, milliseconds*, std::string*,
                            choice_value, storage::durability*, overflow_policy*, std::vector<std::string>*>;

struct option {
    std::string_view key{};
    target to{};
    std::string_view doc{};
};

// Bound to `o`: reading and writing an option is reading and writing its member.
[[nodiscard]] std::vector<option> option_table(options& o);

// As it is written in a file.
[[nodiscard]] std::string value_text(const option& o);

} // namespace broker::config
