#include "admin/registry.hpp"
#include "support/fake_node.hpp"

#include <boost/json/parse.hpp>
#include <doctest/doctest.h>

using namespace broker;
using namespace broker::admin;

namespace {

response ask(test::fake_node& node, std::string method, std::string path, std::string body = "") {
    static const registry commands;
    return commands.run(node, {.method = std::move(method), .path = std::move(path), .body = std::move(body)});
}

} // namespace

TEST_CASE("the store is shown by columns") {
    test::fake_node node;
    const auto o = boost::json::parse(ask(node, "GET", "/api/v1/store").body).as_object();
    CHECK(o.at("state").as_string() == "ok");
    CHECK(o.at("trouble").is_null());
    CHECK(o.at("columns").at(0).at("column").as_string() == "sessions");
    CHECK(o.at("columns").at(0).at("rows").as_int64() == 7);
}

TEST_CASE("verification tells what is damaged") {
    test::fake_node node;
    CHECK(boost::json::parse(ask(node, "POST", "/api/v1/store/verify").body).at("intact").as_bool());
    node.damage = {"000012.sst: block checksum mismatch"};
    const auto o = boost::json::parse(ask(node, "POST", "/api/v1/store/verify").body).as_object();
    CHECK(!o.at("intact").as_bool());
    CHECK(o.at("wrong").at(0).as_string() == "000012.sst: block checksum mismatch");
}

TEST_CASE("a backup goes to an absolute path that is not there") {
    test::fake_node node;
    CHECK(boost::json::parse(ask(node, "POST", "/api/v1/store/backup", R"({"to":"/b"})").body).at("bytes").as_int64() == 300);
    CHECK(ask(node, "POST", "/api/v1/store/backup", R"({"to":"b"})").status == 400);
    CHECK(ask(node, "POST", "/api/v1/store/backup", "{}").status == 400);
    CHECK(ask(node, "POST", "/api/v1/store/backup", R"({"to":"/there"})").status == 409);
}
