// The first byte says what the rest is: a token as a peer sends it, or the header, or the claims, of one that is signed rightly. What
// is accepted keeps what the rest of the server relies on, and its claims become rights or a refusal.
#include "core/assert.hpp"
#include "core/base64url.hpp"
#include "core/bytes.hpp"
#include "security/jwt.hpp"
#include "security/rights.hpp"
#include "security/token_rules.hpp"

using namespace broker;
using namespace broker::security;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    static const std::vector<key> keys{*key::from_secret(algorithm::hs256, std::string(32, 'k'), "k")};
    static const auto book = *rule_book::make({});
    const std::string input{as_text({data + 1, size - 1})};
    auto token = input;
    if (data[0] % 3 != 0) {
        const bool header = data[0] % 3 == 1;
        token = base64url(header ? input : R"({"alg":"HS256"})") + "." + base64url(header ? R"({"sub":"a","exp":2000000000})" : input);
        token += "." + base64url(*keys[0].sign(token));
    }
    const jwt_settings settings;
    const auto now = from_epoch_ms(1'800'000'000'000);
    const auto verified = verify_jwt(token, keys, settings, now);
    if (!verified) {
        BROKER_ASSERT(!text(verified.error()).empty());
        return 0;
    }
    BROKER_ASSERT(!verified->user.empty() && verified->expires > now - settings.leeway);
    BROKER_ASSERT(decode_jwt(token, settings.token_bytes_max)->claims == verified->claims);
    const auto given = rights_in(verified->claims, "");
    const auto values = values_of(verified->claims);
    if (!given || !values) return 0;
    for (const auto& r : given->rules) {
        const auto again = parse_rule(text(r), r.origin);
        BROKER_ASSERT(again && *again == r); // what the log shows is the rule
    }
    const auto r = book->rights_of({.user = verified->user, .client_id = "c", .roles = given->roles, .claims = *values, .own = given->rules});
    if (!r) return 0;
    for (const std::string_view topic : {"a", "a/b", "$SYS/x", "$queue/q"}) {
        const auto a = rights::subscribing_to(topic);
        const auto v = (*r)->verdict_on(a, topic);
        BROKER_ASSERT(((*r)->verdict_on_subscription(topic).what == coverage::all) == v.allowed);
    }
    return 0;
}
