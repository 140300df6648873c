#include "core/topic.hpp"

#include <doctest/doctest.h>

using namespace broker;

namespace {
const limits bounds;
}

TEST_CASE("MQTT-4.7.1, 4.7.3: topic names") {
    for (const auto* good : {"a", "/", "a/b", "/a", "a/", "a//b", "$SYS/x", "gr\xc3\xbc\xc3\x9f"}) {
        CHECK_MESSAGE(is_topic_name(good, bounds), good);
    }
    for (const auto* bad : {"", "+", "a/#", "a+b", "\xff"}) CHECK_MESSAGE(!is_topic_name(bad, bounds), bad);
    CHECK_FALSE(is_topic_name(std::string_view{"a\0b", 3}, bounds));
    CHECK_FALSE(is_topic_name(std::string(bounds.max_topic_bytes + 1, 'a'), bounds));
    CHECK_FALSE(is_topic_name(std::string(bounds.max_topic_levels, '/'), bounds));
}

TEST_CASE("MQTT-4.7.1-1, -2: wildcards in filters") {
    for (const auto* good : {"#", "+", "a/+/#", "+/+", "/+", "a/b/#"}) CHECK_MESSAGE(topic_filter::parse(good, bounds), good);
    for (const auto* bad : {"", "a#", "#/a", "a+", "a/+b", "a/#/b"}) CHECK_MESSAGE(!topic_filter::parse(bad, bounds), bad);
}

TEST_CASE("MQTT-4.8.2: shared filters") {
    const auto shared = topic_filter::parse("$share/g/a/+", bounds);
    REQUIRE(shared);
    CHECK(shared->is_shared());
    CHECK(shared->group() == "g");
    CHECK(shared->pattern() == "a/+");
    for (const auto* bad : {"$share/g", "$share//a", "$share/g/", "$share/g+/a", "$share/#/a"}) {
        CHECK_MESSAGE(!topic_filter::parse(bad, bounds), bad);
    }
}

TEST_CASE("queues are one name each") {
    const auto queue = topic_filter::parse("$queue/jobs/high", bounds);
    REQUIRE(queue);
    CHECK(queue->what() == topic_filter::kind::queue);
    CHECK(queue->queue() == "jobs/high");
    CHECK_FALSE(topic_filter::parse("$queue/+", bounds));
}

TEST_CASE("MQTT 5 §4.7: matching") {
    CHECK(matches("a/#", "a"));
    CHECK(matches("a/#", "a/b/c"));
    CHECK(matches("+", "a"));
    CHECK(matches("/+", "/a"));
    CHECK(matches("+/+", "/a"));
    CHECK_FALSE(matches("+", "/a"));
    CHECK_FALSE(matches("a/+", "a"));
    CHECK(matches("a/+", "a/"));
    CHECK_FALSE(matches("#", "$SYS/x")); // [MQTT-4.7.2-1]
    CHECK_FALSE(matches("+/x", "$SYS/x"));
    CHECK(matches("$SYS/#", "$SYS/x"));
}
