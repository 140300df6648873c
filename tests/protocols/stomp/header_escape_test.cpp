#include "protocols/stomp/header_escape.hpp"

#include <doctest/doctest.h>

#include <optional>

using namespace broker::stomp;

namespace {

struct outcome {
    std::string line{};
    written how{};
    friend bool operator==(const outcome&, const outcome&) = default;
};

outcome header(std::string_view name, std::string_view value, version v) {
    outcome o;
    o.how = append_header(o.line, name, value, v);
    return o;
}

std::optional<std::string> unescape(std::string_view text, version v) {
    std::string to;
    if (!append_unescaped(to, text, v)) return std::nullopt;
    return to;
}

} // namespace

TEST_CASE("[STOMP12-ENC-3] 1.2 escapes CR, LF, colon and backslash, in names and values") {
    CHECK(header("a:b\\c\nd\re", "f:g\\h\ni\rj", version::v1_2) ==
          outcome{"a\\cb\\\\c\\nd\\re:f\\cg\\\\h\\ni\\rj\n", written::exact});
    CHECK(unescape("a\\cb\\\\c\\nd\\re", version::v1_2) == "a:b\\c\nd\re"); // [STOMP12-ENC-1]
}

TEST_CASE("[STOMP11-ENC-1] [STOMP11-ENC-2] [STOMP11-ENC-3] 1.1 knows no \\r") {
    CHECK(unescape("a\\cb\\\\c\\nd", version::v1_1) == "a:b\\c\nd");
    CHECK(!unescape("\\r", version::v1_1));
    CHECK(header("n", "a:b\nc\\", version::v1_1) == outcome{"n:a\\cb\\nc\\\\\n", written::exact});
    CHECK(header("n", "a\rb", version::v1_1) == outcome{"n:a b\n", written::altered});
    CHECK(header("n\r", "v", version::v1_1) == outcome{"", written::dropped});
}

TEST_CASE("1.0 has no escapes: a value loses its line ends, a name with more than a plain word is left out") {
    CHECK(unescape("\\n\\t\\", version::v1_0) == "\\n\\t\\");
    CHECK(header("n", "a\nb\rc", version::v1_0) == outcome{"n:a b c\n", written::altered});
    CHECK(header("n", "a:b\\c", version::v1_0) == outcome{"n:a:b\\c\n", written::exact});
    // "content-length:5" as a name would be read as the header it pretends to be.
    for (const auto* const name : {"content-length:5", "a\nb", "a\rb", " ack", "ack ", ""}) {
        CAPTURE(name);
        CHECK(header(name, "v", version::v1_0) == outcome{"", written::dropped});
    }
}

TEST_CASE("no version has a place for NUL or for a header without a name") {
    using namespace std::string_literals;
    for (const auto v : {version::v1_0, version::v1_1, version::v1_2}) {
        CHECK(header("a\0b"s, "v", v) == outcome{"", written::dropped});
        CHECK(header("a", "v\0w"s, v) == outcome{"a:v w\n", written::altered});
        CHECK(header("", "v", v) == outcome{"", written::dropped});
    }
}

TEST_CASE("[STOMP12-ENC-2] undefined escape sequences are fatal") {
    for (const auto* const text : {"\\", "a\\", "\\t", "\\N", "\\0", "\\\\\\"}) {
        CAPTURE(text);
        CHECK(!unescape(text, version::v1_1));
        CHECK(!unescape(text, version::v1_2));
    }
}

TEST_CASE("every byte survives the way there and back in 1.2, and never ends a line") {
    for (int c = 1; c != 256; ++c) {
        const std::string text{'x', static_cast<char>(c), static_cast<char>(c)};
        auto wire = header(text, text, version::v1_2).line;
        REQUIRE(wire.ends_with('\n'));
        wire.pop_back();
        CHECK(wire.find_first_of("\r\n") == std::string::npos);
        const auto colon = wire.find(':');
        CHECK(unescape(wire.substr(0, colon), version::v1_2) == text);
        CHECK(unescape(wire.substr(colon + 1), version::v1_2) == text);
    }
}
