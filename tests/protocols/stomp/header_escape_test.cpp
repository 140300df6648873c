#include "protocols/stomp/header_escape.hpp"

#include <doctest/doctest.h>

using namespace broker::stomp;

namespace {

std::string escaped(std::string_view text, version v) {
    std::string to;
    append_escaped(to, text, v);
    return to;
}

} // namespace

TEST_CASE("[STOMP12 §Value Encoding] 1.2 escapes CR, LF, colon and backslash") {
    CHECK(escaped("a:b\\c\nd\re", version::v1_2) == "a\\cb\\\\c\\nd\\re");
    CHECK(unescape("a\\cb\\\\c\\nd\\re", version::v1_2) == "a:b\\c\nd\re");
}

TEST_CASE("[STOMP11 §Value Encoding] 1.1 knows no \\r") {
    CHECK(unescape("a\\cb\\\\c\\nd", version::v1_1) == "a:b\\c\nd");
    CHECK(!unescape("\\r", version::v1_1));
    CHECK(escaped("a\rb", version::v1_1).find('\r') == std::string::npos);
}

TEST_CASE("1.0 has no escapes: nothing that ends the line gets out") {
    CHECK(unescape("\\n\\t\\", version::v1_0) == "\\n\\t\\");
    CHECK(escaped("a\nb\rc", version::v1_0) == "a b c");
}

TEST_CASE("[STOMP12 §Value Encoding] undefined escape sequences are fatal") {
    for (const auto* const text : {"\\", "a\\", "\\t", "\\N", "\\0", "\\\\\\"}) {
        CAPTURE(text);
        CHECK(!unescape(text, version::v1_1));
        CHECK(!unescape(text, version::v1_2));
    }
}

TEST_CASE("every byte survives the way there and back in 1.2, and never ends a line") {
    for (int c = 1; c != 256; ++c) {
        const std::string text{'x', static_cast<char>(c), static_cast<char>(c)};
        const auto wire = escaped(text, version::v1_2);
        CHECK(unescape(wire, version::v1_2) == text);
        CHECK(wire.find_first_of("\r\n:") == std::string::npos);
    }
}
