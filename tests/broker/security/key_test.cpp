#include "security/key.hpp"

#include "core/base64url.hpp"
#include "support/test_keys.hpp"

#include <boost/json/parse.hpp>
#include <doctest/doctest.h>

using namespace broker;
using namespace broker::security;

namespace {

constexpr std::string_view rfc7515_claims = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
constexpr std::string_view a1_key =
    R"({"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"})";
constexpr std::string_view a2_key =
    R"({"kty":"RSA","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS)"
    R"(-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5Z)"
    R"(wKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"})";
constexpr std::string_view a2_signature =
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f"
    "_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8"
    "np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
constexpr std::string_view a3_key =
    R"({"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"})";
constexpr std::string_view ed_key = R"({"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})";

key jwk(std::string_view text) {
    const auto k = key::from_jwk(boost::json::parse(text).as_object());
    REQUIRE_MESSAGE(k, k.error());
    return *k;
}

std::string why_not(std::string_view text) {
    const auto k = key::from_jwk(boost::json::parse(text).as_object());
    return k ? std::string{"accepted"} : k.error();
}

// The vector verifies, and nothing that differs from it in one bit does.
void check_vector(const key& k, const std::string& text, std::string_view signature) {
    const auto bytes = *from_base64url(signature);
    CHECK(k.verify(text, bytes));
    for (std::size_t i = 0; i < bytes.size(); i += 7) {
        auto other = bytes;
        other[i] = static_cast<char>(other[i] ^ 1);
        CHECK_FALSE(k.verify(text, other));
    }
    auto other = text;
    other.back() = static_cast<char>(other.back() ^ 1);
    CHECK_FALSE(k.verify(other, bytes));
    CHECK_FALSE(k.verify(text, bytes.substr(1)));
    CHECK_FALSE(k.verify(text, bytes + '\0'));
    CHECK_FALSE(k.verify(text, ""));
}

} // namespace

TEST_CASE("RFC 7515 A.1 to A.3, RFC 8037 A.4: the vectors") {
    const std::string claims{rfc7515_claims};
    check_vector(jwk(a1_key), "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." + claims, "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    check_vector(jwk(a2_key), "eyJhbGciOiJSUzI1NiJ9." + claims, a2_signature);
    check_vector(jwk(a3_key), "eyJhbGciOiJFUzI1NiJ9." + claims, "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q");
    check_vector(jwk(ed_key), "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
                 "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg");
}

TEST_CASE("RFC 8037 A.4: Ed25519 signs as the vector does") {
    // PKCS#8 around the vector's private key (RFC 8410 §7).
    constexpr std::string_view prefix{"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20", 16};
    auto der = std::string{prefix} + *from_base64url("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A");
    auto base64 = base64url(der);
    for (auto& c : base64) c = c == '-' ? '+' : c == '_' ? '/' : c;
    const auto k = key::from_pem("-----BEGIN PRIVATE KEY-----\n" + base64 + "\n-----END PRIVATE KEY-----\n");
    REQUIRE_MESSAGE(k, k.error());
    CHECK(base64url(*k->sign("eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc")) ==
          "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg");
}

TEST_CASE("every algorithm verifies what it signed, and no other key does") {
    const auto rsa = test::rsa_pair();
    const auto ec = test::ec_pair();
    const auto ed = test::ed25519_pair();
    const std::string secret(64, 's');
    struct pair {
        key signs;
        key verifies;
    };
    const auto pem = [](const test::key_pair& p, algorithm a) { return pair{*key::from_pem(p.private_pem, a), *key::from_pem(p.public_pem, a)}; };
    const auto mac = [&](algorithm a) { return pair{*key::from_secret(a, secret), *key::from_secret(a, secret)}; };
    const std::vector<pair> all{mac(algorithm::hs256), mac(algorithm::hs384), mac(algorithm::hs512), pem(rsa, algorithm::rs256),
                                pem(rsa, algorithm::ps256), pem(ec, algorithm::es256), pem(ed, algorithm::eddsa)};
    for (const auto& one : all) {
        const auto signature = one.signs.sign("text");
        REQUIRE_MESSAGE(signature, signature.error());
        for (const auto& other : all) CHECK(other.verifies.verify("text", *signature) == (&one == &other));
        CHECK(one.signs.verify("text", *signature)); // the private key too
        if (!one.verifies.is_secret()) CHECK(one.verifies.sign("text").error() == "the key has no private part to sign with");
    }
}

TEST_CASE("a key is for one algorithm") {
    const auto rsa = test::rsa_pair();
    CHECK(key::from_pem(rsa.public_pem)->for_algorithm() == algorithm::rs256);
    CHECK(key::from_pem(rsa.public_pem, algorithm::ps256)->for_algorithm() == algorithm::ps256);
    CHECK(key::from_pem(rsa.public_pem, algorithm::es256).error() == "not a key for ES256");
    CHECK(key::from_pem(rsa.public_pem, algorithm::hs256).error() == "not a key for HS256");
    CHECK(key::from_pem(test::ec_pair().public_pem)->for_algorithm() == algorithm::es256);
    CHECK(key::from_pem(test::ed25519_pair().public_pem)->for_algorithm() == algorithm::eddsa);
    CHECK(key::from_pem(test::ec_pair("P-384").public_pem).error() == "an EC key on another curve than P-256");
    CHECK(key::from_pem(test::rsa_pair(1024).public_pem).error() == "an RSA key of 1024 bits; 2048 to 8192 are taken");
    CHECK(key::from_pem("no key").error() == "no PEM key that can be read; encrypted ones cannot");
    CHECK(key::from_secret(algorithm::rs256, std::string(64, 'x')).error() == "a secret is no key for RS256");
    CHECK(key::from_secret(algorithm::hs256, rsa.public_pem).error() == "a PEM file is no secret: whoever has the public key could sign");
    CHECK(key::from_secret(algorithm::hs256, "short").error() == "the secret has 5 bytes; HS256 needs 32 at least");
    CHECK(key::from_secret(algorithm::hs512, std::string(63, 'x')).error() == "the secret has 63 bytes; HS512 needs 64 at least");
}

TEST_CASE("JWKs that are not for us are refused, each with its reason") {
    CHECK(jwk(a1_key).for_algorithm() == algorithm::hs256);
    CHECK(jwk(a2_key).for_algorithm() == algorithm::rs256);
    CHECK(why_not("{}") == "kty '' with crv '' is not served");
    CHECK(why_not(R"({"kty":"EC","crv":"P-384","x":"","y":""})") == "kty 'EC' with crv 'P-384' is not served");
    CHECK(why_not(R"({"kty":"OKP","crv":"X25519","x":""})") == "kty 'OKP' with crv 'X25519' is not served");
    CHECK(why_not(R"({"kty":"OKP","crv":"Ed25519","x":"AAAA"})") == "its OKP values are no public key");
    CHECK(why_not(R"({"kty":"oct","k":"not base64!"})") == "its \"k\" is not base64url");
    CHECK(why_not(R"({"kty":"oct","k":"AAAA"})") == "the secret has 3 bytes; HS256 needs 32 at least");
    CHECK(why_not(R"({"kty":"oct","k":"AAAA","use":"enc"})") == "it is not for signatures");
    CHECK(why_not(R"({"kty":"oct","k":"AAAA","key_ops":["sign"]})") == "it is not for signatures");
    CHECK(why_not(R"({"kty":"RSA","alg":"RSA-OAEP"})") == "algorithm 'RSA-OAEP' is not served");
    CHECK(why_not(R"({"kty":"RSA","alg":"none"})") == "algorithm 'none' is not served");
    CHECK(why_not(R"({"kty":"RSA","alg":7})") == "algorithm '' is not served");
    CHECK(why_not(R"({"kty":"RSA","n":"AQAB"})") == "its RSA values are no public key");
    CHECK(why_not(R"({"kty":"RSA","n":"AQAB","e":"AQAB"})").starts_with("an RSA key of 17 bits"));
    CHECK(why_not(R"({"kty":"RSA","n":")" + std::string(4'000, 'A') + R"(","e":"AQAB"})") == "its RSA values are no public key");
    // The point (1, 1) is not on the curve.
    const auto one = base64url(std::string(31, '\0') + '\x01');
    CHECK(why_not(R"({"kty":"EC","crv":"P-256","x":")" + one + R"(","y":")" + one + "\"}") == "its EC values are no public key");
    auto confused = boost::json::parse(a2_key).as_object();
    confused["alg"] = "HS256";
    CHECK(key::from_jwk(confused).error() == "not a key for HS256");
    for (const auto* const e : {"AQ", "Ag", ""}) { // 1, 2, nothing
        auto weak = boost::json::parse(a2_key).as_object();
        weak["e"] = e;
        CHECK(key::from_jwk(weak).error() == "its RSA values are no public key");
    }
}

TEST_CASE("RFC 7517 §5: a set keeps what can be used") {
    const auto set = [](const std::string& keys, bool secrets = true) { return parse_jwks("{\"keys\":[" + keys + "]}", secrets); };
    const std::string oct{a1_key};
    const std::string rsa{a2_key};
    const auto mixed = set(oct + "," + rsa + R"(,{"kty":"EC","crv":"P-521","kid":"big"},7)");
    REQUIRE(mixed);
    CHECK(mixed->keys.size() == 2);
    REQUIRE(mixed->left_out.size() == 2);
    CHECK(mixed->left_out[0] == "key 'big': kty 'EC' with crv 'P-521' is not served");
    CHECK(mixed->left_out[1] == "key '': not an object");
    CHECK(set(oct + "," + rsa, false)->keys.size() == 1);
    CHECK(set(oct, false).error() == "it has no key that can be used: key '': a secret in a set that others can read");
    CHECK(set("").error() == "it has no key that can be used");
    CHECK(parse_jwks(oct, true)->keys.size() == 1); // one alone
    CHECK(parse_jwks("{}", true).error() == "neither a JWK nor a set of them: it has no list \"keys\"");
    CHECK(parse_jwks(R"({"keys":{}})", true).error() == "neither a JWK nor a set of them: it has no list \"keys\"");
    CHECK(parse_jwks("[]", true).error() == "not a JSON object");
    CHECK(parse_jwks("{\"keys\":" + std::string(100, '[') + std::string(100, ']') + "}", true).error() == "not a JSON object");
    CHECK(parse_jwks(std::string(jwks_bytes_max + 1, ' '), true).error() == "262145 bytes; at most 262144 are read");
    std::string many = oct;
    for (std::size_t i = 0; i < jwks_keys_max; ++i) many += "," + oct;
    CHECK(set(many).error() == "101 keys; at most 100 are taken");
}

TEST_CASE("key files are what they begin with") {
    const auto ec = test::ec_pair();
    CHECK(parse_key_file(ec.public_pem)->keys[0].for_algorithm() == algorithm::es256);
    CHECK(parse_key_file("\n" + ec.private_pem)->keys[0].for_algorithm() == algorithm::es256);
    CHECK(parse_key_file(ec.public_pem + ec.private_pem)->keys[0].sign("a")); // a private key beside others is the one
    CHECK(parse_key_file(ec.public_pem, algorithm::hs256).error() == "a PEM file is no secret: whoever has the public key could sign");
    CHECK(parse_key_file(a2_key)->keys[0].for_algorithm() == algorithm::rs256);
    CHECK(parse_key_file(a2_key, algorithm::es256).error() == "it has no key for ES256");
    const std::string secret(32, 's');
    const auto text = parse_key_file(secret + "\r\n");
    REQUIRE(text);
    CHECK(text->keys[0].verify("a", *key::from_secret(algorithm::hs256, secret)->sign("a")));
    CHECK(parse_key_file(secret, algorithm::hs384).error() == "the secret has 32 bytes; HS384 needs 48 at least");
    CHECK(parse_key_file("").error() == "the secret has 0 bytes; HS256 needs 32 at least");
    CHECK(parse_key_file("{").error() == "not a JSON object");
}
