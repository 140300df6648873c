#include "protocols/stomp/destination.hpp"

#include <doctest/doctest.h>

using namespace broker;
using namespace broker::stomp;

TEST_CASE("a SEND destination is one MQTT topic name") {
    const limits bounds;
    CHECK(topic_of("/topic/a/b", bounds) == "a/b");
    CHECK(topic_of("/topic/chat.general", bounds) == "chat.general"); // a dot separates nothing
    CHECK(topic_of("/topic//a", bounds) == "/a");
    CHECK(topic_of("a/b", bounds) == "a/b");
    CHECK(topic_of("/queue/work", bounds) == "$queue/work");
    CHECK(topic_of("/queue/a/b", bounds) == "$queue/a/b");
}

TEST_CASE("a SEND destination that is not one is refused, and the message names the destination") {
    const limits bounds;
    for (const auto* const text :
         {"", "/", "/topic/", "/queue/", "/topics/a", "/topic/a/+", "/topic/#", "/topic/a/*", "/topic/>", "/topic/**",
          "/queue/*", "$SYS/broker", "/topic/$SYS/broker", "$share/g/a"}) {
        CAPTURE(text);
        const auto topic = topic_of(text, bounds);
        REQUIRE(!topic);
        CHECK(topic.error().find(text) != std::string::npos);
    }
    CHECK(topic_of("/exchange/a", bounds).error().find("/queue/") != std::string::npos); // the known ones are named
}

TEST_CASE("a SUBSCRIBE destination is an MQTT filter") {
    const limits bounds;
    const auto text = [&](std::string_view destination, std::string_view group = "") {
        const auto filter = filter_of(destination, group, bounds);
        return filter ? filter->text() : "refused";
    };
    CHECK(text("/topic/a/b") == "a/b");
    CHECK(text("/topic/a/*/c") == "a/+/c");
    CHECK(text("/topic/a/+/c") == "a/+/c");
    CHECK(text("/topic/a/>") == "a/#");
    CHECK(text("/topic/a/**") == "a/#");
    CHECK(text("/topic/#") == "#");
    CHECK(text("a/#") == "a/#");
    CHECK(text("/topic/a*b") == "a*b"); // only a whole level is a wildcard
    CHECK(text("/queue/work") == "$queue/work");
    CHECK(text("/topic/a", "g") == "$share/g/a");
    CHECK(text("$SYS/#") == "$SYS/#"); // read, not written
}

TEST_CASE("a SUBSCRIBE destination that is none is refused") {
    const limits bounds;
    for (const auto* const text : {"", "/", "/topic/", "/queue/", "/exchange/a", "/topic/#/a", "/topic/**/a",
                                   "/topic/a+", "/queue/+", "/queue/*", "/queue/a/>"}) {
        CAPTURE(text);
        CHECK(!filter_of(text, "", bounds));
    }
}

TEST_CASE("a group's name is one level: it cannot change what is subscribed to") {
    const limits bounds;
    for (const auto* const group : {"g/other", "+", "#", "/"}) {
        CAPTURE(group);
        CHECK(!filter_of("/topic/a", group, bounds));
    }
}

TEST_CASE("the way back gives a destination that leads to the same topic") {
    const limits bounds;
    CHECK(destination_of("a/b") == "/topic/a/b");
    CHECK(destination_of("$queue/work") == "/queue/work");
    for (const auto* const topic : {"a", "a/b", "/a", "$queue/x", "$queue/x/y"}) {
        CAPTURE(topic);
        CHECK(topic_of(destination_of(topic), bounds) == topic);
    }
}
