#include "security/jwks_cache.hpp"

#include <doctest/doctest.h>

using namespace broker;
using namespace broker::security;

namespace {

time_point at(std::int64_t s) { return from_epoch_ms(s * 1'000); }
std::string set_of(std::string_view id) {
    return R"({"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":")" + std::string{id} + "\"}]}";
}
constexpr std::string_view secret_set = R"({"keys":[{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}]})";

} // namespace

TEST_CASE("keys are fetched at once, then anew after their time") {
    jwks_cache c{{.refresh = seconds{100}}};
    CHECK(c.next_fetch() < at(0));
    CHECK(c.keys(at(0)) == nullptr);
    c.on_begun();
    CHECK(c.next_fetch() == never); // one at a time
    REQUIRE(c.on_fetched(set_of("a"), at(1)));
    CHECK(c.next_fetch() == at(101));
    CHECK(c.keys(at(50))->keys.at(0).id() == "a");
    c.on_begun();
    REQUIRE(c.on_fetched(set_of("b"), at(101)));
    CHECK(c.keys(at(101))->keys.at(0).id() == "b"); // rotated
}

TEST_CASE("an outage: the last keys stay good, retries come less and less often") {
    jwks_cache c{{.refresh = seconds{100}, .keep = seconds{1'000}, .retry_max = seconds{20}}};
    REQUIRE(c.on_fetched(set_of("a"), at(0)));
    for (const auto& [now, next] : {std::pair{100, 105}, {105, 115}, {115, 135}, {135, 155}}) {
        c.on_begun();
        c.on_failed(at(now));
        CHECK(c.next_fetch() == at(next));
    }
    CHECK(c.keys(at(1'000)) != nullptr);
    CHECK(c.keys(at(1'001)) == nullptr);
    c.on_begun();
    REQUIRE(c.on_fetched(set_of("a"), at(1'100)));
    CHECK(c.keys(at(1'100)) != nullptr);
    CHECK(c.next_fetch() == at(1'200));
    c.on_failed(at(1'200));
    CHECK(c.next_fetch() == at(1'205)); // from the start again
}

TEST_CASE("what cannot be used counts as failed and replaces nothing") {
    jwks_cache c{{}};
    REQUIRE(c.on_fetched(set_of("a"), at(0)));
    c.on_begun();
    CHECK(c.on_fetched("<html>", at(10)).error() == "not a JSON object");
    CHECK(c.next_fetch() == at(15));
    CHECK(c.on_fetched(secret_set, at(20)).error().contains("a secret in a set that others can read"));
    CHECK(c.keys(at(20))->keys.at(0).id() == "a");
}

TEST_CASE("an unknown key asks for a fetch, not more often than allowed") {
    jwks_cache c{{.refresh = seconds{1'000}, .unknown_every = seconds{30}}};
    REQUIRE(c.on_fetched(set_of("a"), at(0)));
    c.on_unknown_key(at(10));
    CHECK(c.next_fetch() == at(30));
    c.on_unknown_key(at(20));
    CHECK(c.next_fetch() == at(30));
    c.on_begun();
    REQUIRE(c.on_fetched(set_of("b"), at(30)));
    CHECK(c.next_fetch() == at(1'030));
    c.on_unknown_key(at(500));
    CHECK(c.next_fetch() == at(500));
    c.on_begun();
    c.on_failed(at(501));
    c.on_unknown_key(at(502)); // does not hurry an issuer that is down
    CHECK(c.next_fetch() == at(506));
}
