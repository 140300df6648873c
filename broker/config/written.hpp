// written: one value as a file, the environment or the command line wrote it, and its way into an option. Errors are config_error.
#pragma once

#include "config/option_table.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace broker::config {

struct written {
    std::optional<bool> truth{};
    std::optional<std::int64_t> integer{};
    std::optional<std::string> text{};
    std::optional<std::vector<std::string>> list{};
};

// `where`: file:line:column, or the variable's name.
[[noreturn]] void fail_at(const std::string& where, std::string_view key, std::string_view why);
void assign(const std::string& where, std::string_view key, const written& value, const target& to);
[[nodiscard]] std::pair<std::string, std::uint16_t> parse_bind(const std::string& where, std::string_view key, std::string_view text);
[[nodiscard]] std::string nearest(const std::vector<option>& table, std::string_view key);

// By their enumerators.
inline constexpr std::array<std::string_view, 3> tls_verifications{"none", "optional", "required"};
inline constexpr std::array<std::string_view, 2> tls_identities{"cn", "san"};

} // namespace broker::config
