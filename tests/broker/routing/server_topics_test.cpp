#include "routing/server_topics.hpp"

#include <doctest/doctest.h>

using namespace broker;

namespace {

message_ptr value(std::string_view topic, std::string_view text) {
    return make_message({.topic = topic, .payload = as_bytes(text), .retain = true});
}

std::vector<std::string> found(const server_topics& topics, std::string_view pattern) {
    std::vector<message_ptr> matched;
    topics.match(pattern, matched);
    std::vector<std::string> texts;
    for (const auto& m : matched) texts.emplace_back(as_text(m->payload()));
    return texts;
}

} // namespace

TEST_CASE("the latest value of each topic is found, by filters that name the first level [MQTT-4.7.2-1]") {
    using texts = std::vector<std::string>;
    server_topics topics;
    topics.set(value("$SYS/broker/uptime", "1"));
    topics.set(value("$SYS/broker/version", "v"));
    topics.set(value("$SYS/broker/uptime", "2"));
    CHECK(found(topics, "$SYS/#") == texts{"2", "v"});
    CHECK(found(topics, "$SYS/+/uptime") == texts{"2"});
    CHECK(found(topics, "$SYS/broker/version") == texts{"v"});
    CHECK(found(topics, "#").empty());
    CHECK(found(topics, "+/broker/uptime").empty());
    CHECK(found(topics, "+/#").empty());
}
