#include "security/password.hpp"
#include "security/users.hpp"

#include <doctest/doctest.h>

using namespace broker::security;

namespace {

constexpr hash_cost cheap{.memory_bytes = 64 * 1024, .passes = 1};
// Made by mosquitto_passwd 2.0.11.
constexpr std::string_view mosquitto_file =
    "anna:$7$101$TG+HURiGHp7gzfD3$jlX4etdJDPoKOiw5kuO2ofGeAqp3RJTsTC31RGxRkiI/RV//NLyzlvku/YHc4IT6BFsnSH04k7v2Iptz1uY0Fw==\n"
    "bert:$6$adVg2MR7y7EB79Vf$8apZU2hHhrofXxwt+yrYXrlYHjNAlHENtD99ct1B01YTAba/qQIlmt7puZfxLMslrtKWozAREA9EoVTP32gzbg==\n"
    "# carl has an empty password\n"
    "\n"
    "carl:$7$101$77dHSzdKVB9FtKep$tk+pAPBLcCKlr0HC/WL/p4KWRQBDHJjEtcIFP3ShkIKANn++oOgAZhO8LaADtJ1EoOxsJGO/b3vhy0bmgA3ZAg==\r\n";

std::string why_not(std::string_view text) {
    const auto h = password_hash::parse(text);
    return h ? std::string{"accepted"} : h.error();
}

} // namespace

TEST_CASE("argon2id: a hash matches its password and no other") {
    const auto hash = password_hash::of("correct horse", cheap);
    REQUIRE(hash);
    CHECK(hash->text().starts_with("$argon2id$v=19$m=64,t=1,p=1$"));
    CHECK(hash->matches("correct horse"));
    CHECK_FALSE(hash->matches("correct horsf"));
    CHECK_FALSE(hash->matches(""));
    CHECK(password_hash::parse(hash->text())->matches("correct horse"));
    CHECK(password_hash::of("a", cheap)->text() != password_hash::of("a", cheap)->text()); // salted
    const std::string long_password(5'000, 'x');
    CHECK(password_hash::of(long_password, cheap)->matches(long_password));
    CHECK_FALSE(password_hash::of(long_password, cheap)->matches(long_password.substr(1)));
    using namespace std::string_view_literals;
    CHECK_FALSE(password_hash::of("a\0b"sv, cheap)->matches("a\0c"sv));
}

TEST_CASE("argon2id: vectors of the reference implementation") {
    for (const std::string_view vector : {"$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
                                          "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc"}) {
        const auto hash = password_hash::parse(vector);
        REQUIRE_MESSAGE(hash, hash.error());
        CHECK(hash->matches("password"));
        CHECK_FALSE(hash->matches("differentpassword"));
    }
}

TEST_CASE("argon2id: the default costs what OWASP recommends") {
    const auto made = password_hash::of("password", {});
    REQUIRE(made);
    CHECK(made->text().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    CHECK_FALSE(made->weaker_than({}));
    CHECK(password_hash::of("password", cheap)->weaker_than({}));
}

TEST_CASE("hashes that cannot be read, or would take too long, are refused") {
    const std::string sha(86, 'A');
    CHECK(why_not("") == "neither $argon2id$, $7$ nor $6$");
    CHECK(why_not("secret") == "neither $argon2id$, $7$ nor $6$");
    CHECK(why_not("$2b$10$abcdefghijklmnopqrstuv") == "neither $argon2id$, $7$ nor $6$");
    CHECK(why_not("$argon2i$v=19$m=64,t=1,p=1$AAAA$AAAA") == "neither $argon2id$, $7$ nor $6$");
    CHECK(why_not("$argon2id$v=19$m=64,t=1$AAAA$AAAA") == "an argon2id hash that cannot be read");
    CHECK(why_not("$argon2id$v=19$m=-64,t=1,p=1$AAAA$AAAA") == "an argon2id hash that cannot be read");
    CHECK(why_not("$argon2id$v=19$m=4194304,t=1,p=1$AAAA$AAAA") == "an argon2id hash with m=4194304, t=1, p=1; at most m=262144, t=64, p=16");
    CHECK(why_not("$argon2id$v=19$m=64,t=4000000000,p=1$AAAA$AAAA") != "accepted");
    CHECK(why_not("$argon2id$v=19$m=64,t=0,p=1$AAAA$AAAA") != "accepted");
    CHECK(why_not("$argon2id$v=19$m=64,t=1,p=1$" + std::string(200, 'A') + "$AAAA") == "an argon2id hash that cannot be read");
    CHECK(why_not("$7$0$AAAA$" + sha + "==") == "iterations are 1 to 1000000");
    CHECK(why_not("$7$1000001$AAAA$" + sha + "==") == "iterations are 1 to 1000000");
    CHECK(why_not("$7$-1$AAAA$" + sha + "==") == "iterations are 1 to 1000000");
    CHECK(why_not("$7$101$AAAA$" + sha) == "its salt and hash are not base64 of the right length");
    CHECK(why_not("$7$101$AA!A$" + sha + "==") == "its salt and hash are not base64 of the right length");
    CHECK(why_not("$7$101$$" + sha + "==") == "its salt and hash are not base64 of the right length");
    CHECK(why_not("$6$AAAA$AAAA") == "its salt and hash are not base64 of the right length");
    CHECK(why_not("$6$" + std::string(2'000, 'A')) == "longer than 1024 bytes");
    // Readable outside, wrong inside: matches nothing.
    CHECK_FALSE(password_hash::parse("$argon2id$v=19$m=64,t=1,p=1$!$!")->matches(""));
}

TEST_CASE("Mosquitto's password file") {
    const auto users = import_mosquitto_passwords(mosquitto_file, "pw");
    REQUIRE_MESSAGE(users, users.error());
    REQUIRE(users->size() == 3);
    const auto& [anna, bert, carl] = std::tie((*users)[0], (*users)[1], (*users)[2]);
    CHECK(anna.hash.matches("geheim"));
    CHECK_FALSE(anna.hash.matches("Geheim"));
    CHECK(bert.hash.matches("p:w d"));
    CHECK_FALSE(bert.hash.matches("p:w d "));
    CHECK(carl.hash.matches(""));
    CHECK_FALSE(carl.hash.matches("x"));
    CHECK(anna.hash.weaker_than(cheap));
}

TEST_CASE("what a password file gets wrong is said with its line, never with its text") {
    const auto why = [](std::string_view text) {
        const auto made = import_mosquitto_passwords(text, "pw");
        return made ? std::string{"accepted"} : made.error();
    };
    CHECK(why("anna") == "pw:1: no ':' between name and hash");
    CHECK(why("\n:x") == "pw:2: the name is empty or not UTF-8 text");
    CHECK(why("\xff:x") == "pw:1: the name is empty or not UTF-8 text");
    CHECK(why("anna:hunter2") ==
          "pw:1: the hash of 'anna' is neither $argon2id$, $7$ nor $6$; plain passwords become hashes with mosquitto_passwd -U");
    CHECK(why(std::string{mosquitto_file} + std::string{mosquitto_file}) == "pw:6: 'anna' is there twice");
}

TEST_CASE("users: accepted by name and password; unknown, disabled and imported ones") {
    auto users = *import_mosquitto_passwords(mosquitto_file, "pw");
    users.push_back({.name = "dora", .hash = *password_hash::of("d", cheap)});
    users.push_back({.name = "gone", .hash = *password_hash::of("g", cheap), .disabled = true});
    const auto table = user_table::make(users, cheap);
    REQUIRE(table);
    CHECK(table->all().size() == 5);
    const auto check = [&](std::string_view name, std::string_view password) { return table->check(table->find(name).get(), password); };
    CHECK(check("dora", "d").accepted);
    CHECK_FALSE(check("dora", "d").rehash);
    CHECK_FALSE(check("dora", "x").accepted);
    CHECK(check("anna", "geheim").accepted);
    CHECK(check("anna", "geheim").rehash); // becomes argon2id when its password is seen
    CHECK_FALSE(check("anna", "x").rehash);
    CHECK_FALSE(check("gone", "g").accepted);
    CHECK_FALSE(check("nobody", "").accepted); // the decoy's password
    CHECK_FALSE(check("", "").accepted);

    CHECK(user_table::make({{.name = "", .hash = users[0].hash}}, cheap).error() == "a user without a name");
    CHECK(user_table::make({users[0], users[0]}, cheap).error() == "user 'anna' is there twice");
}

TEST_CASE("users that are kept: replaced, erased, and held on to by who has them") {
    stored_users kept;
    kept.put({.name = "anna", .hash = *password_hash::of("a", cheap)});
    const auto before = kept.find("anna");
    kept.put({.name = "anna", .hash = *password_hash::of("b", cheap), .disabled = true});
    CHECK(kept.all().size() == 1);
    CHECK(kept.find("anna")->disabled);
    CHECK_FALSE(before->disabled);
    CHECK(kept.erase("anna"));
    CHECK_FALSE(kept.erase("anna"));
    CHECK(kept.find("anna") == nullptr);
    CHECK(before->hash.matches("a"));
}

TEST_CASE("names of users") {
    for (const auto* const name : {"a", "anna@example.com", "a b", "ä", "a#", "a/b"}) CHECK(is_user_name(name));
    for (const auto& name : {std::string{}, std::string{"#a"}, std::string{"a:b"}, std::string{"a\nb"}, std::string{"\xff"}, std::string("a\0b", 3),
                             std::string(1025, 'a')}) {
        CHECK_FALSE(is_user_name(name));
    }
}
