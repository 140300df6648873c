#include "core/base64url.hpp"

#include <doctest/doctest.h>

using namespace broker;

TEST_CASE("RFC 4648 §5 without padding: there and back, for every length") {
    CHECK(base64url("") == "");
    CHECK(base64url("f") == "Zg");
    CHECK(base64url("fo") == "Zm8");
    CHECK(base64url("foo") == "Zm9v");
    CHECK(base64url("\xFB\xFF") == "-_8");
    std::string bytes;
    for (int i = 0; i != 300; ++i) {
        CHECK(from_base64url(base64url(bytes)) == bytes);
        bytes.push_back(static_cast<char>(i * 7));
    }
}

TEST_CASE("what is not base64url is refused") {
    for (const auto* const text : {"A", "AAAAA", "Zg==", "Z+", "Z/", "Zh", "Zm9", "Z g", "\xC3\xA4"}) {
        CAPTURE(text);
        CHECK(!from_base64url(text));
    }
}
