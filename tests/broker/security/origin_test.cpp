#include "security/origin.hpp"

#include <doctest/doctest.h>

using namespace broker::security;

namespace {

struct row {
    std::vector<std::string> entries;
    std::optional<std::string_view> origin;
    std::string_view host;
    bool allowed;
};

} // namespace

TEST_CASE("RFC 6454: which origins are allowed") {
    const std::vector<std::string> named{"https://app.example.com", "http://localhost:5173", "https://[::1]:8443", "capacitor://localhost"};
    const std::vector<std::string> below{"https://*.example.com"};
    for (const auto& r : std::initializer_list<row>{
             // Nothing configured: the same host and port.
             {{}, "https://b.example", "b.example", true},
             {{}, "https://b.example", "b.example:443", true},
             {{}, "http://b.example", "b.example:80", true},
             {{}, "http://B.Example:8083", "b.example:8083", true},
             {{}, "http://b.example", "b.example:8083", false},
             {{}, "https://evil.example", "b.example", false},
             {{}, "https://b.example.evil", "b.example", false},
             {{}, "https://xb.example", "b.example", false},
             {{}, "http://[::1]:8083", "[::1]:8083", true},
             {{}, "http://[::1]:8083", "[::2]:8083", false},
             {{}, "null", "b.example", false},
             {{}, "", "b.example", false},
             {{}, "", "", false},
             {{}, "https://", "", false},
             {{}, "b.example", "b.example", false},
             {{}, "https://b.example/", "b.example", false}, // no origin has a path
             {{}, "https://user@b.example", "b.example", false},
             {{}, "https://b.example:0", "b.example:0", false},
             {{}, "https://b.example:99999", "b.example", false},
             {{}, "https://b.example https://c.example", "b.example", false},
             {{}, std::nullopt, "b.example", true}, // not a browser
             // By name: then the same origin is not by itself.
             {named, "https://app.example.com", "b.example", true},
             {named, "https://app.example.com:443", "b.example", true},
             {named, "HTTPS://APP.example.com", "b.example", true},
             {named, "http://app.example.com", "b.example", false},
             {named, "https://app.example.com:8443", "b.example", false},
             {named, "https://app.example.com.evil", "b.example", false},
             {named, "http://localhost:5173", "b.example", true},
             {named, "http://localhost", "b.example", false},
             {named, "https://[::1]:8443", "b.example", true},
             {named, "capacitor://localhost", "b.example", true},
             {named, "https://b.example", "b.example", false},
             {{"same-origin", "https://app.example.com"}, "https://b.example", "b.example", true},
             {below, "https://a.example.com", "b", true},
             {below, "https://a.b.example.com", "b", true},
             {below, "https://example.com", "b", false},
             {below, "https://.example.com", "b", false},
             {below, "https://evilexample.com", "b", false},
             {below, "https://a.example.com:444", "b", false},
             {below, "http://a.example.com", "b", false},
             {below, "https://a.example.com.evil", "b", false},
             {{"*"}, "https://any.example", "b", true},
             {{"*"}, "null", "b", true},
         }) {
        const auto a = allowed_origins::make(r.entries);
        REQUIRE(a);
        const auto listed = r.entries.empty() ? std::string{"nothing"} : r.entries[0];
        CHECK_MESSAGE(a->allows(r.origin, r.host) == r.allowed, r.origin.value_or("(none)"), " to ", r.host, " with ", listed);
    }
    CHECK_FALSE(allowed_origins::make({}, false)->allows(std::nullopt, "b.example"));
}

TEST_CASE("entries that are no origins are refused") {
    for (const std::string bad : {"", "app.example.com", "https://", "https://app.example.com/", "https://a.*.example.com", "https://*", "*.example.com",
                                  "https://app.example.com:x", "https://a b", "://a"}) {
        const auto a = allowed_origins::make({bad});
        CHECK_MESSAGE(!a, bad);
        if (!a) CHECK(a.error() == "allowed origin '" + bad + "': write https://app.example.com, https://*.example.com, same-origin or *");
    }
}
