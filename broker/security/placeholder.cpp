#include "security/placeholder.hpp"

#include "core/topic.hpp"
#include "security/rule.hpp"

#include <fmt/format.h>

namespace broker::security {

namespace {

struct piece {
    enum class kind : std::uint8_t { text, user, client_id, claim } what = kind::text;
    std::string_view words{}; // the text, or the claim's name
};

// The piece at the front of `rest`, which it shortens. Nothing: a '%' that means nothing.
std::optional<piece> next_piece(std::string_view& rest) {
    const auto take = [&rest](std::size_t size) {
        const auto taken = rest.substr(0, size);
        rest.remove_prefix(taken.size());
        return taken;
    };
    if (!rest.starts_with('%')) return piece{.words = take(rest.find('%'))};
    const auto sign = take(2);
    if (sign == "%%") return piece{.words = sign.substr(1)};
    if (sign == "%u") return piece{.what = piece::kind::user};
    if (sign == "%c") return piece{.what = piece::kind::client_id};
    const auto close = rest.find('}');
    if (sign != "%{" || close == std::string_view::npos || close == 0) return std::nullopt;
    const piece claim{.what = piece::kind::claim, .words = take(close)};
    rest.remove_prefix(1);
    return claim;
}

bool usable(std::string_view value, const piece& from, std::string_view filter, bool at_front, bool granting) {
    if (value.empty() || has_wildcard(value) || value.contains('\0')) return false;
    if (!granting) return true;
    // A claim is the issuer's word, except that it must not change which group is meant.
    const bool one_level = from.what != piece::kind::claim || filter.starts_with(share_prefix);
    return !(one_level && value.contains('/')) && !(at_front && value.starts_with('$'));
}

} // namespace

bool has_placeholder(std::string_view filter) { return filter.contains('%'); }

std::string without_placeholders(std::string_view filter) {
    std::string escaped;
    for (const char c : filter) escaped.append(c == '%' ? 2 : 1, c);
    return escaped;
}

std::optional<std::string> placeholder_error(std::string_view filter) {
    while (!filter.empty()) {
        const auto at = filter;
        if (!next_piece(filter)) return fmt::format("'{}': write %u, %c, %{{claim}}, or %% for a percent sign", at);
    }
    return std::nullopt;
}

result<std::vector<std::string>, std::string> expand(std::string_view filter, const subject& of, bool granting, std::size_t most) {
    std::vector<std::string> made{""};
    for (auto rest = filter; !rest.empty();) {
        const bool at_front = rest.size() == filter.size();
        const auto p = next_piece(rest);
        if (!p) return std::vector<std::string>{};
        std::vector<std::string_view> values;
        switch (p->what) {
        case piece::kind::text: values.push_back(p->words); break;
        case piece::kind::user: values.push_back(of.user); break;
        case piece::kind::client_id: values.push_back(of.client_id); break;
        case piece::kind::claim:
            if (const auto found = of.claims.find(p->words); found != of.claims.end()) values.assign(found->second.begin(), found->second.end());
            break;
        }
        if (p->what != piece::kind::text) {
            std::erase_if(values, [&](std::string_view value) { return !usable(value, *p, filter, at_front, granting); });
        }
        if (made.size() * values.size() > most) return fail(fmt::format("rule '{}' becomes more than {} for one client", filter, most));
        std::vector<std::string> longer;
        longer.reserve(made.size() * values.size());
        for (const auto& front : made) {
            for (const auto value : values) longer.push_back(front + std::string{value});
        }
        made = std::move(longer);
    }
    return made;
}

} // namespace broker::security
