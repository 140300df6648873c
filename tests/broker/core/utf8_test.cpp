#include "core/utf8.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace broker;

TEST_CASE("RFC 3629: what is UTF-8 and what is not, cut at every byte") {
    struct row {
        std::string text;
        bool valid;
    };
    const row rows[] = {{"plain ascii, longer than eight bytes", true}, {"gr\xc3\xbc\xc3\x9f", true},
                        {"\xe2\x82\xac", true}, {"\xf0\x9f\x98\x80", true}, {"\xf4\x8f\xbf\xbf", true},
                        {"\x80", false}, {"\xc0\xaf", false}, {"\xc1\xbf", false}, {"\xe0\x80\x80", false},
                        {"\xed\xa0\x80", false}, {"\xf0\x80\x80\x80", false}, {"\xf4\x90\x80\x80", false},
                        {"\xf5\x80\x80\x80", false}, {"\xc3", false}, {"\xe2\x82", false}, {"a\xc3(", false}};
    for (const auto& r : rows) {
        CHECK(is_utf8(r.text) == r.valid);
        for (std::size_t cut = 0; cut <= r.text.size(); ++cut) {
            utf8_validator v;
            const bool fed = v.feed(as_bytes(r.text).first(cut)) && v.feed(as_bytes(r.text).subspan(cut));
            CHECK((fed && v.complete()) == r.valid);
        }
    }
}

TEST_CASE("a prefix never ends inside a character") {
    CHECK(utf8_prefix("abc", 5) == "abc");
    CHECK(utf8_prefix("abc", 2) == "ab");
    CHECK(utf8_prefix("a\xe2\x82\xac", 1) == "a");
    CHECK(utf8_prefix("a\xe2\x82\xac", 2) == "a");
    CHECK(utf8_prefix("a\xe2\x82\xac", 3) == "a");
    CHECK(utf8_prefix("a\xe2\x82\xac", 4) == "a\xe2\x82\xac");
    CHECK(utf8_prefix("\xf0\x9f\x98\x80", 3) == "");
}
