#include "net/jwks_fetcher.hpp"

#include "support/http_peer.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <future>

using namespace broker;
using test::http_peer;

namespace {

std::string set_of(std::string_view id) {
    return R"({"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":")" + std::string{id} + "\"}]}";
}

// Until it holds: the fetcher has a thread of its own.
template <class Condition>
void wait_until(Condition condition) {
    while (!condition()) std::this_thread::yield();
}

struct bench {
    std::atomic<std::int64_t> second{1'000};
    alarms raised{};
    outside_counters count{};
    std::shared_ptr<security::issuer_keys> keys;

    explicit bench(const std::string& url) : keys{std::make_shared<security::issuer_keys>(url, security::jwks_cache::settings{.refresh = seconds{100}})} {}
    [[nodiscard]] time_point now() const { return from_epoch_ms(second * 1'000); }
    [[nodiscard]] std::string kid() const {
        const auto have = keys->keys(now());
        return have ? have->keys.at(0).id() : "";
    }
    // What a token with an unknown key hears of it: whether it had to wait.
    bool ask() {
        std::promise<void> told;
        const bool soon = keys->await_unknown(now(), [&told] { told.set_value(); });
        if (soon) told.get_future().wait();
        return soon;
    }
    std::unique_ptr<jwks_fetcher> start() {
        return std::make_unique<jwks_fetcher>(keys, *http_client::make(keys->url(), {}), raised, count, [this] { return now(); });
    }
};

} // namespace

TEST_CASE("keys are fetched, rotated for a token that names a new one, and kept through an outage") {
    std::mutex mutex;
    std::string answer = http_peer::ok(set_of("a"));
    const auto say = [&](std::string with) {
        const std::lock_guard lock{mutex};
        answer = std::move(with);
    };
    http_peer issuer{[&](const std::string&) {
        const std::lock_guard lock{mutex};
        return answer;
    }};
    bench b{issuer.url("/keys")};
    const auto fetcher = b.start();
    wait_until([&] { return b.kid() == "a"; });
    CHECK(issuer.requests().at(0).starts_with("GET /keys "));

    say(http_peer::ok(set_of("b")));
    CHECK_FALSE(b.ask()); // a moment after the last fetch: anybody can invent names
    b.second += 10;
    CHECK(b.ask());
    CHECK(b.kid() == "b");
    CHECK_FALSE(b.ask());
    wait_until([&] { return b.count.jwks_fetched == 2; });
    CHECK(b.raised.all().empty());

    b.second += 11;
    for (const auto& [bad, why] : {std::pair{http_peer::ok("<html>"), "not a JSON object"}, {http_peer::ok("", "500 Oops"), "HTTP status 500"},
                                   {http_peer::ok("", "302 Found"), "redirects are not followed"}, {http_peer::ok(std::string(300'000, ' ')), "larger than"}}) {
        say(bad);
        const auto before = b.count.jwks_failed.load();
        (void)b.ask();
        b.second += 400; // the next try is due, and before that the refresh
        (void)b.ask();
        wait_until([&] { return b.count.jwks_failed != before && !b.raised.all().empty() && b.raised.all().front().detail.contains(why); });
        CHECK(b.raised.all().front().name == "jwks_unavailable");
        CHECK(b.kid() == "b");
    }
    b.second += 24 * 3'600;
    CHECK(b.kid().empty());
    say(http_peer::ok(set_of("c")));
    wait_until([&] { b.second += 300; (void)b.ask(); return b.kid() == "c"; });
    wait_until([&] { return b.raised.all().empty(); });
}

TEST_CASE("whoever waits goes on when the fetcher ends, and keys go over to its successor") {
    std::atomic<bool> silent{false};
    http_peer issuer{[&](const std::string&) { return silent ? std::string{} : http_peer::ok(set_of("a")); }};
    bench b{issuer.url()};
    auto fetcher = b.start();
    wait_until([&] { return b.kid() == "a"; });
    silent = true;
    b.second += 50;
    std::promise<void> told;
    REQUIRE(b.keys->await_unknown(b.now(), [&told] { told.set_value(); }));
    wait_until([&] { return issuer.requests().size() == 2; });
    fetcher.reset(); // does not wait for the answer
    told.get_future().wait();
    b.keys = std::make_shared<security::issuer_keys>(*b.keys, security::jwks_cache::settings{});
    CHECK(b.kid() == "a");
    CHECK(b.keys->url() == issuer.url());
}
