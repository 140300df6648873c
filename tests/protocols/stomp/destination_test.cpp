#include "protocols/stomp/destination.hpp"

#include <doctest/doctest.h>

using namespace broker;
using namespace broker::stomp;

namespace {

const limits bounds;
const destinations slashes{bounds, false};
const destinations dots{bounds, true};

// Or what is wrong with it, behind "refused: ".
std::string topic(std::string_view destination, const destinations& in = slashes) {
    std::string scratch;
    const auto found = in.topic_of(destination, scratch);
    return found ? std::string{*found} : "refused: " + found.error();
}

std::string filter(std::string_view destination, std::string_view group = "", const destinations& in = slashes) {
    const auto found = in.filter_of(destination, group);
    return found ? found->text() : "refused";
}

} // namespace

TEST_CASE("a SEND destination is one MQTT topic name") {
    CHECK(topic("/topic/a/b") == "a/b");
    CHECK(topic("/topic/chat.general") == "chat.general"); // a dot separates nothing
    CHECK(topic("/topic//a") == "/a");
    CHECK(topic("a/b") == "a/b");
    CHECK(topic("/queue/work") == "$queue/work");
    CHECK(topic("/queue/a/b") == "$queue/a/b");
}

TEST_CASE("a SEND destination that is not one is refused, and the message names the destination") {
    for (const auto* const text :
         {"", "/", "/topic/", "/queue/", "/topics/a", "/topic/a/+", "/topic/#", "/topic/a/*", "/topic/>", "/topic/**",
          "/queue/*", "$SYS/broker", "/topic/$SYS/broker", "$share/g/a"}) {
        CAPTURE(text);
        const auto answer = topic(text);
        CHECK(answer.starts_with("refused: "));
        CHECK(answer.find(text) != std::string::npos);
    }
    CHECK(topic("/exchange/a").find("/queue/") != std::string::npos); // the known ones are named
}

TEST_CASE("a SUBSCRIBE destination is an MQTT filter") {
    CHECK(filter("/topic/a/b") == "a/b");
    CHECK(filter("/topic/a/*/c") == "a/+/c");
    CHECK(filter("/topic/a/+/c") == "a/+/c");
    CHECK(filter("/topic/a/>") == "a/#");
    CHECK(filter("/topic/a/**") == "a/#");
    CHECK(filter("/topic/#") == "#");
    CHECK(filter("a/#") == "a/#");
    CHECK(filter("/topic/a*b") == "a*b"); // only a whole level is a wildcard
    CHECK(filter("/queue/work") == "$queue/work");
    CHECK(filter("/topic/a", "g") == "$share/g/a");
    CHECK(filter("$SYS/#") == "$SYS/#"); // read, not written
}

TEST_CASE("a SUBSCRIBE destination that is none is refused") {
    for (const auto* const text : {"", "/", "/topic/", "/queue/", "/exchange/a", "/topic/#/a", "/topic/**/a",
                                   "/topic/a+", "/queue/+", "/queue/*", "/queue/a/>"}) {
        CAPTURE(text);
        CHECK(filter(text) == "refused");
    }
}

TEST_CASE("a group's name is one level: it cannot change what is subscribed to") {
    for (const auto* const group : {"g/other", "+", "#", "/"}) {
        CAPTURE(group);
        CHECK(filter("/topic/a", group) == "refused");
    }
}

TEST_CASE("the way back gives a destination that leads to the same topic") {
    CHECK(slashes.destination_of("a/b") == "/topic/a/b");
    CHECK(slashes.destination_of("$queue/work") == "/queue/work");
    for (const auto* const name : {"a", "a/b", "/a", "$queue/x", "$queue/x/y", "$queue/x.y"}) {
        CAPTURE(name);
        CHECK(topic(slashes.destination_of(name)) == name);
        CHECK(topic(dots.destination_of(name), dots) == name);
    }
}

TEST_CASE("stomp.separator = dot: topics are spelled with dots; queue names and MQTT names are as they stand") {
    CHECK(topic("/topic/a.b.c", dots) == "a/b/c");
    CHECK(topic("/topic/a/b.c", dots) == "a/b/c");
    CHECK(topic("/queue/a.b", dots) == "$queue/a.b");
    CHECK(topic("a.b/c", dots) == "a.b/c");
    CHECK(filter("/topic/a.*.>", "", dots) == "a/+/#");
    CHECK(filter("/topic/a.**", "g", dots) == "$share/g/a/#");
    CHECK(filter("/topic/a.#", "", dots) == "a/#");
    CHECK(dots.destination_of("a/b/c") == "/topic/a.b.c");
    CHECK(topic("/topic/a.*", dots).starts_with("refused"));
    CHECK(filter("/topic/>.a", "", dots) == "refused");
}
