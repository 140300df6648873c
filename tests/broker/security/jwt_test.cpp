#include "security/jwt.hpp"

#include "core/base64url.hpp"
#include "support/test_keys.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <doctest/doctest.h>

using namespace broker;
using namespace broker::security;

namespace {

constexpr std::int64_t now_s = 1'800'000'000;
const time_point now = from_epoch_ms(now_s * 1'000);

struct issuer {
    test::key_pair rsa = test::rsa_pair();
    test::key_pair ec = test::ec_pair();
    std::string secret = std::string(64, 'k');
    key hs = *key::from_secret(algorithm::hs256, secret, "hs");
    key rs = *key::from_pem(rsa.private_pem, algorithm::rs256, "rs");
    key es = *key::from_pem(ec.private_pem, algorithm::es256, "es");
    std::vector<key> trusted{hs, *key::from_pem(rsa.public_pem, algorithm::rs256, "rs"), *key::from_pem(ec.public_pem, algorithm::es256, "es")};

    // A token with these exact texts, signed by `with`.
    [[nodiscard]] static std::string signed_by(const key& with, std::string_view header, std::string_view claims) {
        const auto text = base64url(header) + "." + base64url(claims);
        return text + "." + base64url(*with.sign(text));
    }
};

const issuer& the_issuer() { // RSA keys take their time
    static const issuer made;
    return made;
}

std::string claims_with(std::string_view more) { return R"({"sub":"anna","exp":1800000100)" + std::string{more} + "}"; }
std::string_view said(const result<token, token_error>& r) { return r ? "accepted" : text(r.error()); }

} // namespace

TEST_CASE("RFC 7519 §3.1: the example is accepted at its time, with its user named by another claim") {
    const std::vector<key> keys{*key::from_jwk(
        boost::json::parse(R"({"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"})").as_object())};
    const std::string example = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvb"
                                "S9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const jwt_settings settings{.issuers = {"joe"}, .leeway = seconds{0}, .user_claim = "iss"};
    const auto at = [&](std::int64_t s) { return verify_jwt(example, keys, settings, from_epoch_ms(s * 1'000)); };
    REQUIRE(at(1'300'819'379));
    CHECK(at(1'300'819'379)->user == "joe");
    CHECK(at(1'300'819'379)->expires == from_epoch_ms(1'300'819'380'000));
    CHECK(said(at(1'300'819'380)) == "expired");
}

TEST_CASE("a table of tokens, each with its verdict") {
    const auto& i = the_issuer();
    const jwt_settings settings{.issuers = {"https://issuer", "other"}, .audiences = {"brokerd"}};
    const std::string good = claims_with(R"(,"iss":"https://issuer","aud":"brokerd")");
    const auto by = [&](const key& k, std::string_view header) { return issuer::signed_by(k, header, good); };
    const auto saying = [&](std::string_view claims) { return issuer::signed_by(i.hs, R"({"alg":"HS256"})", claims); };
    const auto with = [&](std::string_view more) { return saying(claims_with(R"(,"iss":"other","aud":"brokerd")" + std::string{more})); };
    const auto hs = by(i.hs, R"({"alg":"HS256"})");
    const auto hs_over_public_key = [&] { // what a library that mixes up its keys would accept
        const auto text = base64url(R"({"alg":"HS256","kid":"rs"})") + "." + base64url(good);
        return text + "." + base64url(*key::from_secret(algorithm::hs256, i.rsa.public_pem.substr(10))->sign(text));
    };
    const auto other_part = [&](std::size_t part, std::string_view text) {
        auto t = hs;
        const auto first = t.find('.');
        const auto last = t.rfind('.');
        if (part == 0) return std::string{text} + t.substr(first);
        if (part == 1) return t.substr(0, first + 1) + std::string{text} + t.substr(last);
        return t.substr(0, last + 1) + std::string{text};
    };
    auto half = hs;
    half.resize(half.size() - 1);

    struct row {
        std::string what;
        std::string token;
        std::string_view verdict;
    };
    const std::vector<row> rows{
        {"HS256", hs, "accepted"},
        {"RS256", by(i.rs, R"({"alg":"RS256","kid":"rs","typ":"JWT"})"), "accepted"},
        {"ES256", by(i.es, R"({"alg":"ES256","typ":"at+jwt"})"), "accepted"},
        {"typ as a media type", by(i.hs, R"({"alg":"HS256","typ":"application/AT+JWT"})"), "accepted"},
        {"unknown header members", by(i.hs, R"({"alg":"HS256","jku":"http://evil/","jwk":{"kty":"oct","k":"AAAA"},"x":[1]})"), "accepted"},
        {"aud list", saying(claims_with(R"(,"iss":"other","aud":["a","brokerd"])")), "accepted"},
        {"fraction in exp", saying(R"({"sub":"a","iss":"other","aud":"brokerd","exp":1800000100.5})"), "accepted"},
        {"nbf within the leeway", with(R"(,"nbf":1800000029)"), "accepted"},
        {"within the leeway after exp", saying(R"({"sub":"a","iss":"other","aud":"brokerd","exp":1799999971})"), "accepted"},

        {"nothing", "", "not three parts"},
        {"one dot", "a.b", "not three parts"},
        {"three dots", hs + ".", "not three parts"},
        {"only dots", "..", "header is not a JSON object"},
        {"encrypted (RFC 7516)", "e30.a.b.c.d", "not three parts"},
        {"too long", std::string(9'000, 'a'), "too long"},
        {"padding", other_part(2, hs.substr(hs.rfind('.') + 1) + "="), "not base64url"},
        {"base64 with + and /", other_part(2, "++//"), "not base64url"},
        {"blank before it", " " + hs, "not base64url"},
        {"header is no JSON", other_part(0, base64url("{")), "header is not a JSON object"},
        {"header is a list", other_part(0, base64url("[]")), "header is not a JSON object"},
        {"header has two values", other_part(0, base64url(R"({"alg":"HS256"}{})")), "header is not a JSON object"},
        {"header is not UTF-8", other_part(0, base64url("{\"alg\":\"HS256\",\"a\":\"\xff\"}")), "header is not a JSON object"},
        {"header is deep", other_part(0, base64url("{\"a\":" + std::string(50, '[') + std::string(50, ']') + "}")), "header is not a JSON object"},
        {"no alg", by(i.hs, "{}"), "no algorithm"},
        {"alg is a number", by(i.hs, R"({"alg":256})"), "no algorithm"},
        {"alg none", base64url(R"({"alg":"none"})") + "." + base64url(good) + ".", "algorithm none"},
        {"alg none, signed", by(i.hs, R"({"alg":"none"})"), "algorithm none"},
        {"alg None", by(i.hs, R"({"alg":"None"})"), "algorithm unknown"},
        {"alg in lower case", by(i.hs, R"({"alg":"hs256"})"), "algorithm unknown"},
        {"alg ES512", by(i.hs, R"({"alg":"ES512"})"), "algorithm unknown"},
        {"HS256 over the public key", hs_over_public_key(), "key is for another algorithm"},
        {"HS256 said of an RSA signature", by(i.rs, R"({"alg":"HS256"})"), "bad signature"},
        {"RS256 said of an HMAC", by(i.hs, R"({"alg":"RS256"})"), "bad signature"},
        {"PS256 with an RS256 key", by(i.rs, R"({"alg":"PS256","kid":"rs"})"), "key is for another algorithm"},
        {"HS512 with an HS256 key", by(i.hs, R"({"alg":"HS512"})"), "unknown key"},
        {"kid of nobody", by(i.hs, R"({"alg":"HS256","kid":"gone"})"), "unknown key"},
        {"kid of another key", by(i.hs, R"({"alg":"HS256","kid":"es"})"), "key is for another algorithm"},
        {"kid is a number", by(i.hs, R"({"alg":"HS256","kid":1})"), "header is not a JSON object"},
        {"crit", by(i.hs, R"({"alg":"HS256","crit":["b64"],"b64":false})"), "critical header not understood"},
        {"typ of a logout token", by(i.hs, R"({"alg":"HS256","typ":"logout+jwt"})"), "of another type"},
        {"typ is a number", by(i.hs, R"({"alg":"HS256","typ":1})"), "of another type"},
        {"another secret", by(*key::from_secret(algorithm::hs256, std::string(64, 'x')), R"({"alg":"HS256"})"), "bad signature"},
        {"no signature", other_part(2, ""), "bad signature"},
        {"half a signature", half, "not base64url"},
        {"other claims under the signature", other_part(1, base64url(claims_with(R"(,"admin":true)"))), "bad signature"},
        {"claims are a list", saying("[]"), "claims are not a JSON object"},
        {"claims are deep", saying("{\"a\":" + std::string(50, '[') + std::string(50, ']') + "}"), "claims are not a JSON object"},
        {"nested token", saying("\"" + hs + "\""), "claims are not a JSON object"},
        {"no exp", saying(R"({"sub":"a","iss":"other","aud":"brokerd"})"), "no expiry"},
        {"exp as text", saying(R"({"sub":"a","iss":"other","aud":"brokerd","exp":"1800000100"})"), "claim of a wrong type"},
        {"exp below zero", saying(R"({"sub":"a","iss":"other","aud":"brokerd","exp":-1})"), "claim of a wrong type"},
        {"exp null", saying(R"({"sub":"a","iss":"other","aud":"brokerd","exp":null})"), "claim of a wrong type"},
        {"exp beyond the clock", saying(R"({"sub":"a","iss":"other","aud":"brokerd","exp":1e300})"), "accepted"},
        {"expired", saying(R"({"sub":"a","iss":"other","aud":"brokerd","exp":1799999970})"), "expired"},
        {"nbf beyond the leeway", with(R"(,"nbf":1800000031)"), "not yet valid"},
        {"nbf as text", with(R"(,"nbf":"1")"), "claim of a wrong type"},
        {"iat as text", with(R"(,"iat":"1")"), "claim of a wrong type"},
        {"jti as a number", with(R"(,"jti":1)"), "claim of a wrong type"},
        {"no iss", saying(claims_with(R"(,"aud":"brokerd")")), "no issuer"},
        {"iss of somebody else", saying(claims_with(R"(,"aud":"brokerd","iss":"https://issuer/")")), "wrong issuer"},
        {"iss is a list", saying(claims_with(R"(,"aud":"brokerd","iss":["other"])")), "claim of a wrong type"},
        {"no aud", saying(claims_with(R"(,"iss":"other")")), "no audience"},
        {"aud of somebody else", saying(claims_with(R"(,"iss":"other","aud":"shop")")), "wrong audience"},
        {"aud is an empty list", saying(claims_with(R"(,"iss":"other","aud":[])")), "wrong audience"},
        {"aud is a number", saying(claims_with(R"(,"iss":"other","aud":1)")), "claim of a wrong type"},
        {"aud has a number", saying(claims_with(R"(,"iss":"other","aud":["brokerd",1])")), "claim of a wrong type"},
        {"no sub", saying(R"({"iss":"other","aud":"brokerd","exp":1800000100})"), "no user"},
        {"sub is empty", saying(R"({"sub":"","iss":"other","aud":"brokerd","exp":1800000100})"), "no user"},
        {"sub is a number", saying(R"({"sub":7,"iss":"other","aud":"brokerd","exp":1800000100})"), "no user"},
    };
    REQUIRE(rows.size() >= 40);
    for (const auto& r : rows) {
        const auto v = verify_jwt(r.token, i.trusted, settings, now);
        CHECK_MESSAGE(said(v) == r.verdict, r.what);
    }
}

TEST_CASE("what the settings say") {
    const auto& i = the_issuer();
    const auto token_of = [&](std::string_view claims) { return issuer::signed_by(i.hs, R"({"alg":"HS256"})", claims); };
    const auto plain = token_of(claims_with(""));
    CHECK(said(verify_jwt(plain, i.trusted, {}, now)) == "accepted");
    CHECK(said(verify_jwt(plain, i.trusted, {.algorithms = {algorithm::rs256, algorithm::es256}}, now)) == "algorithm not allowed");
    CHECK(said(verify_jwt(plain, {}, {}, now)) == "unknown key");
    CHECK(said(verify_jwt(plain, i.trusted, {.token_bytes_max = 20}, now)) == "too long");
    // A token for named audiences is not for a server that has no name (RFC 7519 §4.1.3).
    CHECK(said(verify_jwt(token_of(claims_with(R"(,"aud":"shop")")), i.trusted, {}, now)) == "wrong audience");
    const auto lasting = verify_jwt(token_of(R"({"sub":"a"})"), i.trusted, {.require_expiry = false}, now);
    REQUIRE(lasting);
    CHECK(lasting->expires == never);
    const auto named = verify_jwt(token_of(claims_with(R"(,"email":"a@b","jti":"7","iat":1799999999)")), i.trusted, {.user_claim = "email"}, now);
    REQUIRE(named);
    CHECK(named->user == "a@b");
    CHECK(named->id == "7");
    CHECK(named->issued == from_epoch_ms(1'799'999'999'000));
}

TEST_CASE("a token that names no key tries a bounded number of them") {
    const auto& i = the_issuer();
    std::vector<key> keys;
    for (char c = 'a'; c < 'a' + 8; ++c) keys.push_back(*key::from_secret(algorithm::hs256, std::string(32, c)));
    keys.push_back(i.hs);
    CHECK(said(verify_jwt(issuer::signed_by(i.hs, R"({"alg":"HS256"})", claims_with("")), keys, {}, now)) == "bad signature");
    keys.erase(keys.begin());
    CHECK(said(verify_jwt(issuer::signed_by(i.hs, R"({"alg":"HS256"})", claims_with("")), keys, {}, now)) == "accepted");
}

TEST_CASE("rotation: two keys with one id, the old one still verifies") {
    const auto old_key = *key::from_secret(algorithm::hs256, std::string(32, 'o'), "k");
    const auto new_key = *key::from_secret(algorithm::hs256, std::string(32, 'n'), "k");
    const std::vector<key> both{new_key, old_key};
    for (const auto& k : both) CHECK(said(verify_jwt(issuer::signed_by(k, R"({"alg":"HS256","kid":"k"})", claims_with("")), both, {}, now)) == "accepted");
}

TEST_CASE("what is minted verifies, and can be looked at") {
    const auto& i = the_issuer();
    const auto claims = boost::json::parse(claims_with(R"(,"roles":["driver"])")).as_object();
    for (const auto* const k : {&i.hs, &i.rs, &i.es}) {
        const auto made = mint_jwt(*k, claims);
        REQUIRE(made);
        const auto verified = verify_jwt(*made, i.trusted, {}, now);
        REQUIRE_MESSAGE(verified, text(verified.error()));
        CHECK(verified->claims == claims);
        CHECK(verified->header.at("kid") == boost::json::value(k->id()));
        CHECK(decode_jwt(*made, 8'192)->claims == claims);
    }
    CHECK(mint_jwt(i.trusted[1], claims).error() == "the key has no private part to sign with");
    CHECK(decode_jwt("a.b", 100).error() == token_error::not_three_parts);
}

TEST_CASE("every error has a text of its own") {
    std::vector<std::string_view> seen;
    for (int e = 0; e <= static_cast<int>(token_error::no_user); ++e) {
        const auto t = text(static_cast<token_error>(e));
        CHECK_FALSE(t.empty());
        CHECK(std::find(seen.begin(), seen.end(), t) == seen.end());
        seen.push_back(t);
    }
}
