// [auth] and [[role]] as an access_control: what is wrong is said, and what is right decides.
#include "access_files.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <random>

using namespace broker;

namespace {

class scratch {
public:
    scratch() : path_{std::filesystem::temp_directory_path() / ("brokerd-access-" + std::to_string(std::random_device{}()))} {
        std::filesystem::create_directories(path_);
    }
    ~scratch() { std::filesystem::remove_all(path_); }
    scratch(const scratch&) = delete;
    scratch& operator=(const scratch&) = delete;
    [[nodiscard]] std::string file(const std::string& name, const std::string& text, bool everybody_reads = false) const {
        const auto to = path_ / name;
        std::ofstream{to} << text;
        using std::filesystem::perms;
        std::filesystem::permissions(to, perms::owner_read | perms::owner_write | (everybody_reads ? perms::others_read : perms::none));
        return to.string();
    }

private:
    std::filesystem::path path_;
};

outside_counters count;

result<loaded_access, std::string> load(const config::auth_options& from, const security::issuer_keys* before = nullptr) { return load_access(from, count, before); }

constexpr std::string_view secret = "a secret of more than thirty-two bytes";

std::string error_of(const config::auth_options& from) {
    const auto loaded = load(from);
    return loaded ? "(accepted)" : loaded.error();
}

bool admits(const loaded_access& loaded, const security::credentials& with) {
    const security::stored_access none;
    const auto given = loaded.control->decide({}, with, "c", none, time_point{});
    return std::holds_alternative<security::admitted>(given);
}

} // namespace

TEST_CASE("nothing configured: there is nobody who decides") {
    const auto loaded = load({});
    REQUIRE(loaded);
    CHECK(loaded->control == nullptr);
}

TEST_CASE("what is wrong with [auth] is said with its key, its file and what to do") {
    const scratch s;
    const auto key = s.file("key", std::string{secret});
    CHECK(error_of({.password_file = "/nowhere"}) == "auth.password_file: /nowhere: No such file or directory");
    CHECK(error_of({.password_file = s.file("p", "anna\n")}).find("auth.password_file: ") == 0);
    CHECK(error_of({.acl_file = s.file("a", "topic read a\n")}).find("no way to come in; write auth.password_file") != std::string::npos);
    CHECK(error_of({.anonymous = true, .acl_file = s.file("b", "user\n")}).find("auth.acl_file: ") == 0);
    CHECK(error_of({.jwt_key_file = s.file("short", "short")}).find("auth.jwt.key_file: ") == 0);
    CHECK(error_of({.jwt_jwks_file = s.file("j", "{}")}).find("auth.jwt.jwks_file: ") == 0);
    CHECK(error_of({.jwt_key_file = key, .jwt_algorithms = {"none"}}).find("auth.jwt.algorithms: \"none\" is not one of HS256") == 0);
    CHECK(error_of({.jwt_key_file = key, .jwt_sources = {"body"}}).find("auth.jwt.sources: \"body\" is not one of header") == 0);
    for (const auto* const bad : {"cookie", "cookie:", "cookie:a b", "cookie:a=b", "cookie:a;b"}) {
        CAPTURE(bad);
        CHECK(error_of({.jwt_key_file = key, .jwt_sources = {bad}}).find("is not one of header, query:NAME, subprotocol, cookie:NAME, password") != std::string::npos);
    }
    CHECK(error_of({.jwt_key_file = key, .jwt_sources = {"cookie:__Host-bt"}}) == "(accepted)");
    CHECK(error_of({.order = {"magic"}, .jwt_key_file = key}).find("auth.order: \"magic\" is not one of jwt, apikeys, users, certificate, http") == 0);
    CHECK(error_of({.jwt_key_file = key, .roles = {{.name = "r", .rules = {"permit x"}}}}).find("role r: \"permit x\": ") == 0);
    CHECK(error_of({.jwt_key_file = key, .roles = {{.name = "r"}, {.name = "r"}}}).find("auth: ") == 0);
    CHECK(error_of({.jwt_jwks_url = "issuer.example"}).find("auth.jwt.jwks_url: \"issuer.example\": neither https://") == 0);
    CHECK(error_of({.jwt_jwks_url = "http://issuer.example/"}).find("auth.plain_http = true") != std::string::npos);
    CHECK(error_of({.jwt_jwks_url = "http://issuer.example/", .plain_http = true}) == "(accepted)");
    CHECK(error_of({.jwt_jwks_url = "https://issuer.example/", .jwt_jwks_refresh = seconds{0}}) == "auth.jwt.jwks_refresh: must be 10s to 24h");
    CHECK(error_of({.jwt_jwks_url = "https://issuer.example/", .jwt_jwks_ca = "/nowhere"}).find("/nowhere: holds no certificate") != std::string::npos);
    CHECK(error_of({.http_url = "hook"}).find("auth.http.url: \"hook\": neither https://") == 0);
    CHECK(error_of({.http_url = "http://hook.example/"}).find("auth.plain_http = true") != std::string::npos);
    CHECK(error_of({.http_url = "https://h/", .http_timeout = milliseconds{0}}) == "auth.http.timeout: must be 100ms to 10s");
    CHECK(error_of({.http_url = "https://h/", .http_secret = "s"}) == "auth.http.secret: a secret is not written into the configuration; write file:/PATH or env:NAME");
    CHECK(error_of({.http_url = "https://h/", .http_secret = "env:BROKERD_NO_SUCH"}).find("auth.http.secret: env:BROKERD_NO_SUCH: there is no such") == 0);
    CHECK(error_of({.http_url = "https://h/", .http_secret = "file:/nowhere"}) == "auth.http.secret: /nowhere: No such file or directory");
    CHECK(error_of({.http_url = "https://h/", .http_secret = "file:" + s.file("two", "a\nb")}).find("auth.http.secret: it has a control character") == 0);
    for (const auto* const bad : {"", "x", ": y", "a b: c", "Host: x", "content-length: 1", "X: a\rY: b"}) {
        CAPTURE(bad);
        CHECK(error_of({.http_url = "https://h/", .http_headers = {bad}}).find("auth.http.headers: ") == 0);
    }
    CHECK(error_of({.http_url = "https://h/", .http_secret = "file:" + s.file("bearer", "b\n"), .http_headers = {"X-Key: 1"}}) == "(accepted)");
    CHECK(error_of({.jwt_key_file = key}) == "(accepted)");
}

TEST_CASE("roles go to the users named, to everybody, and to those without a name") {
    const auto loaded = load({.anonymous = true,
                                     .roles = {{.name = "all", .rules = {"allow publish all"}, .everybody = true},
                                               {.name = "guest", .rules = {"allow publish guest"}, .anonymous = true},
                                               {.name = "driver", .rules = {"allow publish cars"}, .users = {"anna"}}}});
    REQUIRE(loaded);
    CHECK(admits(*loaded, {}));
    CHECK_FALSE(admits(*loaded, {.user = "anna", .password = "x"}));
    const security::stored_access none;
    const auto given = loaded->control->decide({}, {}, "c", none, time_point{});
    const auto& may = *std::get<security::admitted>(given).may;
    CHECK(may.verdict_on(security::action::publish, "all").allowed);
    CHECK(may.verdict_on(security::action::publish, "guest").allowed);
    CHECK_FALSE(may.verdict_on(security::action::publish, "cars").allowed);
}

TEST_CASE("a secret that everybody can read is a warning") {
    const scratch s;
    const auto loaded = load({.jwt_key_file = s.file("key", std::string{secret}, true)});
    REQUIRE(loaded);
    REQUIRE(loaded->notes.size() == 1);
    CHECK(loaded->notes[0].find("can be read by everybody; chmod o-r") != std::string::npos);
    CHECK(load({.jwt_key_file = s.file("key2", std::string{secret})})->notes.empty());
}

TEST_CASE("what was fetched stays if it comes from the same URL") {
    const auto set = R"({"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]})";
    const auto first = load({.jwt_jwks_url = "https://one.example/"});
    REQUIRE(first);
    REQUIRE(first->issuer->on_fetched(set, time_point{}));
    const auto same = load({.jwt_jwks_url = "https://one.example/", .jwt_jwks_refresh = seconds{60}}, first->issuer.get());
    REQUIRE(same);
    CHECK(same->issuer->keys(time_point{}) != nullptr);
    const auto other = load({.jwt_jwks_url = "https://two.example/"}, first->issuer.get());
    REQUIRE(other);
    CHECK(other->issuer->keys(time_point{}) == nullptr);
}
