#include "config/written.hpp"

#include "config/load.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <numeric>

namespace broker::config {

void fail_at(const std::string& where, std::string_view key, std::string_view why) {
    throw config_error{fmt::format("{}: {}: {}", where, key, why)};
}

namespace {

std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), 0);
    for (std::size_t i = 0; i != a.size(); ++i) {
        auto diagonal = row[0];
        row[0] = i + 1;
        for (std::size_t j = 0; j != b.size(); ++j) {
            const auto next = std::min({row[j] + 1, row[j + 1] + 1, diagonal + (a[i] == b[j] ? 0 : 1)});
            diagonal = row[j + 1];
            row[j + 1] = next;
        }
    }
    return row.back();
}

// "10s" → 10 and "s".
std::optional<std::pair<std::uint64_t, std::string_view>> number_and_unit(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (ec != std::errc{}) return std::nullopt;
    auto unit = text.substr(static_cast<std::size_t>(end - text.data()));
    while (unit.starts_with(' ')) unit.remove_prefix(1);
    return std::pair{value, unit};
}

std::uint64_t parse_size(const std::string& where, std::string_view key, std::string_view text) {
    const auto parsed = number_and_unit(text);
    constexpr std::array<std::pair<std::string_view, std::uint64_t>, 4> units{
        {{"B", 1}, {"KiB", 1024}, {"MiB", 1024 * 1024}, {"GiB", 1024 * 1024 * 1024}}};
    for (const auto& [unit, factor] : units) {
        if (parsed && parsed->second == unit && parsed->first <= (std::uint64_t{1} << 40) / factor) return parsed->first * factor;
    }
    fail_at(where, key, fmt::format("\"{}\" is not a size; write a number with B, KiB, MiB or GiB, as in \"64KiB\"", text));
}

rate parse_rate(const std::string& where, std::string_view key, std::string_view text, bool of_bytes) {
    const auto slash = text.rfind('/');
    const auto amount = text.substr(0, slash);
    const auto unit = slash == std::string_view::npos ? std::string_view{} : text.substr(slash + 1);
    constexpr std::array<std::pair<std::string_view, std::int64_t>, 3> units{{{"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}}};
    const auto per = std::ranges::find(units, unit, &std::pair<std::string_view, std::int64_t>::first);
    const auto count = number_and_unit(amount);
    if (per == units.end() || !count || (!of_bytes && !count->second.empty())) {
        fail_at(where, key, fmt::format("\"{}\" is not a rate; write {} with /s, /m or /h, as in \"{}\"", text, of_bytes ? "a size" : "a number", of_bytes ? "1MiB/s" : "100/s"));
    }
    return {.amount = of_bytes && count->first != 0 ? parse_size(where, key, amount) : count->first, .per = milliseconds{per->second}};
}

milliseconds parse_duration(const std::string& where, std::string_view key, std::string_view text) {
    const auto parsed = number_and_unit(text);
    constexpr std::array<std::pair<std::string_view, std::int64_t>, 5> units{
        {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}}};
    for (const auto& [unit, factor] : units) {
        if (parsed && parsed->second == unit && parsed->first < 1'000'000'000) {
            return milliseconds{static_cast<std::int64_t>(parsed->first) * factor};
        }
    }
    fail_at(where, key, fmt::format("\"{}\" is not a duration; write a number with ms, s, m, h or d, as in \"10s\"", text));
}

struct assigner {
    const std::string& where;
    std::string_view key;
    const written& value;

    std::int64_t integer(std::int64_t most) const {
        if (!value.integer) fail_at(where, key, "must be an integer");
        if (*value.integer < 0 || *value.integer > most) fail_at(where, key, fmt::format("must be 0 to {}", most));
        return *value.integer;
    }
    const std::string& text(std::string_view example) const {
        if (!value.text) fail_at(where, key, fmt::format("must be a string, as in {}", example));
        return *value.text;
    }
    void operator()(bool* to) const {
        if (!value.truth) fail_at(where, key, "must be true or false");
        *to = *value.truth;
    }
    void operator()(std::uint16_t* to) const { *to = static_cast<std::uint16_t>(integer(65'535)); }
    void operator()(std::uint32_t* to) const { *to = static_cast<std::uint32_t>(integer(1'000'000)); }
    void operator()(const count_value& to) const { *to.to = static_cast<std::size_t>(integer(1'000'000'000'000)); }
    void operator()(const size_value& to) const { *to.to = parse_size(where, key, text("\"64KiB\"")); }
    void operator()(const rate_value& to) const { *to.to = parse_rate(where, key, text(to.of_bytes ? "\"1MiB/s\"" : "\"100/s\""), to.of_bytes); }
    void operator()(seconds* to) const {
        *to = std::chrono::duration_cast<seconds>(parse_duration(where, key, text("\"10s\"")));
    }
    void operator()(milliseconds* to) const { *to = parse_duration(where, key, text("\"500ms\"")); }
    void operator()(std::string* to) const { *to = text("\"text\""); }
    void operator()(std::vector<std::string>* to) const {
        if (!value.list) fail_at(where, key, "must be a list of strings, as in [\"a\", \"b\"]");
        *to = *value.list;
    }
    void operator()(const choice_value& to) const {
        const auto& chosen = text("\"text\"");
        const auto known = fmt::format("|{}|", to.choices);
        if (known.find(fmt::format("|{}|", chosen)) == std::string::npos) {
            fail_at(where, key, fmt::format("\"{}\" is not one of {}", chosen, to.choices));
        }
        *to.to = chosen;
    }
    void operator()(overflow_policy* to) const {
        const auto chosen = policy_of(text("\"reject\""));
        if (!chosen) fail_at(where, key, fmt::format("\"{}\" is not one of {}", *value.text, fmt::join(policy_words, "|")));
        *to = *chosen;
    }
    void operator()(storage::durability* to) const {
        const auto& chosen = text("\"sync\"");
        if (chosen != "sync" && chosen != "async" && chosen != "none") {
            fail_at(where, key, fmt::format("\"{}\" is not one of sync|async|none", chosen));
        }
        *to = chosen == "sync"    ? storage::durability::sync
              : chosen == "async" ? storage::durability::async
                                  : storage::durability::none;
    }
};

} // namespace

std::string nearest(const std::vector<option>& table, std::string_view key) {
    const auto best = std::ranges::min_element(table, {}, [&](const option& o) { return distance(o.key, key); });
    return std::string{best->key};
}

void assign(const std::string& where, std::string_view key, const written& value, const target& to) { std::visit(assigner{where, key, value}, to); }

std::pair<std::string, std::uint16_t> parse_bind(const std::string& where, std::string_view key, std::string_view text) {
    const auto colon = text.rfind(':');
    std::uint32_t port = 0;
    const auto digits = colon == std::string_view::npos ? std::string_view{} : text.substr(colon + 1);
    const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (digits.empty() || ec != std::errc{} || end != digits.data() + digits.size() || port > 65'535) {
        fail_at(where, key, fmt::format("\"{}\" is not HOST:PORT, as in \"127.0.0.1:8083\"", text));
    }
    auto host = text.substr(0, colon);
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    return {std::string{host}, static_cast<std::uint16_t>(port)};
}

} // namespace broker::config
