#include "security/access_control.hpp"

#include <boost/json/parse.hpp>
#include <doctest/doctest.h>

using namespace broker;
using namespace broker::security;

namespace {

constexpr hash_cost cheap{.memory_bytes = 64 * 1024, .passes = 1};
const time_point now = from_epoch_ms(1'800'000'000'000);

struct bench {
    key issuer = *key::from_secret(algorithm::hs256, std::string(32, 'k'), "k");
    access_settings settings{};
    policy rules{};
    stored_access stored{};
    std::vector<user> users{{.name = "anna", .hash = *password_hash::of("pw", cheap)}, {.name = "off", .hash = *password_hash::of("pw", cheap), .disabled = true}};

    [[nodiscard]] access_control made() const {
        return {settings, {issuer}, std::make_shared<user_table>(*user_table::make(users, cheap)), *rule_book::make(rules)};
    }
    [[nodiscard]] std::string token(std::string_view more = "", std::string_view sub = "anna") const {
        const auto claims = R"({"sub":")" + std::string{sub} + R"(","exp":1800000100,"iat":1799999000,"jti":"7")" + std::string{more} + "}";
        return *mint_jwt(issuer, boost::json::parse(claims).as_object());
    }
    [[nodiscard]] access_decision decided(const credentials& request, const credentials& connect) const {
        const auto a = made();
        auto d = a.decide(request, connect, "phone", stored, now);
        if (const auto* const q = std::get_if<password_question>(&d)) d = a.answer(*q);
        return d;
    }
    // "jwt anna", "no: why"
    [[nodiscard]] std::string said(const credentials& request, const credentials& connect) const { return words(decided(request, connect)); }
    [[nodiscard]] static std::string words(const access_decision& d) {
        if (const auto* const no = std::get_if<denied>(&d)) return "no: " + no->why;
        const auto& yes = std::get<admitted>(d);
        return std::string{name(yes.by)} + " " + yes.who.user;
    }
};

credentials login(std::string_view user, std::string_view password) { return {.user = std::string{user}, .password = std::string{password}}; }
credentials bearer(const std::string& token) { return {.token = token}; }

} // namespace

TEST_CASE("the first method that recognises a credential decides") {
    bench b;
    CHECK(b.said(bearer(b.token()), {}) == "jwt anna");
    CHECK(b.said({}, bearer(b.token())) == "jwt anna");
    CHECK(b.said({}, login("anna", "pw")) == "users anna");
    CHECK(b.said(login("anna", "pw"), {}) == "users anna"); // Basic
    CHECK(b.said({}, login("anna", "no")) == "no: user 'anna': unknown, disabled or another password");
    CHECK(b.said({}, login("nobody", "pw")) == "no: user 'nobody': unknown, disabled or another password");
    CHECK(b.said({}, login("off", "pw")) == "no: user 'off': unknown, disabled or another password");
    CHECK(b.said({}, {}) == "no: no credentials");
    CHECK(b.said({}, {.user = "anna"}) == "no: no method recognises the credentials"); // a name proves nothing
    CHECK(b.said({}, {.password = "pw"}) == "no: no method recognises the credentials");
    // A token that is refused is not tried as a password.
    CHECK(b.said({}, login("anna", b.token() + "x")) == "no: token: bad signature");
    b.settings.order = {method::users};
    CHECK(b.said(bearer(b.token()), {}) == "no: no method recognises the credentials");
    CHECK(b.said({}, login("anna", b.token())) == "no: user 'anna': unknown, disabled or another password");
}

TEST_CASE("a token as a password: with its user's name, or one that names nobody") {
    const bench b;
    for (const auto* const name : {"anna", "", "token", "jwt", "bearer"}) CHECK(b.said({}, login(name, b.token())) == "jwt anna");
    CHECK(b.said({}, login("bert", b.token())) == "no: the token of 'anna' with the name of another user");
    CHECK(b.said({}, login("anna", "a.b.c")) == "no: user 'anna': unknown, disabled or another password"); // no token, a password with dots
}

TEST_CASE("a request and CONNECT must not contradict each other") {
    const bench b;
    CHECK(b.said(bearer(b.token()), {.user = "anna"}) == "jwt anna");
    CHECK(b.said(bearer(b.token()), {.user = "bert"}) == "no: the token of 'anna' with the name of another user");
    CHECK(b.said(bearer(b.token()), login("anna", "pw")) == "no: the request has credentials and CONNECT has others");
    CHECK(b.said(bearer(b.token()), login("anna", b.token())) == "jwt anna"); // the same again
    CHECK(b.said(bearer(b.token()), login("bert", b.token())) == "no: the token of 'anna' with the name of another user");
    CHECK(b.said(login("anna", "pw"), {.user = "anna"}) == "users anna");
    CHECK(b.said(login("anna", "pw"), login("anna", "pw")) == "users anna");
    CHECK(b.said(login("anna", "pw"), login("anna", "x")) == "no: the request has credentials and CONNECT has others");
    CHECK(b.said(login("anna", "pw"), {.user = "bert"}) == "no: the request and CONNECT name different users");
}

TEST_CASE("a certificate is its client's name, for those who bring nothing else, and if it is written out") {
    bench b;
    const auto shows = [](credentials c) {
        c.certificate = "device";
        return c;
    };
    CHECK(b.said(shows({}), shows({})) == "no: no credentials");
    b.settings.order = {method::token, method::users, method::certificate};
    CHECK(b.said(shows({}), shows({})) == "certificate device");
    CHECK(b.said(shows({}), shows({.user = "device"})) == "certificate device");
    CHECK(b.said(shows({}), shows({.user = "anna"})) == "no: the certificate of 'device' with the name of another user");
    CHECK(b.said(shows({}), shows(login("anna", "pw"))) == "users anna");
    CHECK(b.said(shows({}), shows(login("anna", "x"))) == "no: user 'anna': unknown, disabled or another password");
    CHECK(b.said(shows(login("anna", "pw")), shows(login("anna", "pw"))) == "users anna");
    CHECK(b.said(shows(bearer(b.token())), shows({})) == "jwt anna");
    CHECK(b.said({}, {}) == "no: no credentials");
    credentials odd{.certificate = std::string{"a\0b", 3}};
    CHECK(b.said(odd, odd) == "no: the certificate's name is no text");
    odd.certificate = "apikey:x";
    CHECK(b.said(odd, odd) == "no: user 'apikey:x': such names are those of API keys");
    const auto in = std::get<admitted>(b.decided(shows({}), shows({})));
    CHECK(bench::words(b.made().under_new_rules(in, b.stored)) == "certificate device");
    b.settings.order = {method::token};
    CHECK(bench::words(b.made().under_new_rules(in, b.stored)) == "no: certificate of 'device': certificates are not taken any more");
}

TEST_CASE("anonymous clients are let in if it is written out, and only those who bring nothing") {
    bench b;
    b.settings.anonymous = true;
    CHECK(b.said({}, {}) == "anonymous ");
    CHECK(b.said({}, login("anna", "no")) == "no: user 'anna': unknown, disabled or another password");
    CHECK(b.said({}, {.user = "anna"}) == "no: no method recognises the credentials");
    CHECK(b.said(bearer("a.b.c"), {}) == "no: token: not base64url");
}

TEST_CASE("a token brings its life, its rights and its claims") {
    bench b;
    b.rules.roles = {{.name = "driver", .rules = {*parse_rule("allow publish fleet/%{tenant}/%c", "driver")}}};
    const auto d = b.decided(bearer(b.token(R"(,"roles":["driver"],"tenant":"t1","acl":{"sub":["in/%u"]})")), {});
    REQUIRE(std::holds_alternative<admitted>(d));
    const auto& a = std::get<admitted>(d);
    CHECK(a.expires == from_epoch_ms(1'800'000'100'000));
    CHECK(a.token_id == "7");
    CHECK(a.may->verdict_on(action::publish, "fleet/t1/phone").allowed);
    CHECK_FALSE(a.may->verdict_on(action::publish, "fleet/t2/phone").allowed);
    CHECK(a.may->verdict_on_subscription("in/anna").what == coverage::all);
    CHECK(b.said(bearer(b.token(R"(,"acl":7)")), {}) == "no: token of 'anna': acl: it is neither an object nor a list");
}

TEST_CASE("refused tokens: expired is told apart, nothing else") {
    const bench b;
    const auto old = *mint_jwt(b.issuer, boost::json::parse(R"({"sub":"a","exp":1700000000})").as_object());
    CHECK(std::get<denied>(b.decided(bearer(old), {})).expired);
    const auto other = *mint_jwt(*key::from_secret(algorithm::hs256, std::string(32, 'x')), boost::json::parse(R"({"sub":"a","exp":1700000000})").as_object());
    CHECK_FALSE(std::get<denied>(b.decided(bearer(other), {})).expired);
}

TEST_CASE("client ids that connect does not allow") {
    bench b;
    b.rules.roles = {{.name = "r", .rules = {*parse_rule("allow connect %u/+", ""), *parse_rule("allow all #", "")}}};
    b.rules.everybody = {"r"};
    CHECK(b.said(bearer(b.token()), {}) == "no: client id 'phone': no rule allows it");
    b.rules.roles[0].rules[0] = *parse_rule("deny connect phone", "");
    CHECK(b.said(bearer(b.token()), {}) == "no: client id 'phone': deny connect phone");
}

TEST_CASE("revoked tokens, and new ones on an open connection") {
    bench b;
    const auto before = std::get<admitted>(b.decided(bearer(b.token()), {}));
    const auto later = *mint_jwt(b.issuer, boost::json::parse(R"({"sub":"anna","exp":1800009999,"iat":1800000000})").as_object());
    const auto renewed = b.made().renew(before, later, b.stored, now);
    REQUIRE(std::holds_alternative<admitted>(renewed));
    CHECK(std::get<admitted>(renewed).expires == from_epoch_ms(1'800'009'999'000));
    CHECK(std::get<admitted>(renewed).who.client_id == "phone");
    CHECK(bench::words(b.made().renew(before, b.token("", "bert"), b.stored, now)) == "no: a token of 'bert' on a connection of 'anna'");
    CHECK(bench::words(b.made().renew(before, "x", b.stored, now)) == "no: token: not three parts");

    CHECK(bench::words(b.made().under_new_rules(before, b.stored)) == "jwt anna");
    REQUIRE(b.stored.revoked.revoke_id("7", never));
    CHECK(b.said(bearer(b.token()), {}) == "no: token of 'anna': revoked");
    CHECK(bench::words(b.made().under_new_rules(before, b.stored)) == "no: token of 'anna': revoked");
}

TEST_CASE("an API key is known by its form, wherever it is, and is a user of its own") {
    bench b;
    const auto made_key = [&](std::string name, std::vector<std::string> scopes, time_point expires = never) {
        const auto text = new_api_key(name);
        REQUIRE(b.stored.keys.add(*make_api_key({.name = name, .digest = digest_of(api_key_in(text)->secret), .expires = expires, .scopes = scopes})));
        return text;
    };
    const auto key = made_key("sensor", {"publish:out/#", "role:r"});
    CHECK(b.said(bearer(key), {}) == "apikeys apikey:sensor");
    CHECK(b.said({}, bearer(key)) == "apikeys apikey:sensor");
    for (const auto* const name : {"", "apikey", "token", "sensor", "apikey:sensor"}) CHECK(b.said({}, login(name, key)) == "apikeys apikey:sensor");
    CHECK(b.said({}, login("anna", key)) == "no: API key 'sensor': with the name of another user");
    CHECK(b.said(bearer(key), {.user = "anna"}) == "no: API key 'sensor': with the name of another user");
    auto other = key;
    other.back() = other.back() == 'A' ? 'Q' : 'A';
    CHECK(b.said(bearer(other), {}) == "no: API key 'sensor': unknown, or another secret");
    CHECK(b.said(bearer("bk_nobody" + key.substr(9)), {}) == "no: API key 'nobody': unknown, or another secret");
    CHECK(b.said(bearer(made_key("old", {}, now)), {}) == "no: API key 'old': expired");
    CHECK(b.said({}, login("anna", "bk_pw")) == "no: user 'anna': unknown, disabled or another password"); // a password that begins so

    b.rules.roles = {{.name = "r", .rules = {*parse_rule("allow subscribe in/%u", "")}}};
    const auto in = std::get<admitted>(b.decided(bearer(key), {}));
    CHECK(in.expires == never);
    CHECK(in.may->verdict_on(action::publish, "out/a").allowed);
    CHECK_FALSE(in.may->verdict_on(action::publish, "in/a").allowed);
    CHECK(in.may->verdict_on_subscription("in/apikey:sensor").what == coverage::all);
    CHECK_FALSE(in.may->verdict_on(action::manage, "status").allowed);
    CHECK(std::get<admitted>(b.decided(bearer(made_key("boss", {"manage"})), {})).may->verdict_on(action::manage, "status").allowed);

    CHECK(bench::words(b.made().renew(in, key, b.stored, now)) == "apikeys apikey:sensor");
    CHECK(bench::words(b.made().renew(in, b.token(), b.stored, now)) == "no: a token of 'anna' on a connection of 'apikey:sensor'");
    CHECK(bench::words(b.made().under_new_rules(in, b.stored)) == "apikeys apikey:sensor");
    CHECK(b.stored.keys.erase("sensor"));
    CHECK(bench::words(b.made().under_new_rules(in, b.stored)) == "no: API key 'sensor': deleted");
    (void)made_key("sensor", {}); // another one of that name
    CHECK(bench::words(b.made().under_new_rules(in, b.stored)) == "no: API key 'sensor': deleted");
    CHECK(b.said(bearer(key), {}) == "no: API key 'sensor': unknown, or another secret");
}

TEST_CASE("users of the store come in beside those of the file, who come first") {
    bench b;
    CHECK(b.said({}, login("dora", "d")) == "no: user 'dora': unknown, disabled or another password");
    b.stored.users.put({.name = "dora", .hash = *password_hash::of("d", cheap)});
    b.stored.users.put({.name = "anna", .hash = *password_hash::of("stored", cheap)});
    CHECK(b.said({}, login("dora", "d")) == "users dora");
    CHECK(b.said({}, login("dora", "x")) == "no: user 'dora': unknown, disabled or another password");
    CHECK(b.said({}, login("anna", "pw")) == "users anna");
    CHECK(b.said({}, login("anna", "stored")) == "no: user 'anna': unknown, disabled or another password");

    const auto dora = std::get<admitted>(b.decided({}, login("dora", "d")));
    CHECK(bench::words(b.made().under_new_rules(dora, b.stored)) == "users dora");
    auto changed = *b.stored.users.find("dora");
    changed.disabled = true;
    b.stored.users.put(changed);
    CHECK(bench::words(b.made().under_new_rules(dora, b.stored)) == "no: user 'dora': deleted, disabled, or has another password");
    CHECK(b.said({}, login("dora", "d")) == "no: user 'dora': unknown, disabled or another password");
    changed.disabled = false;
    b.stored.users.put(changed);
    CHECK(bench::words(b.made().under_new_rules(dora, b.stored)) == "users dora");
    b.users.push_back({.name = "dora", .hash = *password_hash::of("d", cheap)}); // somebody else's, in the file
    CHECK(bench::words(b.made().under_new_rules(dora, b.stored)) == "no: user 'dora': deleted, disabled, or has another password");
}

TEST_CASE("where no users are expected the logins of those in the store are taken") {
    bench b;
    b.settings.expects_users = false;
    b.users.clear();
    CHECK(b.said({}, login("dora", "d")) == "no: no method recognises the credentials");
    b.stored.users.put({.name = "dora", .hash = *password_hash::of("d", cheap)});
    CHECK(b.said({}, login("dora", "d")) == "users dora");
    CHECK(b.said({}, login("dora", "x")) == "no: user 'dora': unknown, disabled or another password");
    CHECK(b.said({}, login("anna", "d")) == "no: no method recognises the credentials");
}

TEST_CASE("nobody but an API key has the name of one") {
    const bench b;
    CHECK(b.said(bearer(b.token("", "apikey:sensor")), {}) == "no: user 'apikey:sensor': such names are those of API keys");
}

TEST_CASE("changed users and rules meet those who are connected") {
    bench b;
    b.settings.anonymous = true;
    const auto anna = std::get<admitted>(b.decided({}, login("anna", "pw")));
    const auto nobody = std::get<admitted>(b.decided({}, {}));
    b.rules.roles = {{.name = "r", .rules = {*parse_rule("allow publish a", "")}}};
    b.rules.everybody = {"r"};
    const auto after = b.made().under_new_rules(anna, b.stored);
    REQUIRE(std::holds_alternative<admitted>(after));
    CHECK_FALSE(std::get<admitted>(after).may->verdict_on(action::publish, "b").allowed);
    b.users[0].disabled = true;
    CHECK(bench::words(b.made().under_new_rules(anna, b.stored)) == "no: user 'anna': deleted, disabled, or has another password");
    b.users[0] = {.name = "anna", .hash = *password_hash::of("pw", cheap)}; // another salt: somebody has set it anew
    CHECK(bench::words(b.made().under_new_rules(anna, b.stored)) == "no: user 'anna': deleted, disabled, or has another password");
    b.users.clear();
    CHECK(bench::words(b.made().under_new_rules(anna, b.stored)) == "no: user 'anna': deleted, disabled, or has another password");
    CHECK(bench::words(b.made().under_new_rules(nobody, b.stored)) == "anonymous ");
    b.settings.anonymous = false;
    CHECK(bench::words(b.made().under_new_rules(nobody, b.stored)) == "no: anonymous clients are not let in any more");
}

TEST_CASE("an issuer's keys beside our own: what it has now counts") {
    const bench b;
    constexpr std::string_view private_key = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n";
    const auto theirs = *key::from_pem(private_key, {}, "e"); // RFC 8037 §A.1
    const auto set_of = [](std::string_view id) {
        return R"({"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":")" + std::string{id} + "\"}]}";
    };
    const auto issuer = std::make_shared<issuer_keys>("https://issuer.example/keys", jwks_cache::settings{});
    const access_control a{b.settings, {b.issuer}, std::make_shared<user_table>(*user_table::make({}, cheap)), *rule_book::make(b.rules), issuer};
    const auto by = [&](const std::string& token, time_point at = now) { return a.decide({}, bearer(token), "phone", b.stored, at); };
    const auto token = *mint_jwt(theirs, boost::json::parse(R"({"sub":"eve","exp":1800000100})").as_object());

    const auto none = std::get<denied>(by(token));
    CHECK(none.why == "token: unknown key, and the issuer's are not to be had");
    CHECK(none.unknown_key);
    CHECK(none.unavailable);
    CHECK(bench::words(by(b.token())) == "jwt anna"); // by a key of ours
    int told = 0;
    CHECK(a.await_keys(now, [&told] { ++told; })); // the first fetch is due
    REQUIRE(issuer->on_fetched(set_of("other"), now));
    CHECK(told == 1);
    const auto other = std::get<denied>(by(token));
    CHECK(other.why == "token: unknown key");
    CHECK(other.unknown_key);
    CHECK_FALSE(other.unavailable);
    CHECK_FALSE(a.await_keys(now, [&told] { ++told; })); // asked for a moment ago
    REQUIRE(issuer->on_fetched(set_of("e"), now));
    CHECK(bench::words(by(token)) == "jwt eve");
    CHECK(bench::words(by(b.token())) == "jwt anna");
    CHECK(bench::words(by(token.substr(0, token.size() - 4) + "AAAA")) == "no: token: bad signature");
    CHECK(bench::words(by(b.token().substr(0, b.token().size() - 4) + "AAAA")) == "no: token: bad signature");
    // A secret is no key of theirs, and their public key no secret.
    const auto forged = *mint_jwt(*key::from_secret(algorithm::hs256, "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "e"),
                                  boost::json::parse(R"({"sub":"eve","exp":1800000100})").as_object());
    CHECK(bench::words(by(forged)).starts_with("no: token: "));
}

TEST_CASE("an outage of the issuer: its keys of a day ago are not used any more") {
    const bench b;
    const auto issuer = std::make_shared<issuer_keys>("https://issuer.example/keys", jwks_cache::settings{});
    const access_control a{b.settings, {}, std::make_shared<user_table>(*user_table::make({}, cheap)), *rule_book::make(b.rules), issuer};
    REQUIRE(issuer->on_fetched(R"({"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]})", now));
    const auto token = *mint_jwt(*key::from_pem("-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n"),
                                 boost::json::parse(R"({"sub":"eve","exp":1900000000})").as_object());
    const auto said_at = [&](seconds later) { return bench::words(a.decide({}, bearer(token), "c", b.stored, now + later)); };
    CHECK(said_at(seconds{0}) == "jwt eve");
    issuer->on_failed(now + seconds{3'600});
    CHECK(said_at(seconds{24 * 3'600}) == "jwt eve");
    CHECK(said_at(seconds{24 * 3'600 + 1}) == "no: token: unknown key, and the issuer's are not to be had");
    CHECK_FALSE(a.await_keys(now + seconds{3'601}, [] {})); // it has trouble enough
}

TEST_CASE("how many may wait for keys has a bound") {
    issuer_keys k{"https://issuer.example/keys", {}};
    for (std::size_t i = 0; i != issuer_keys::waiting_max; ++i) REQUIRE(k.await_unknown(now, [] {}));
    CHECK_FALSE(k.await_unknown(now, [] {}));
    k.on_failed(now);
    CHECK_FALSE(k.await_unknown(now, [] {})); // nobody waits for the next try
    CHECK(k.await_unknown(now + seconds{5}, [] {})); // it is due
}

TEST_CASE("a hook: what the methods before it do not recognise, and what it says") {
    bench b;
    b.settings.order = {method::token, method::http, method::users};
    b.settings.hook = true;
    const auto asked = [&](const credentials& with) {
        const auto d = b.made().decide({}, with, "phone", b.stored, now);
        const auto* const q = std::get_if<hook_question>(&d);
        return q == nullptr ? std::optional<hook_question>{} : *q;
    };
    CHECK_FALSE(asked({}));
    CHECK_FALSE(asked({.user = "anna"}));
    CHECK_FALSE(asked(bearer(b.token())));                 // a token is the tokens' own
    CHECK_FALSE(asked(login("anna", b.token())));
    CHECK_FALSE(asked(login("anna", "\xFF")));             // JSON cannot say it
    CHECK(asked(login("", "opaque")));
    CHECK_FALSE(asked({.token = "opaque"})); // a bearer token is, too
    const auto q = asked(login("anna", "pw"));
    REQUIRE(q);
    CHECK(q->client_id == "phone");

    using verdict = hook_answer::verdict;
    const auto said = [&](const hook_question& question, const hook_answer& answer) {
        auto d = b.made().answer(question, answer, b.stored, now);
        if (const auto* const password = std::get_if<password_question>(&d)) d = b.made().answer(*password);
        return bench::words(d);
    };
    CHECK(said(*q, {.what = verdict::allow}) == "http anna");
    CHECK(said(*q, {.what = verdict::allow, .user = "tenant/anna"}) == "http tenant/anna");
    CHECK(said(*q, {.what = verdict::deny}) == "no: user 'anna': the hook denies it");
    CHECK(said(*q, {.what = verdict::ignore}) == "users anna"); // the method behind it
    CHECK(said(*asked(login("", "opaque")), {.what = verdict::ignore}) == "no: no method recognises the credentials");
    CHECK(said(*asked(login("", "opaque")), {.what = verdict::allow}).starts_with("no: the hook lets in somebody without a name"));
    CHECK(said(*q, {.what = verdict::allow, .expires = now}).contains("a time that has passed"));

    b.rules.roles = {{.name = "driver", .rules = {*parse_rule("allow publish cars/%u", "driver")}}};
    const auto rich = b.made().answer(*q, {.what = verdict::allow, .rights = {.rules = {*parse_rule("allow subscribe in/%c", "token")}, .roles = {"driver"}}, .expires = now + seconds{9}},
                                      b.stored, now);
    REQUIRE(std::holds_alternative<admitted>(rich));
    const auto& a = std::get<admitted>(rich);
    CHECK(a.expires == now + seconds{9});
    CHECK(a.may->verdict_on(action::publish, "cars/anna").allowed);
    CHECK_FALSE(a.may->verdict_on(action::publish, "cars/bert").allowed);
    CHECK(a.may->verdict_on_subscription("in/phone").what == coverage::all);
    CHECK(bench::words(b.made().under_new_rules(a, b.stored)) == "http anna");
    b.settings.hook = false;
    CHECK(bench::words(b.made().under_new_rules(a, b.stored)) == "no: the hook is not asked any more");
}

TEST_CASE("what somebody may can be asked: with his roles, those said, and what an API key brings") {
    bench b;
    b.rules.roles = {{.name = "own", .rules = {*parse_rule("allow publish %u/%{tenant}", "own")}}, {.name = "more", .rules = {*parse_rule("allow publish more", "more")}}};
    b.rules.users["anna"] = {"own"};
    CHECK(b.stored.keys.add(*make_api_key({.name = "sensor", .scopes = {"publish:out/#", "role:more"}})));
    const auto may = [&](identity who, std::string_view topic) {
        const auto r = b.made().rights_of(std::move(who), b.stored);
        return r ? ((*r)->verdict_on(action::publish, topic).allowed ? "yes" : "no") : r.error();
    };
    CHECK(may({.user = "anna", .claims = {{"tenant", {"x"}}}}, "anna/x") == "yes");
    CHECK(may({.user = "anna"}, "anna/x") == "no");
    CHECK(may({.user = "bert", .claims = {{"tenant", {"x"}}}}, "bert/x") == "no");
    CHECK(may({.user = "bert", .roles = {"more", "unknown"}}, "more") == "yes");
    CHECK(may({.user = "apikey:sensor"}, "out/a") == "yes");
    CHECK(may({.user = "apikey:sensor"}, "more") == "yes");
    CHECK(may({.user = "apikey:sensor"}, "other") == "no");
    CHECK(may({.user = "apikey:gone"}, "out/a") == "there is no API key for the user 'apikey:gone'");
}
