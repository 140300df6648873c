// brokerctl token: mints, shows and verifies tokens with key files; no broker is asked. What is revoked is the running one's.
#include "cli/command.hpp"
#include "cli/output.hpp"
#include "cli/text_file.hpp"
#include "core/base64url.hpp"
#include "security/jwt.hpp"
#include "security/token_rules.hpp"

#include <CLI/CLI.hpp>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <openssl/rand.h>

#include <array>
#include <charconv>
#include <chrono>
#include <map>
#include <memory>

namespace broker::cli {

namespace {

namespace json = boost::json;

struct arguments {
    std::string token = "-";
    std::string key_file{};
    std::string algorithm{};
    std::string key_id{};
    std::string user{};
    std::int64_t ttl_s = 3'600;
    std::vector<std::string> roles{};
    std::vector<std::string> publish{};
    std::vector<std::string> subscribe{};
    std::vector<std::string> issuers{};
    std::vector<std::string> audiences{};
    std::vector<std::string> claims{};
    std::string token_id{};
    std::string issued_before{};
    std::size_t limit = 100;
    std::string after{};
    std::string user_claim = "sub";
    std::int64_t leeway_s = 30;
    std::string scope_prefix = "brokerd:";
};

time_point now() {
    return time_point{std::chrono::duration_cast<nanoseconds>(std::chrono::system_clock::now().time_since_epoch())};
}

std::string rfc3339(time_point t) {
    return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(static_cast<std::time_t>(epoch_ms(t) / 1'000)));
}

security::key_set keys_in(const arguments& a, bool secret) {
    if (secret) warn_if_others_read(a.key_file);
    const auto wanted = a.algorithm.empty() ? std::nullopt : security::algorithm_named(a.algorithm);
    auto keys = security::parse_key_file(read_text(a.key_file), wanted);
    if (!keys) throw std::runtime_error{fmt::format("{}: {}", a.key_file, keys.error())};
    return std::move(*keys);
}

std::string token_text(const arguments& a) {
    auto text = a.token == "-" ? read_text("-") : a.token; // an argument is seen by everybody who lists processes
    while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
    return text;
}

json::array list(const std::vector<std::string>& words) { return json::array(words.begin(), words.end()); } // not braces: those are a list of two

std::string random_id() {
    std::array<unsigned char, 16> bytes{};
    if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) throw std::runtime_error{"no random bytes"};
    return base64url({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

int mint(const arguments& a) {
    const auto issued = epoch_ms(now()) / 1'000;
    json::object claims{{"sub", a.user}, {"iat", issued}, {"exp", issued + a.ttl_s}, {"jti", random_id()}};
    if (!a.issuers.empty()) claims["iss"] = a.issuers.front();
    if (!a.audiences.empty()) claims["aud"] = list(a.audiences);
    if (!a.roles.empty()) claims["roles"] = list(a.roles);
    json::object acl;
    if (!a.publish.empty()) acl["pub"] = list(a.publish);
    if (!a.subscribe.empty()) acl["sub"] = list(a.subscribe);
    if (!acl.empty()) claims["acl"] = std::move(acl);
    for (const auto& c : a.claims) {
        const auto equals = c.find('=');
        if (equals == std::string::npos) return say(usage, fmt::format("--claim {}: write NAME=VALUE", c));
        boost::system::error_code ec;
        auto value = json::parse(c.substr(equals + 1), ec);
        claims[c.substr(0, equals)] = ec ? json::value(c.substr(equals + 1)) : std::move(value); // JSON if it is, else text
    }
    // What the broker would refuse is not minted.
    if (const auto rights = security::rights_in(claims, a.scope_prefix); !rights) return say(usage, rights.error());
    auto keys = keys_in(a, true);
    const auto made = security::mint_jwt(keys.keys.front().with_id(a.key_id), claims);
    if (!made) return say(refused, fmt::format("{}: {}", a.key_file, made.error()));
    if (made->size() > security::jwt_settings{}.token_bytes_max) return say(refused, fmt::format("the token has {} bytes; brokers take 8192", made->size()));
    fmt::print("{}\n", *made);
    return 0;
}

int show_object(const settings& s, json::object o) {
    return show(s, {.status = 200, .body = json::serialize(o) + "\n"}, {});
}

int inspect(const settings& s, const arguments& a) {
    const auto decoded = security::decode_jwt(token_text(a), 1024 * 1024);
    if (!decoded) return say(refused, fmt::format("the token is {}", security::text(decoded.error())));
    json::object shown{{"header", decoded->header}, {"claims", decoded->claims}, {"verified", false}};
    if (s.output == "json") return show_object(s, std::move(shown));
    for (const auto* const part : {"header", "claims"}) {
        fmt::print("{}\n", part);
        for (const auto& [name, value] : shown.at(part).as_object()) {
            const bool date = value.is_int64() && value.get_int64() >= 0 && value.get_int64() < 9'000'000'000 && (name == "exp" || name == "nbf" || name == "iat");
            const auto when = date ? "  " + rfc3339(from_epoch_ms(value.get_int64() * 1'000)) : std::string{};
            fmt::print("  {}  {}{}\n", printable(std::string_view{name}), printable(text_of(value)), when);
        }
    }
    fmt::print("the signature was not checked: brokerctl token verify\n");
    return 0;
}

int verify(const settings& s, const arguments& a) {
    const auto keys = keys_in(a, false);
    for (const auto& line : keys.left_out) fmt::print(stderr, "brokerctl: {}: {}: left out\n", a.key_file, line);
    const security::jwt_settings wanted{.issuers = a.issuers, .audiences = a.audiences, .leeway = seconds{a.leeway_s}, .user_claim = a.user_claim};
    const auto verified = security::verify_jwt(token_text(a), keys.keys, wanted, now());
    if (!verified) return say(check_failed, fmt::format("not accepted: {}", security::text(verified.error())));
    const auto rights = security::rights_in(verified->claims, a.scope_prefix);
    if (!rights) return say(check_failed, fmt::format("not accepted: {}", rights.error()));
    json::array rules;
    for (const auto& r : rights->rules) rules.emplace_back(security::text(r));
    return show_object(s, {{"user", verified->user}, {"id", verified->id}, {"expires_at", rfc3339(verified->expires)}, {"roles", list(rights->roles)},
                           {"rules", rules}});
}

// Of the running broker; "now" or seconds since 1970.
int revoke(const settings& s, const arguments& a) {
    json::object body;
    if (!a.token_id.empty()) body["jti"] = a.token_id;
    if (!a.user.empty()) body["user"] = a.user;
    if (a.issued_before == "now" || (a.issued_before.empty() && !a.user.empty())) {
        body["issued_before"] = epoch_ms(now()) / 1'000 + 1; // those of this second too
    } else if (!a.issued_before.empty()) {
        std::int64_t seconds = 0;
        const auto [end, bad] = std::from_chars(a.issued_before.data(), a.issued_before.data() + a.issued_before.size(), seconds);
        if (bad != std::errc{} || *end != '\0') return say(usage, "--issued-before: write now, or seconds since 1970");
        body["issued_before"] = seconds;
    }
    if (body.empty()) return say(usage, "write --jti, --user or --issued-before");
    const auto answered = s.broker().call("POST", "/api/v1/tokens/revoke", json::serialize(body));
    if (answered.status != 200) return failed(answered);
    return 0;
}

int list_revoked(const settings& s, const arguments& a) {
    const auto answered = s.broker().call("GET", fmt::format("/api/v1/tokens/revoked?limit={}&cursor={}", a.limit, encode_percent(a.after)));
    return show(s, answered, {"kind", "name", "issued_before", "until"});
}

CLI::App* with_key(CLI::App* verb, arguments& a, const char* what) {
    verb->add_option("--key", a.key_file, what)->required();
    verb->add_option("--alg", a.algorithm, "What the key must be for (default: as the key is; HS256 for a secret).")
        ->check(CLI::IsMember({"HS256", "HS384", "HS512", "RS256", "PS256", "ES256", "EdDSA"}));
    verb->add_option("--scope-prefix", a.scope_prefix, "Before OAuth scopes that are the broker's (default: brokerd:).");
    return verb;
}

} // namespace

void add_token_commands(CLI::App& app, const settings& s, int& status) {
    const auto args = std::make_shared<arguments>();
    auto& a = *args; // the callbacks keep it
    auto* const tokens = app.add_subcommand("token", "Tokens (JWT).")->require_subcommand(1);

    auto* const minted = with_key(tokens->add_subcommand("mint", "Makes one: brokerctl token mint --key key.pem --sub anna --ttl 1h --subscribe 'room/#'"), a,
                                  "Private key (PEM), secret, or JWK with a secret; - is standard input.");
    minted->add_option("--kid", a.key_id, "The key's name, for the token's header.");
    minted->add_option("--sub", a.user, "The user.")->required();
    minted->add_option("--ttl", a.ttl_s, "How long it is good: 30s, 15m, 12h, 7d (default: 1h).")
        ->transform(CLI::AsNumberWithUnit(std::map<std::string, std::int64_t>{{"s", 1}, {"m", 60}, {"h", 3'600}, {"d", 86'400}}, CLI::AsNumberWithUnit::UNIT_REQUIRED))
        ->check(CLI::PositiveNumber);
    minted->add_option("--role", a.roles, "A role; repeats.");
    minted->add_option("--publish", a.publish, "A topic filter it may publish to; repeats.");
    minted->add_option("--subscribe", a.subscribe, "A topic filter it may subscribe to; repeats.");
    minted->add_option("--iss", a.issuers, "The issuer.")->expected(1);
    minted->add_option("--aud", a.audiences, "Whom it is for; repeats.");
    minted->add_option("--claim", a.claims, "Another claim, NAME=VALUE, JSON or text; repeats.");
    minted->callback([args, &status] { status = mint(*args); });

    auto* const inspected = tokens->add_subcommand("inspect", "Shows what one says, unverified.");
    inspected->add_option("TOKEN", a.token, "The token; without it or with -: standard input.");
    inspected->callback([args, &s, &status] { status = inspect(s, *args); });

    auto* const revoking = tokens->add_subcommand("revoke", "Tokens are not good any more, and who came with them is disconnected: of the running broker.");
    revoking->add_option("--jti", a.token_id, "One token, by its id.");
    revoking->add_option("--user", a.user, "All of a user.");
    revoking->add_option("--issued-before", a.issued_before, "Those older than this, seconds since 1970 or now; without --user of everybody.");
    revoking->callback([args, &s, &status] { status = revoke(s, *args); });

    auto* const revoked = tokens->add_subcommand("revoked", "What is revoked.")->require_subcommand(1);
    auto* const listed = revoked->add_subcommand("list", "Everybody's tokens, those of users, tokens by id: of the running broker.");
    listed->add_option("--limit", a.limit, "How many (default: 100; at most 1000).")->check(CLI::PositiveNumber);
    listed->add_option("--after", a.after, "Those behind KIND:NAME, the last line of the page before: user:anna.");
    listed->callback([args, &s, &status] { status = list_revoked(s, *args); });

    auto* const verified = with_key(tokens->add_subcommand("verify", "Says whether a broker would accept one, and what it may; exit status 2: not."), a,
                                    "Public key or certificate (PEM), secret, JWK or JWKS.");
    verified->add_option("TOKEN", a.token, "The token; without it or with -: standard input.");
    verified->add_option("--iss", a.issuers, "An issuer that is trusted; repeats (default: any).");
    verified->add_option("--aud", a.audiences, "What the broker is called; repeats.");
    verified->add_option("--user-claim", a.user_claim, "The claim that names the user (default: sub).");
    verified->add_option("--leeway", a.leeway_s, "Seconds by which clocks may differ (default: 30).")->check(CLI::Range(0, 86'400));
    verified->callback([args, &s, &status] { status = verify(s, *args); });
}

} // namespace broker::cli
