#include "cli/bench/options.hpp"

#include "cli/bench/stamp.hpp"
#include "cli/bench/tally.hpp"

#include <doctest/doctest.h>

#include <stdexcept>
#include <string>

using namespace broker::cli::bench;

TEST_CASE("URLs") {
    const auto web = target_of("wss://example.org/mqtt?x=1");
    CHECK(web.websocket);
    CHECK(web.tls);
    CHECK(web.host == "example.org");
    CHECK(web.port == "8084");
    CHECK(web.path == "/mqtt?x=1");
    const auto six = target_of("stomp://[::1]:61613");
    CHECK(six.host == "::1");
    CHECK(six.port == "61613");
    CHECK(target_of("mqtt://h").port == "1883");
    for (const auto* wrong : {"", "h:1883", "http://h", "tcp://h", "ws://", "ws://:80", "mqtt://h:x", "mqtt://h:1883/path", "ws://h/a b"}) {
        CHECK_THROWS_AS((void)target_of(wrong), std::invalid_argument);
    }
}

TEST_CASE("the protocol is the URL's, or the one that is asked for") {
    const auto speaks = [](const std::string& url, const std::string& named) {
        return checked({.what = verb::pub, .url = url, .protocol_name = named}).speaks;
    };
    CHECK(speaks("ws://h", "") == protocol::mqtt5);
    CHECK(speaks("ws://h", "stomp") == protocol::stomp);
    CHECK(speaks("stomps://h", "") == protocol::stomp);
    CHECK(speaks("tcp://h:1", "mqtt311") == protocol::mqtt311);
    CHECK_THROWS_AS(speaks("mqtt://h", "stomp"), std::invalid_argument);
    CHECK_THROWS_AS(speaks("stomp://h", "mqtt"), std::invalid_argument);
}

TEST_CASE("what does not fit together is refused") {
    const options good{.what = verb::fanout, .url = "mqtts://h"};
    CHECK(checked(good).connections() == 101);
    CHECK(checked(good).receivers() == 100);
    const auto wrong = [&](auto change) {
        auto o = good;
        change(o);
        CHECK_THROWS_AS((void)checked(o), std::invalid_argument);
    };
    wrong([](options& o) { o.payload_bytes = stamp_size - 1; });
    wrong([](options& o) { o.topic = "a/#"; });
    wrong([](options& o) { o.publishers = o.subscribers = 4'000; });
    wrong([](options& o) { o.insecure = true, o.ca_file = "ca.pem"; });
    wrong([](options& o) { o.url = "mqtt://h", o.insecure = true; });
    wrong([](options& o) { o.password = "secret"; });
    wrong([](options& o) { o.user = "u", o.password = "secret", o.token = "t"; });
    wrong([](options& o) { o.url = "stomp://h", o.qos = 2; });
}

TEST_CASE("a stamp is read back; others' payloads have none") {
    std::string payload(stamp_size + 5, '.');
    write_stamp({.run = 0xABCDEF, .publisher = 7, .number = 0xFFFF'FFFF, .due_ns = 1'234'567'890'123}, payload.data());
    const auto s = read_stamp(payload);
    REQUIRE(s);
    CHECK(s->run == 0xABCDEF);
    CHECK(s->publisher == 7);
    CHECK(s->number == 0xFFFF'FFFF);
    CHECK(s->due_ns == 1'234'567'890'123);
    CHECK(!read_stamp(payload.substr(0, stamp_size - 1)));
    payload[31] = 'G';
    CHECK(!read_stamp(payload));
}

TEST_CASE("a tally tells what is lost, doubled and out of order") {
    tally t{2};
    tally::counts found;
    for (const std::uint32_t n : {0U, 1U, 4U, 2U}) CHECK(t.add(1, n, found)); // 3 is missing
    CHECK(found.out_of_order == 1);
    CHECK(t.lost(1, 5) == 1);
    CHECK(t.lost(1, 7) == 3);
    CHECK(t.lost(0, 2) == 2);
    CHECK(t.add(1, 3, found));
    CHECK(!t.add(1, 3, found));
    CHECK(found.duplicates == 1);
    CHECK(t.lost(1, 5) == 0);
}
