#include "cli/client.hpp"
#include "cli/output.hpp"

#include <boost/json/parse.hpp>
#include <doctest/doctest.h>

using namespace broker::cli;

TEST_CASE("a table has aligned columns, in the order asked for") {
    const auto rows = boost::json::parse(R"([{"id":"a","n":1},{"id":"longer","n":null}])").as_array();
    CHECK(table_of(rows, {"id", "n"}, true) == "ID      N\na       1\nlonger  -\n");
    CHECK(table_of(rows, {"n", "missing"}, false) == "1  \n-  \n");
}

TEST_CASE("what a client chose cannot break a line or speak to the terminal") {
    const auto rows = boost::json::parse(R"([{"id":"a\nb\u001b[2J"}])").as_array();
    CHECK(table_of(rows, {"id"}, false) == "a\\x0ab\\x1b[2J\n");
    CHECK(list_of(boost::json::parse(R"({"name":"x\ty"})").as_object()) == "name  x\\x09y\n");
    CHECK(printable("grüß") == "grüß");
}

TEST_CASE("base64 and percent encoding") {
    CHECK(base64("") == "");
    CHECK(base64(std::string_view{"\0\xff", 2}) == "AP8=");
    CHECK(encode_percent("a/b +#") == "a%2Fb%20%2B%23");
}
