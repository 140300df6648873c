#include "security/jwt.hpp"

#include "core/base64url.hpp"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <array>
#include <cmath>

namespace broker::security {

namespace json = boost::json;

namespace {

constexpr std::size_t json_depth_max = 16;
constexpr int keys_tried_max = 8; // of a token that does not name its key: each try costs a signature check

struct parts {
    std::string_view header;
    std::string_view claims;
    std::string_view signature;
    std::string_view signed_text; // header.claims
};

result<parts, token_error> split(std::string_view text, std::size_t bytes_max) {
    if (text.size() > bytes_max) return fail(token_error::too_long);
    const auto first = text.find('.');
    const auto second = first == std::string_view::npos ? first : text.find('.', first + 1);
    if (second == std::string_view::npos || text.find('.', second + 1) != std::string_view::npos) return fail(token_error::not_three_parts);
    return parts{.header = text.substr(0, first), .claims = text.substr(first + 1, second - first - 1), .signature = text.substr(second + 1),
                 .signed_text = text.substr(0, second)};
}

result<json::object, token_error> object_in(std::string_view encoded, token_error otherwise) {
    const auto decoded = from_base64url(encoded);
    if (!decoded) return fail(token_error::bad_base64);
    boost::system::error_code ec;
    auto parsed = json::parse(*decoded, ec, {}, json::parse_options{.max_depth = json_depth_max});
    if (ec || !parsed.is_object()) return fail(otherwise);
    return std::move(parsed.get_object());
}

// Nothing: it is not there. An empty pointer inside: it is not a string.
std::optional<const json::string*> string_in(const json::object& o, std::string_view member) {
    const auto* const found = o.if_contains(member);
    if (found == nullptr) return std::nullopt;
    return found->if_string();
}

std::string_view view(const json::string& s) { return {s.data(), s.size()}; }

bool is_one_of(std::string_view word, const std::vector<std::string>& words) { return std::ranges::find(words, word) != words.end(); }

// "JWT", access tokens (RFC 9068), or nothing; media types do not know case and may leave out "application/".
bool type_fits(const json::object& header) {
    const auto type = string_in(header, "typ");
    if (!type) return true;
    if (*type == nullptr) return false;
    std::string lower{view(**type)};
    std::ranges::transform(lower, lower.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    if (lower.starts_with("application/")) lower.erase(0, 12);
    return lower == "jwt" || lower == "at+jwt";
}

result<algorithm, token_error> algorithm_in(const json::object& header, const jwt_settings& settings) {
    const auto alg = string_in(header, "alg");
    if (!alg || *alg == nullptr) return fail(token_error::algorithm_missing);
    const auto known = algorithm_named(view(**alg));
    if (!known) return fail(view(**alg) == "none" ? token_error::algorithm_none : token_error::algorithm_unknown);
    const auto& allowed = settings.algorithms;
    if (!allowed.empty() && std::ranges::find(allowed, *known) == allowed.end()) return fail(token_error::algorithm_not_allowed);
    return *known;
}

std::optional<token_error> check_signature(const parts& p, const json::object& header, algorithm alg, std::span<const key> keys) {
    const auto kid = string_in(header, "kid");
    if (kid && *kid == nullptr) return token_error::bad_header;
    const auto id = kid ? view(**kid) : std::string_view{};
    const auto signature = from_base64url(p.signature);
    if (!signature) return token_error::bad_base64;
    auto why = token_error::unknown_key;
    int tries = keys_tried_max;
    for (const auto& k : keys) {
        if (!id.empty() && !k.id().empty() && k.id() != id) continue;
        if (k.for_algorithm() != alg) {
            if (why == token_error::unknown_key && k.id() == id) why = token_error::wrong_key_algorithm;
            continue;
        }
        if (tries-- == 0) break;
        if (k.verify(p.signed_text, *signature)) return std::nullopt;
        why = token_error::bad_signature;
    }
    return why;
}

// NumericDate (RFC 7519 §2): seconds since the epoch, also with a fraction. Nothing: not there.
result<std::optional<time_point>, token_error> date_in(const json::object& claims, std::string_view member) {
    const auto* const found = claims.if_contains(member);
    if (found == nullptr) return std::optional<time_point>{};
    if (!found->is_number()) return fail(token_error::bad_claim_type);
    const auto at = found->to_number<double>();
    constexpr double most = 9'000'000'000; // the year 2255; time_point ends in 2262
    if (!std::isfinite(at) || at < 0) return fail(token_error::bad_claim_type);
    return std::optional{time_point{nanoseconds{seconds{static_cast<std::int64_t>(std::min(at, most))}}}};
}

std::optional<token_error> check_times(token& t, const jwt_settings& settings, time_point now) {
    const auto exp = date_in(t.claims, "exp");
    const auto nbf = date_in(t.claims, "nbf");
    const auto iat = date_in(t.claims, "iat");
    if (!exp || !nbf || !iat) return token_error::bad_claim_type;
    if (!*exp && settings.require_expiry) return token_error::no_expiry;
    if (*exp && now - settings.leeway >= **exp) return token_error::expired; // at exp it is (RFC 7519 §4.1.4)
    if (*nbf && now + settings.leeway < **nbf) return token_error::not_yet_valid;
    t.expires = exp->value_or(never);
    t.issued = *iat;
    return std::nullopt;
}

std::optional<token_error> check_issuer(const json::object& claims, const jwt_settings& settings) {
    const auto issuer = string_in(claims, "iss");
    if (issuer && *issuer == nullptr) return token_error::bad_claim_type;
    if (settings.issuers.empty()) return std::nullopt;
    if (!issuer) return token_error::issuer_missing;
    if (!is_one_of(view(**issuer), settings.issuers)) return token_error::wrong_issuer;
    return std::nullopt;
}

std::optional<token_error> check_audience(const json::object& claims, const jwt_settings& settings) {
    const auto* const audience = claims.if_contains("aud");
    if (audience == nullptr) return settings.audiences.empty() ? std::nullopt : std::optional{token_error::audience_missing};
    const json::array alone{*audience};
    bool meant = false;
    for (const auto& one : audience->is_array() ? audience->get_array() : alone) {
        if (!one.is_string()) return token_error::bad_claim_type;
        meant |= is_one_of(view(one.get_string()), settings.audiences);
    }
    return meant ? std::nullopt : std::optional{token_error::wrong_audience};
}

std::optional<token_error> check_who(token& t, const jwt_settings& settings) {
    const auto id = string_in(t.claims, "jti");
    if (id && *id == nullptr) return token_error::bad_claim_type;
    if (id) t.id = view(**id);
    const auto user = string_in(t.claims, settings.user_claim);
    if (!user || *user == nullptr || (*user)->empty()) return token_error::no_user;
    t.user = view(**user);
    return std::nullopt;
}

constexpr std::array<std::string_view, 23> texts{
    "too long", "not three parts", "not base64url", "header is not a JSON object", "no algorithm", "algorithm none", "algorithm unknown",
    "algorithm not allowed", "critical header not understood", "of another type", "unknown key", "key is for another algorithm", "bad signature",
    "claims are not a JSON object", "claim of a wrong type", "no expiry", "expired", "not yet valid", "no issuer", "wrong issuer", "no audience",
    "wrong audience", "no user"};

} // namespace

std::string_view text(token_error e) { return texts[static_cast<std::size_t>(e)]; }

result<token, token_error> verify_jwt(std::string_view text, std::span<const key> keys, const jwt_settings& settings, time_point now) {
    const auto p = split(text, settings.token_bytes_max);
    if (!p) return fail(p.error());
    auto header = object_in(p->header, token_error::bad_header);
    if (!header) return fail(header.error());
    const auto alg = algorithm_in(*header, settings);
    if (!alg) return fail(alg.error());
    if (header->contains("crit")) return fail(token_error::critical_header);
    if (!type_fits(*header)) return fail(token_error::wrong_type);
    if (const auto wrong = check_signature(*p, *header, *alg, keys)) return fail(*wrong);

    auto claims = object_in(p->claims, token_error::bad_claims);
    if (!claims) return fail(claims.error());
    token made{.header = std::move(*header), .claims = std::move(*claims)};
    auto wrong = check_issuer(made.claims, settings);
    if (!wrong) wrong = check_audience(made.claims, settings);
    if (!wrong) wrong = check_times(made, settings, now);
    if (!wrong) wrong = check_who(made, settings);
    if (wrong) return fail(*wrong);
    return made;
}

result<decoded_token, token_error> decode_jwt(std::string_view text, std::size_t bytes_max) {
    const auto p = split(text, bytes_max);
    if (!p) return fail(p.error());
    auto header = object_in(p->header, token_error::bad_header);
    if (!header) return fail(header.error());
    auto claims = object_in(p->claims, token_error::bad_claims);
    if (!claims) return fail(claims.error());
    return decoded_token{.header = std::move(*header), .claims = std::move(*claims)};
}

result<std::string, std::string> mint_jwt(const key& with, const json::object& claims) {
    json::object header{{"alg", name(with.for_algorithm())}, {"typ", "JWT"}};
    if (!with.id().empty()) header["kid"] = with.id();
    const auto text = base64url(json::serialize(header)) + "." + base64url(json::serialize(claims));
    const auto signature = with.sign(text);
    if (!signature) return fail(signature.error());
    return text + "." + base64url(*signature);
}

} // namespace broker::security
