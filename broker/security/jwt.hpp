// jwt: JSON Web Tokens in compact form (RFC 7519, RFC 7515) as credentials: header.claims.signature, each base64url.
//
// Nothing is believed before the signature: the claims are not even parsed, and of the header only what chooses among our
// own keys is read (never jwk, jku, x5c). A token_error is for the log; the peer hears that it is not authenticated.
#pragma once

#include "core/time.hpp"
#include "security/key.hpp"

#include <span>

namespace broker::security {

enum class token_error : std::uint8_t {
    too_long,
    not_three_parts,
    bad_base64,
    bad_header,          // not a JSON object, or too deep
    algorithm_missing,
    algorithm_none,
    algorithm_unknown,
    algorithm_not_allowed, // known, but not in jwt_settings::algorithms
    critical_header,     // it demands something we do not know (RFC 7515 §4.1.11)
    wrong_type,          // "typ" of something else than a token for us (RFC 8725 §3.11)
    unknown_key,         // none with this "kid"; a set fetched from elsewhere may have to be fetched anew
    wrong_key_algorithm, // the key with this "kid" is for another algorithm
    bad_signature,
    bad_claims,          // not a JSON object, or too deep
    bad_claim_type,      // of exp, nbf, iat, iss, aud, jti
    no_expiry,
    expired,
    not_yet_valid,
    issuer_missing,
    wrong_issuer,
    audience_missing,
    wrong_audience,
    no_user,
};
[[nodiscard]] std::string_view text(token_error e); // "expired"

struct jwt_settings {
    std::vector<std::string> issuers{};   // empty: any
    std::vector<std::string> audiences{}; // empty: only tokens without aud (RFC 7519 §4.1.3)
    std::vector<algorithm> algorithms{};  // empty: those of the keys
    seconds leeway{30};                   // by which the issuer's clock may differ
    bool require_expiry = true;
    std::string user_claim = "sub";
    std::size_t token_bytes_max = 8 * 1024;
};

struct token {
    boost::json::object header{};
    boost::json::object claims{};
    std::string user{};
    std::string id{};           // jti; may be empty
    time_point expires = never; // without leeway
    std::optional<time_point> issued{};
};

[[nodiscard]] result<token, token_error> verify_jwt(std::string_view text, std::span<const key> keys, const jwt_settings& settings, time_point now);

// Unverified: for people to look at.
struct decoded_token {
    boost::json::object header{};
    boost::json::object claims{};
};
[[nodiscard]] result<decoded_token, token_error> decode_jwt(std::string_view text, std::size_t bytes_max);

// Error: the key cannot sign.
[[nodiscard]] result<std::string, std::string> mint_jwt(const key& with, const boost::json::object& claims);

} // namespace broker::security
