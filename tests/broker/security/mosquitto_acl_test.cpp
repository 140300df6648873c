#include "security/mosquitto_acl.hpp"

#include "security/rights.hpp"

#include <doctest/doctest.h>

using namespace broker::security;

namespace {

constexpr std::string_view example = R"(# what everybody without a name may
topic read $SYS/broker/version
topic public/#

user anna
topic write sensors/anna/temperature
topic read   sensors/+/temperature
topic deny sensors/secret/temperature
topic read 100%/of it all

user bert
topic #

user anna
topic readwrite late

pattern read users/%u/in
pattern write clients/%c/out/%u
pattern 50%x/%u
)";

struct asked {
    std::string_view user;
    action what;
    std::string_view topic;
    bool allowed;
};

} // namespace

TEST_CASE("mosquitto.conf(5): what an acl_file allows") {
    const auto made = import_mosquitto_acl(example, "acl");
    REQUIRE_MESSAGE(made, made.error());
    const auto book = rule_book::make(*made);
    REQUIRE(book);
    using enum action;
    for (const auto& a : std::initializer_list<asked>{
             {"", subscribe, "$SYS/broker/version", true}, {"", publish, "$SYS/broker/version", false}, {"", publish, "public/x", true},
             {"", retain, "public/x", true}, {"", publish, "sensors/anna/temperature", false}, {"", publish, "clients/phone/out/", false},
             {"anna", publish, "public/x", false}, // the first lines are for anonymous clients only
             {"anna", publish, "sensors/anna/temperature", true}, {"anna", retain, "sensors/anna/temperature", true},
             {"anna", subscribe, "sensors/bert/temperature", true}, {"anna", publish, "sensors/bert/temperature", false},
             {"anna", subscribe, "sensors/secret/temperature", false}, {"anna", subscribe, "100%/of it all", true},
             {"anna", publish, "late", true}, {"anna", subscribe, "late", true}, {"anna", subscribe, "users/anna/in", true},
             {"anna", publish, "users/anna/in", false}, {"anna", subscribe, "users/bert/in", false},
             {"anna", publish, "clients/phone/out/anna", true}, {"anna", publish, "clients/other/out/anna", false},
             {"anna", publish, "50%x/anna", true}, {"bert", publish, "anything", true}, {"bert", subscribe, "$SYS/broker/version", false},
             {"carl", subscribe, "users/carl/in", true}, {"carl", publish, "anything", false}, {"carl", connect, "phone", true}}) {
        const auto r = (*book)->rights_of({.user = std::string{a.user}, .client_id = "phone"});
        REQUIRE(r);
        CHECK_MESSAGE((*r)->verdict_on(a.what, a.topic).allowed == a.allowed, a.user, " ", name(a.what), " ", a.topic);
    }
    const auto anna = *(*book)->rights_of({.user = "anna", .client_id = "phone"});
    CHECK(anna->verdict_on_subscription("sensors/+/temperature").what == coverage::part);
    CHECK(anna->verdict_on(action::subscribe, "sensors/secret/temperature").by->origin == "acl:8");
}

TEST_CASE("an empty acl_file allows nothing") {
    const auto r = (*rule_book::make(*import_mosquitto_acl("", "acl")))->rights_of({.user = "anna"});
    CHECK_FALSE((*r)->verdict_on(action::publish, "a").allowed);
}

TEST_CASE("line ends, blanks and comments") {
    const auto made = import_mosquitto_acl("\r\n  \t\nuser  a b \r\n topic   read   x y \r\n#topic z\r\n#", "acl");
    REQUIRE(made);
    REQUIRE(made->users.contains("a b"));
    REQUIRE(made->roles.size() == 3);
    CHECK(text(made->roles[2].rules.at(0)) == "allow subscribe x y");
}

TEST_CASE("what is not understood is said with its line") {
    const auto why = [](std::string_view text) {
        const auto made = import_mosquitto_acl(text, "acl");
        return made ? std::string{"accepted"} : made.error();
    };
    CHECK(why("topic a\nallow b") == "acl:2: 'allow' is not understood; lines are topic, pattern, user or #");
    CHECK(why("user") == "acl:1: user says no name");
    CHECK(why("\n\ntopic ") == "acl:3: topic says no topic");
    CHECK(why("topic a b") == "acl:1: 'a' is no access; write read, write, readwrite or deny");
    CHECK(why("topic read a/#/b") == "acl:1: topic 'a/#/b': + must be a whole level and # the whole last level");
    CHECK(why("topic a+") != "accepted");
    CHECK(why("topic \xff") == "acl:1: topic '\xff': its filter is not UTF-8 text");
    CHECK(why("user \xff") == "acl:1: the user's name is not UTF-8 text");
    CHECK(why(" # no comment") != "accepted"); // Mosquitto: only as the first character
}
