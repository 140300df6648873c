#include "security/hook_answer.hpp"

#include "core/assert.hpp"
#include "core/utf8.hpp"

#include <boost/json/parse.hpp>
#include <sodium.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace broker::security {

namespace json = boost::json;

namespace {

constexpr std::size_t json_depth_max = 16;
constexpr std::array<std::string_view, 3> verdicts{"allow", "deny", "ignore"}; // by their enumerators
constexpr double last_second = 9'000'000'000; // time_point ends a little later

std::string_view view(const json::string& s) { return {s.data(), s.size()}; }

} // namespace

result<hook_answer, std::string> parse_hook_answer(std::string_view body) {
    boost::system::error_code ec;
    const auto parsed = json::parse({body.data(), body.size()}, ec, {}, json::parse_options{.max_depth = json_depth_max});
    if (ec || !parsed.is_object()) return fail(std::string{"not a JSON object"});
    const auto& all = parsed.get_object();
    hook_answer made;
    const auto* const said = all.if_contains("result");
    const auto found = said != nullptr && said->is_string() ? std::ranges::find(verdicts, view(said->get_string())) : verdicts.end();
    if (found == verdicts.end()) return fail(std::string{"\"result\" is not one of allow, deny, ignore"});
    made.what = static_cast<hook_answer::verdict>(found - verdicts.begin());
    if (made.what != hook_answer::verdict::allow) return made;
    if (const auto* const user = all.if_contains("user")) {
        const auto name = user->is_string() ? view(user->get_string()) : std::string_view{};
        if (name.empty() || !is_utf8(name) || name.contains('\0')) return fail(std::string{"\"user\" is not a name"});
        made.user = name;
    }
    if (const auto* const until = all.if_contains("expires_at")) {
        const auto at = until->is_number() ? until->to_number<double>() : -1.0;
        if (!std::isfinite(at) || at < 0) return fail(std::string{"\"expires_at\" is not seconds since the epoch"});
        made.expires = time_point{nanoseconds{seconds{static_cast<std::int64_t>(std::min(at, last_second))}}};
    }
    auto rights = rights_in(all, "brokerd:");
    if (!rights) return fail(std::move(rights.error()));
    made.rights = std::move(*rights);
    return made;
}

hook_cache::hook_cache(seconds keep, std::size_t entries_max) : keep_{keep}, entries_max_{entries_max}, secret_(crypto_generichash_KEYBYTES, '\0') {
    BROKER_ASSERT(sodium_init() >= 0);
    randombytes_buf(secret_.data(), secret_.size());
}

std::string hook_cache::hash_of(std::string_view question) const {
    std::string made(crypto_generichash_BYTES, '\0');
    crypto_generichash(reinterpret_cast<unsigned char*>(made.data()), made.size(), reinterpret_cast<const unsigned char*>(question.data()), question.size(),
                       reinterpret_cast<const unsigned char*>(secret_.data()), secret_.size());
    return made;
}

std::optional<hook_answer> hook_cache::find(std::string_view question, time_point now) const {
    if (keep_ == seconds{0}) return std::nullopt;
    const auto hash = hash_of(question);
    const std::lock_guard lock{mutex_};
    const auto at = entries_.find(hash);
    if (at == entries_.end() || at->second.until <= now) return std::nullopt;
    return at->second.answer;
}

void hook_cache::put(std::string_view question, const hook_answer& answer, time_point now) {
    if (keep_ == seconds{0}) return;
    auto hash = hash_of(question);
    const std::lock_guard lock{mutex_};
    while (!order_.empty() && (order_.front().first + keep_ <= now || order_.size() >= entries_max_)) {
        const auto at = entries_.find(order_.front().second);
        // It may have been put again since.
        if (at != entries_.end() && (at->second.until <= now || at->second.until <= order_.front().first + keep_)) entries_.erase(at);
        order_.pop_front();
    }
    entries_.insert_or_assign(hash, entry{.answer = answer, .until = std::min(now + keep_, answer.expires)});
    order_.emplace_back(now, std::move(hash));
}

std::size_t hook_cache::size() const {
    const std::lock_guard lock{mutex_};
    return entries_.size();
}

} // namespace broker::security
