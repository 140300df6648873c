#include "security/credentials.hpp"

#include <doctest/doctest.h>

#include <vector>

using namespace broker::security;

namespace {

std::string found(std::string_view target, const std::vector<header_line>& headers, const credential_sources& sources = {.cookie = "bt"}) {
    const auto c = credentials_in(target, headers, sources);
    if (!c) return c.error();
    if (c->none()) return "none";
    return c->password ? "login " + c->user + " " + *c->password : "token " + c->token;
}

} // namespace

TEST_CASE("where a request carries its credentials") {
    CHECK(found("/mqtt", {}) == "none");
    CHECK(found("/mqtt", {{"Authorization", "Bearer a.b.c"}}) == "token a.b.c");
    CHECK(found("/mqtt", {{"AUTHORIZATION", "  bearer   a.b.c "}}) == "token a.b.c");
    CHECK(found("/mqtt", {{"Authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="}}) == "login Aladdin open sesame"); // RFC 7617 §2
    CHECK(found("/mqtt", {{"Authorization", "Basic dGVzdDoxMjPCow=="}}) == "login test 123\xc2\xa3");               // §2.1
    CHECK(found("/mqtt", {{"authorization", "Basic YTo6"}}) == "login a :");
    CHECK(found("/mqtt", {{"authorization", "Basic YTo="}}) == "login a ");
    CHECK(found("/mqtt?access_token=a.b-_c", {}) == "token a.b-_c");
    CHECK(found("/?x=1&access%5Ftoken=a%2Eb&y", {}) == "token a.b");
    CHECK(found("/?x=access_token", {}) == "none");
    CHECK(found("/", {{"Cookie", "a=1; bt=t.o.k; c=2"}}) == "token t.o.k");
    CHECK(found("/", {{"Cookie", "bt=\"tok\""}}) == "token tok");
    CHECK(found("/", {{"Cookie", "xbt=1; BT=2"}}) == "none"); // names of cookies know case
    CHECK(found("/", {{"Sec-WebSocket-Protocol", "mqtt, bearer.a.b.c"}}) == "token a.b.c");
    CHECK(found("/", {{"Sec-WebSocket-Protocol", "mqtt"}, {"Sec-WebSocket-Protocol", "bearer.t"}}) == "token t");
    // The same in two places is one.
    CHECK(found("/?access_token=t", {{"Authorization", "Bearer t"}}) == "token t");
}

TEST_CASE("only configured sources are looked at") {
    const std::vector<header_line> all{{"Authorization", "Bearer t"}, {"Cookie", "bt=t"}, {"Sec-WebSocket-Protocol", "bearer.t"}};
    CHECK(found("/?access_token=t", all, {.authorization = false, .query = "", .cookie = "", .subprotocol = false}) == "none");
    CHECK(found("/?access_token=t&jwt=u", {}, {.query = "jwt"}) == "token u");
    CHECK(found("/", {{"Cookie", "bt=t"}}, {}) == "none"); // cookies have to be asked for
}

TEST_CASE("what is malformed, twice or contradictory is refused, and never repeated in the reason") {
    const std::vector<std::pair<std::string, std::vector<header_line>>> bad{
        {"/", {{"Authorization", ""}}},
        {"/", {{"Authorization", "Bearer"}}},
        {"/", {{"Authorization", "Bearer s3cret s3cret"}}},
        {"/", {{"Authorization", "Bearer s3cr\xc3\xa9t"}}},
        {"/", {{"Authorization", "Digest s3cret"}}},
        {"/", {{"Authorization", "Basic s3cret!"}}},
        {"/", {{"Authorization", "Basic czNjcmV0"}}},     // no colon
        {"/", {{"Authorization", "Basic YTpzM2NyZXQ"}}},  // no padding
        {"/", {{"Authorization", "Basic YTpzMwpjcmV0"}}}, // a line end inside
        {"/", {{"Authorization", "Basic YTr/"}}},         // not UTF-8
        {"/", {{"Authorization", "Bearer s3cret"}, {"authorization", "Bearer s3cret"}}},
        {"/?access_token=s3cret&access_token=s3cret", {}},
        {"/?access_token=", {}},
        {"/?access_token", {}},
        {"/?access_token=s3cret%2", {}},
        {"/?access_token=s3cret#f", {}},
        {"/?access_token=s3cret%0A", {}},
        {"/", {{"Cookie", "bt=s3cret; bt=other"}}},
        {"/", {{"Cookie", "bt=s3cret"}, {"Cookie", "bt=s3cret"}}},
        {"/", {{"Cookie", "bt="}}},
        {"/", {{"Sec-WebSocket-Protocol", "bearer.s3cret, bearer.other"}}},
        {"/", {{"Sec-WebSocket-Protocol", "bearer."}}},
        {"/?access_token=s3cret", {{"Authorization", "Bearer other"}}},
        {"/?access_token=s3cret", {{"Authorization", "Basic YTpi"}}},
    };
    for (const auto& [target, headers] : bad) {
        const auto c = credentials_in(target, headers, {.cookie = "bt"});
        CHECK_MESSAGE(!c, target, " ", headers.empty() ? "" : headers[0].value);
        if (!c) CHECK_MESSAGE(!c.error().contains("s3cr"), c.error());
    }
}

TEST_CASE("a target in a log has no token") {
    CHECK(redacted("/mqtt", "access_token") == "/mqtt");
    CHECK(redacted("/?a=1&access_token=s3cret&b=2", "access_token") == "/?a=1&access_token=REDACTED&b=2");
    CHECK(redacted("/?access_token=s3cret&access_token=t", "access_token") == "/?access_token=REDACTED&access_token=REDACTED");
    CHECK(redacted("/?access%5ftoken=s3cret", "access_token") == "/?access%5ftoken=REDACTED");
    CHECK(redacted("/?access_token%=s3cret", "access_token") == "/?access_token%=REDACTED");
    CHECK(redacted("/?a?access_token=1", "access_token") == "/?a?access_token=1");
}
