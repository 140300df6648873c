#include "security/key.hpp"

#include "core/base64url.hpp"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>

namespace broker::security {

namespace json = boost::json;

namespace {

constexpr int rsa_bits_min = 2048; // RFC 7518 §3.3
constexpr int rsa_bits_max = 8192; // a verification takes time that grows with the square
constexpr std::size_t es256_bytes = 64;

struct algorithm_row {
    std::string_view name;
    int hash_bytes; // of an HMAC: the least that its key has
};
constexpr std::array<algorithm_row, 7> rows{{{"HS256", 32}, {"HS384", 48}, {"HS512", 64}, {"RS256", 0}, {"PS256", 0}, {"ES256", 0}, {"EdDSA", 0}}};
const algorithm_row& row(algorithm a) { return rows[static_cast<std::size_t>(a)]; }
bool is_hmac(algorithm a) { return row(a).hash_bytes != 0; }

template <auto Free>
struct freed_by {
    template <class T>
    void operator()(T* p) const {
        Free(p);
    }
};
template <class T, auto Free>
using owned = std::unique_ptr<T, freed_by<Free>>;
using number = owned<BIGNUM, BN_free>;
using parameters = owned<OSSL_PARAM, OSSL_PARAM_free>;

// Leaves no error behind in OpenSSL's queue of this thread, where TLS would find it.
struct no_errors_left {
    no_errors_left() = default;
    no_errors_left(const no_errors_left&) = delete;
    no_errors_left& operator=(const no_errors_left&) = delete;
    ~no_errors_left() { ERR_clear_error(); }
};

const unsigned char* bytes(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

std::string hmac(algorithm a, const std::string& secret, std::string_view text) {
    const auto* const hash = a == algorithm::hs256 ? EVP_sha256() : a == algorithm::hs384 ? EVP_sha384() : EVP_sha512();
    std::array<unsigned char, EVP_MAX_MD_SIZE> made{};
    unsigned size = 0;
    if (HMAC(hash, secret.data(), static_cast<int>(secret.size()), bytes(text), text.size(), made.data(), &size) == nullptr) return {};
    return {reinterpret_cast<const char*>(made.data()), size};
}

// r and s of 32 bytes each (RFC 7518 §3.4) as OpenSSL has them, and back.
std::string der_from_es256(std::string_view signature) {
    if (signature.size() != es256_bytes) return {};
    const owned<ECDSA_SIG, ECDSA_SIG_free> both{ECDSA_SIG_new()};
    number r{BN_bin2bn(bytes(signature), es256_bytes / 2, nullptr)};
    number s{BN_bin2bn(bytes(signature.substr(es256_bytes / 2)), es256_bytes / 2, nullptr)};
    if (!both || !r || !s || ECDSA_SIG_set0(both.get(), r.get(), s.get()) != 1) return {};
    (void)r.release(); // both has them
    (void)s.release();
    unsigned char* made = nullptr;
    const int size = i2d_ECDSA_SIG(both.get(), &made);
    if (size <= 0) return {};
    std::string der{reinterpret_cast<const char*>(made), static_cast<std::size_t>(size)};
    OPENSSL_free(made);
    return der;
}

std::string es256_from_der(const std::string& der) {
    const auto* at = bytes(der);
    const owned<ECDSA_SIG, ECDSA_SIG_free> both{d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size()))};
    std::string made(es256_bytes, '\0');
    auto* const to = reinterpret_cast<unsigned char*>(made.data());
    constexpr int half = es256_bytes / 2;
    if (!both || BN_bn2binpad(ECDSA_SIG_get0_r(both.get()), to, half) != half || BN_bn2binpad(ECDSA_SIG_get0_s(both.get()), to + half, half) != half) return {};
    return made;
}

bool set_padding(EVP_PKEY_CTX* ctx, algorithm a) {
    if (a == algorithm::rs256) return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1;
    if (a != algorithm::ps256) return true;
    // The salt is as long as the hash (RFC 7518 §3.5).
    return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 && EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1 &&
           EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_sha256()) == 1;
}

const EVP_MD* digest_of(algorithm a) { return a == algorithm::eddsa ? nullptr : EVP_sha256(); }

// The algorithm this key is for.
result<algorithm, std::string> algorithm_for(EVP_PKEY* pkey, std::optional<algorithm> wanted) {
    const int kind = EVP_PKEY_get_base_id(pkey);
    std::vector<algorithm> possible;
    if (kind == EVP_PKEY_RSA || kind == EVP_PKEY_RSA_PSS) {
        const int bits = EVP_PKEY_get_bits(pkey);
        if (bits < rsa_bits_min || bits > rsa_bits_max) return fail(fmt::format("an RSA key of {} bits; {} to {} are taken", bits, rsa_bits_min, rsa_bits_max));
        if (kind == EVP_PKEY_RSA) possible.push_back(algorithm::rs256);
        possible.push_back(algorithm::ps256);
    } else if (kind == EVP_PKEY_EC) {
        std::array<char, 32> group{};
        std::size_t size = 0;
        EVP_PKEY_get_utf8_string_param(pkey, OSSL_PKEY_PARAM_GROUP_NAME, group.data(), group.size(), &size);
        if (std::string_view{group.data(), size} != SN_X9_62_prime256v1) return fail(std::string{"an EC key on another curve than P-256"});
        possible = {algorithm::es256};
    } else if (kind == EVP_PKEY_ED25519) {
        possible = {algorithm::eddsa};
    } else {
        return fail(std::string{"neither RSA, EC with P-256 nor Ed25519"});
    }
    if (!wanted) return possible.front();
    if (std::ranges::find(possible, *wanted) == possible.end()) return fail(fmt::format("not a key for {}", name(*wanted)));
    return *wanted;
}

using pkey_ptr = std::shared_ptr<EVP_PKEY>;
pkey_ptr shared(EVP_PKEY* pkey) { return pkey == nullptr ? nullptr : pkey_ptr{pkey, EVP_PKEY_free}; }

pkey_ptr key_from(const char* kind, OSSL_PARAM* with) {
    const owned<EVP_PKEY_CTX, EVP_PKEY_CTX_free> ctx{EVP_PKEY_CTX_new_from_name(nullptr, kind, nullptr)};
    EVP_PKEY* made = nullptr;
    if (!ctx || with == nullptr || EVP_PKEY_fromdata_init(ctx.get()) != 1) return nullptr;
    if (EVP_PKEY_fromdata(ctx.get(), &made, EVP_PKEY_PUBLIC_KEY, with) != 1) return nullptr;
    return shared(made);
}

pkey_ptr rsa_key(std::string_view n, std::string_view e) {
    if (n.size() > rsa_bits_max / 8 + 1 || e.size() > 8) return nullptr;
    const number modulus{BN_bin2bn(bytes(n), static_cast<int>(n.size()), nullptr)};
    const number exponent{BN_bin2bn(bytes(e), static_cast<int>(e.size()), nullptr)};
    const owned<OSSL_PARAM_BLD, OSSL_PARAM_BLD_free> build{OSSL_PARAM_BLD_new()};
    if (!build || !modulus || !exponent || BN_is_odd(exponent.get()) == 0 || BN_is_one(exponent.get()) == 1) return nullptr;
    if (OSSL_PARAM_BLD_push_BN(build.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get()) != 1) return nullptr;
    if (OSSL_PARAM_BLD_push_BN(build.get(), OSSL_PKEY_PARAM_RSA_E, exponent.get()) != 1) return nullptr;
    return key_from("RSA", parameters{OSSL_PARAM_BLD_to_param(build.get())}.get());
}

pkey_ptr ec_key(std::string_view x, std::string_view y) {
    if (x.size() != es256_bytes / 2 || y.size() != es256_bytes / 2) return nullptr; // RFC 7518 §6.2.1.2
    std::string point{'\x04'};
    point.append(x).append(y);
    std::string group{SN_X9_62_prime256v1};
    std::array<OSSL_PARAM, 3> with{OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group.data(), 0),
                                   OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()), OSSL_PARAM_construct_end()};
    auto made = key_from("EC", with.data());
    if (!made) return nullptr;
    const owned<EVP_PKEY_CTX, EVP_PKEY_CTX_free> ctx{EVP_PKEY_CTX_new(made.get(), nullptr)};
    return ctx && EVP_PKEY_public_check(ctx.get()) == 1 ? made : nullptr;
}

// A member of a JWK that is base64url.
std::optional<std::string> bytes_in(const json::object& jwk, std::string_view member) {
    const auto* const found = jwk.if_contains(member);
    if (found == nullptr || !found->is_string()) return std::nullopt;
    return from_base64url({found->get_string().data(), found->get_string().size()});
}

std::string_view word_in(const json::object& jwk, std::string_view member) {
    const auto* const found = jwk.if_contains(member);
    return found != nullptr && found->is_string() ? std::string_view{found->get_string().data(), found->get_string().size()} : std::string_view{};
}

// Is it for signatures at all (RFC 7517 §4.2, §4.3)?
bool for_verifying(const json::object& jwk) {
    if (jwk.contains("use") && word_in(jwk, "use") != "sig") return false;
    const auto* const ops = jwk.if_contains("key_ops");
    if (ops == nullptr) return true;
    return ops->is_array() && std::ranges::any_of(ops->get_array(), [](const json::value& v) { return v == "verify"; });
}

} // namespace

std::string_view name(algorithm a) { return row(a).name; }

std::optional<algorithm> algorithm_named(std::string_view named) {
    const auto* const found = std::ranges::find(rows, named, &algorithm_row::name);
    if (found == rows.end()) return std::nullopt;
    return static_cast<algorithm>(found - rows.begin());
}

result<key, std::string> key::from_secret(algorithm a, std::string_view secret, std::string_view id) {
    if (!is_hmac(a)) return fail(fmt::format("a secret is no key for {}", name(a)));
    if (secret.starts_with("-----BEGIN ")) return fail(std::string{"a PEM file is no secret: whoever has the public key could sign"});
    if (secret.size() < static_cast<std::size_t>(row(a).hash_bytes)) {
        return fail(fmt::format("the secret has {} bytes; {} needs {} at least", secret.size(), name(a), row(a).hash_bytes));
    }
    key made;
    made.algorithm_ = a;
    made.id_ = id;
    made.secret_ = secret;
    return made;
}

result<key, std::string> key::around(std::shared_ptr<evp_pkey_st> pkey, std::optional<algorithm> a, std::string_view id) {
    const auto is = algorithm_for(pkey.get(), a);
    if (!is) return fail(is.error());
    key made;
    made.algorithm_ = *is;
    made.id_ = id;
    made.pkey_ = std::move(pkey);
    return made;
}

result<key, std::string> key::from_pem(std::string_view pem, std::optional<algorithm> a, std::string_view id) {
    const no_errors_left guard;
    const owned<BIO, BIO_free_all> in{BIO_new_mem_buf(pem.data(), static_cast<int>(std::min<std::size_t>(pem.size(), jwks_bytes_max)))};
    if (!in) return fail(std::string{"no memory"});
    const auto no_passphrase = [](char*, int, int, void*) { return -1; };
    pkey_ptr found;
    if (pem.contains("PRIVATE KEY-----")) { // also beside its certificate
        found = shared(PEM_read_bio_PrivateKey(in.get(), nullptr, no_passphrase, nullptr));
    } else if (pem.contains("-----BEGIN CERTIFICATE")) {
        const owned<X509, X509_free> certificate{PEM_read_bio_X509(in.get(), nullptr, no_passphrase, nullptr)};
        if (certificate) found = shared(X509_get_pubkey(certificate.get()));
    } else if (pem.contains("-----BEGIN PUBLIC KEY")) {
        found = shared(PEM_read_bio_PUBKEY(in.get(), nullptr, no_passphrase, nullptr));
    } else if (pem.contains("-----BEGIN RSA PUBLIC KEY")) {
        return fail(std::string{"a PKCS#1 public key; convert it: openssl rsa -RSAPublicKey_in -pubout"});
    }
    if (!found) return fail(std::string{"no PEM key that can be read; encrypted ones cannot"});
    return around(std::move(found), a, id);
}

result<key, std::string> key::from_jwk(const json::object& jwk) {
    const no_errors_left guard;
    const auto kty = word_in(jwk, "kty");
    const auto id = word_in(jwk, "kid");
    const auto alg = algorithm_named(word_in(jwk, "alg"));
    if (!for_verifying(jwk)) return fail(std::string{"it is not for signatures"});
    if (jwk.contains("alg") && !alg) return fail(fmt::format("algorithm '{}' is not served", word_in(jwk, "alg")));
    pkey_ptr pkey;
    if (kty == "oct") {
        const auto secret = bytes_in(jwk, "k");
        if (!secret) return fail(std::string{"its \"k\" is not base64url"});
        return from_secret(alg.value_or(algorithm::hs256), *secret, id);
    }
    if (kty == "RSA") {
        const auto n = bytes_in(jwk, "n");
        const auto e = bytes_in(jwk, "e");
        if (n && e) pkey = rsa_key(*n, *e);
    } else if (kty == "EC" && word_in(jwk, "crv") == "P-256") {
        const auto x = bytes_in(jwk, "x");
        const auto y = bytes_in(jwk, "y");
        if (x && y) pkey = ec_key(*x, *y);
    } else if (kty == "OKP" && word_in(jwk, "crv") == "Ed25519") {
        const auto x = bytes_in(jwk, "x");
        if (x && x->size() == 32) pkey = shared(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes(*x), x->size()));
    } else {
        return fail(fmt::format("kty '{}' with crv '{}' is not served", kty, word_in(jwk, "crv")));
    }
    if (!pkey) return fail(fmt::format("its {} values are no public key", kty));
    return around(std::move(pkey), alg, id);
}

bool key::verify(std::string_view text, std::string_view signature) const {
    if (!pkey_) {
        const auto expected = hmac(algorithm_, secret_, text);
        return !expected.empty() && expected.size() == signature.size() && CRYPTO_memcmp(expected.data(), signature.data(), expected.size()) == 0;
    }
    const no_errors_left guard;
    const auto der = algorithm_ == algorithm::es256 ? der_from_es256(signature) : std::string{};
    if (algorithm_ == algorithm::es256) signature = der;
    const owned<EVP_MD_CTX, EVP_MD_CTX_free> ctx{EVP_MD_CTX_new()};
    EVP_PKEY_CTX* inner = nullptr;
    return ctx && !signature.empty() && EVP_DigestVerifyInit(ctx.get(), &inner, digest_of(algorithm_), nullptr, pkey_.get()) == 1 &&
           set_padding(inner, algorithm_) && EVP_DigestVerify(ctx.get(), bytes(signature), signature.size(), bytes(text), text.size()) == 1;
}

result<std::string, std::string> key::sign(std::string_view text) const {
    if (!pkey_) return hmac(algorithm_, secret_, text);
    const no_errors_left guard;
    const owned<EVP_MD_CTX, EVP_MD_CTX_free> ctx{EVP_MD_CTX_new()};
    EVP_PKEY_CTX* inner = nullptr;
    std::size_t size = 0;
    std::string made;
    const bool begun = ctx && EVP_DigestSignInit(ctx.get(), &inner, digest_of(algorithm_), nullptr, pkey_.get()) == 1 && set_padding(inner, algorithm_) &&
                       EVP_DigestSign(ctx.get(), nullptr, &size, bytes(text), text.size()) == 1;
    made.resize(size);
    if (!begun || EVP_DigestSign(ctx.get(), reinterpret_cast<unsigned char*>(made.data()), &size, bytes(text), text.size()) != 1) {
        return fail(std::string{"the key has no private part to sign with"});
    }
    made.resize(size);
    return algorithm_ == algorithm::es256 ? es256_from_der(made) : made;
}

result<key_set, std::string> parse_jwks(std::string_view text, bool secrets) {
    if (text.size() > jwks_bytes_max) return fail(fmt::format("{} bytes; at most {} are read", text.size(), jwks_bytes_max));
    boost::system::error_code ec;
    const auto parsed = json::parse({text.data(), text.size()}, ec, {}, json::parse_options{.max_depth = 8});
    if (ec || !parsed.is_object()) return fail(std::string{"not a JSON object"});
    const auto& whole = parsed.get_object();
    json::array alone;
    if (whole.contains("kty")) alone.push_back(whole);
    const auto* const listed = whole.if_contains("keys");
    if (alone.empty() && (listed == nullptr || !listed->is_array())) return fail(std::string{"neither a JWK nor a set of them: it has no list \"keys\""});
    const auto& entries = alone.empty() ? listed->get_array() : alone;
    if (entries.size() > jwks_keys_max) return fail(fmt::format("{} keys; at most {} are taken", entries.size(), jwks_keys_max));
    key_set made;
    for (const auto& entry : entries) {
        const auto one = entry.is_object() ? key::from_jwk(entry.get_object()) : result<key, std::string>{fail(std::string{"not an object"})};
        if (one && (secrets || !one->is_secret())) {
            made.keys.push_back(*one);
            continue;
        }
        const auto id = entry.is_object() ? word_in(entry.get_object(), "kid") : std::string_view{};
        made.left_out.push_back(fmt::format("key '{}': {}", id, one ? "a secret in a set that others can read" : one.error()));
    }
    if (made.keys.empty()) return fail(fmt::format("it has no key that can be used{}{}", made.left_out.empty() ? "" : ": ", fmt::join(made.left_out, "; ")));
    return made;
}

result<key_set, std::string> parse_key_file(std::string_view text, std::optional<algorithm> a) {
    const auto first = text.substr(std::min(text.size(), text.find_first_not_of(" \t\r\n")));
    if (first.starts_with('{')) {
        auto set = parse_jwks(text, true);
        if (set && a) std::erase_if(set->keys, [&](const key& k) { return k.for_algorithm() != *a; });
        if (set && set->keys.empty()) return fail(fmt::format("it has no key for {}", name(*a)));
        return set;
    }
    if (first.starts_with("-----BEGIN ") && a && is_hmac(*a)) return fail(key::from_secret(*a, first).error());
    if (!first.starts_with("-----BEGIN ")) {
        if (text.ends_with('\n')) text.remove_suffix(1);
        if (text.ends_with('\r')) text.remove_suffix(1);
    }
    auto one = first.starts_with("-----BEGIN ") ? key::from_pem(text, a) : key::from_secret(a.value_or(algorithm::hs256), text);
    if (!one) return fail(one.error());
    return key_set{.keys = {std::move(*one)}};
}

} // namespace broker::security
