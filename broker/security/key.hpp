// key: what signs and verifies tokens, bound to one algorithm (RFC 7518, RFC 8037). A key never verifies with any other:
// the token's own "alg" only says which keys may be meant, so neither "none" nor an HMAC over a public key can pass.
//
// Threading: immutable; verify() and sign() from any thread.
#pragma once

#include "core/result.hpp"

#include <boost/json/object.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct evp_pkey_st; // OpenSSL's EVP_PKEY

namespace broker::security {

enum class algorithm : std::uint8_t { hs256, hs384, hs512, rs256, ps256, es256, eddsa };
[[nodiscard]] std::string_view name(algorithm a); // "HS256"
[[nodiscard]] std::optional<algorithm> algorithm_named(std::string_view name); // exact; "none" is none

class key {
public:
    // For HS256 to HS512. Error: shorter than the hash (RFC 7518 §3.2).
    [[nodiscard]] static result<key, std::string> from_secret(algorithm a, std::string_view secret, std::string_view id = {});

    // A public key, a private one or a certificate. `a` not set: RS256, PS256 for keys that are only for it, ES256 or EdDSA, as the
    // key is. Error: not a key, encrypted, a kind or size that is not served, or not one for `a`.
    [[nodiscard]] static result<key, std::string> from_pem(std::string_view pem, std::optional<algorithm> a = {}, std::string_view id = {});

    // The public part of a JWK (RFC 7517): kty RSA, EC with P-256, OKP with Ed25519, oct. Without "alg" an RSA key is for
    // RS256 and a secret for HS256. Error: what is wrong or not served.
    [[nodiscard]] static result<key, std::string> from_jwk(const boost::json::object& jwk);

    [[nodiscard]] algorithm for_algorithm() const { return algorithm_; }
    [[nodiscard]] const std::string& id() const { return id_; } // "kid"; may be empty
    [[nodiscard]] key with_id(std::string_view id) const {
        auto named = *this;
        named.id_ = id;
        return named;
    }
    [[nodiscard]] bool is_secret() const { return !pkey_; }     // the same key signs and verifies

    [[nodiscard]] bool verify(std::string_view text, std::string_view signature) const;
    // Error: it has no private part.
    [[nodiscard]] result<std::string, std::string> sign(std::string_view text) const;

private:
    key() = default;
    [[nodiscard]] static result<key, std::string> around(std::shared_ptr<evp_pkey_st> pkey, std::optional<algorithm> a, std::string_view id);

    algorithm algorithm_{};
    std::string id_;
    std::string secret_;
    std::shared_ptr<evp_pkey_st> pkey_;
};

struct key_set {
    std::vector<key> keys{};
    std::vector<std::string> left_out{}; // why, one line each: what a set has that is not for us is not an error (RFC 7517 §5)
};

inline constexpr std::size_t jwks_bytes_max = 256 * 1024;
inline constexpr std::size_t jwks_keys_max = 100;

// A JWK set (RFC 7517 §5) or a single JWK. `secrets`: whether "oct" keys are taken; a set that everybody can read has none.
// Error: no JSON, too large, or without a key that can be used.
[[nodiscard]] result<key_set, std::string> parse_jwks(std::string_view text, bool secrets);

// A key file, told by what it begins with: PEM, a JWK or a set of them, else a secret, without one line end behind it. `a`: the one it
// must be for; not set: as from_pem and parse_jwks have it, HS256 for a secret.
[[nodiscard]] result<key_set, std::string> parse_key_file(std::string_view text, std::optional<algorithm> a = {});

} // namespace broker::security
