// $SYS: names and formats that dashboards made for Mosquitto read.
#include "admin/sys_tree.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <map>
#include <set>

using namespace broker;
using namespace broker::admin;

namespace {

constexpr auto start = time_point{seconds{1'700'000'000}};
constexpr auto mqtt = static_cast<std::size_t>(protocol_kind::mqtt);
constexpr auto stomp = static_cast<std::size_t>(protocol_kind::stomp);

using values = std::map<std::string, std::string>;

values update(sys_tree& tree, sys_reading r, seconds after_start) {
    r.started_at = start;
    r.now = start + after_start;
    values all;
    for (auto& v : tree.update(r)) {
        CHECK(v.topic.starts_with("$SYS/broker/"));
        CHECK(all.emplace(v.topic.substr(12), v.text).second); // each topic once
    }
    return all;
}

} // namespace

TEST_CASE("every topic there is") {
    sys_tree tree{"1.2.3"};
    CHECK(tree.version().topic == "$SYS/broker/version");
    CHECK(tree.version().text == "brokerd version 1.2.3");
    std::set<std::string> expected{"uptime",
                                   "clients/connected",
                                   "clients/disconnected",
                                   "clients/total",
                                   "clients/maximum",
                                   "clients/expired",
                                   "messages/received",
                                   "messages/sent",
                                   "publish/messages/received",
                                   "publish/messages/sent",
                                   "publish/messages/dropped",
                                   "publish/bytes/received",
                                   "publish/bytes/sent",
                                   "bytes/received",
                                   "bytes/sent",
                                   "subscriptions/count",
                                   "shared_subscriptions/count",
                                   "retained messages/count",
                                   "store/messages/count",
                                   "store/messages/bytes",
                                   "heap/current"};
    for (const std::string what : {"messages/received", "messages/sent", "publish/received", "publish/sent", "publish/dropped",
                                   "bytes/received", "bytes/sent", "connections", "sockets"}) {
        for (const std::string window : {"1min", "5min", "15min"}) expected.insert("load/" + what + "/" + window);
    }
    std::set<std::string> found;
    for (const auto& [topic, text] : update(tree, {}, seconds{10})) found.insert(topic);
    CHECK(found == expected);
}

TEST_CASE("totals are sums over protocols and levels of service") {
    sys_tree tree{"1"};
    sys_reading r;
    auto& c = r.sums;
    c.packets_received[mqtt] = 20;
    c.packets_received[stomp] = 3;
    c.packets_sent[mqtt] = 30;
    c.messages_received[mqtt] = {1, 2, 3};
    c.messages_received[stomp] = {0, 4, 0};
    c.messages_sent[mqtt] = {5, 0, 1};
    c.message_bytes_received[mqtt] = 100;
    c.message_bytes_sent[stomp] = 200;
    c.network_bytes_received = 1000;
    c.network_bytes_sent = 2000;
    c.drop(drop_reason::queue_full, 7);
    c.drop(drop_reason::too_big, 1);
    c.drop(drop_reason::no_subscriber, 50); // nobody lost anything
    c.sessions_expired = 9;
    r.subscriptions = 11;
    r.shared_subscriptions = 12;
    r.retained_messages = 13;
    r.retained_bytes = 1300;
    c.owed_messages = 14;
    c.owed_bytes = 1400;
    r.queued_messages = 15;
    r.queued_bytes = 1500;
    r.heap_bytes = 4096;
    auto v = update(tree, r, seconds{3725});
    CHECK(v["uptime"] == "3725 seconds");
    CHECK(v["messages/received"] == "23");
    CHECK(v["messages/sent"] == "30");
    CHECK(v["publish/messages/received"] == "10");
    CHECK(v["publish/messages/sent"] == "6");
    CHECK(v["publish/messages/dropped"] == "8");
    CHECK(v["publish/bytes/received"] == "100");
    CHECK(v["publish/bytes/sent"] == "200");
    CHECK(v["bytes/received"] == "1000");
    CHECK(v["bytes/sent"] == "2000");
    CHECK(v["clients/expired"] == "9");
    CHECK(v["subscriptions/count"] == "11");
    CHECK(v["shared_subscriptions/count"] == "12");
    CHECK(v["retained messages/count"] == "13");
    CHECK(v["store/messages/count"] == "42");
    CHECK(v["store/messages/bytes"] == "4200");
    CHECK(v["heap/current"] == "4096");
}

TEST_CASE("clients: connected ones of both protocols, sessions without a connection, the most there have been") {
    sys_tree tree{"1"};
    sys_reading r;
    r.sums.clients[mqtt] = 5;
    r.sums.clients[stomp] = 2;
    r.sessions = 8; // five of the MQTT clients, three that are away
    r.sums.sessions_online = 5;
    auto v = update(tree, r, seconds{10});
    CHECK(v["clients/connected"] == "7");
    CHECK(v["clients/disconnected"] == "3");
    CHECK(v["clients/total"] == "10");
    CHECK(v["clients/maximum"] == "7");
    r.sums.clients = {};
    r.sums.sessions_online = 0;
    v = update(tree, r, seconds{20});
    CHECK(v["clients/connected"] == "0");
    CHECK(v["clients/disconnected"] == "8");
    CHECK(v["clients/maximum"] == "7");
}

TEST_CASE("gauges that are read while a session moves do not wrap") {
    sys_tree tree{"1"};
    sys_reading r;
    r.sums.owed_messages = 0 - counters::count{2};
    r.sums.owed_bytes = 0 - counters::count{200};
    r.sums.clients[mqtt] = 0 - counters::count{1};
    r.sums.sessions_online = 4;
    r.sessions = 3;
    auto v = update(tree, r, seconds{10});
    CHECK(v["store/messages/count"] == "0");
    CHECK(v["store/messages/bytes"] == "0");
    CHECK(v["clients/connected"] == "0");
    CHECK(v["clients/disconnected"] == "0");
}

TEST_CASE("load averages: a steady rate is approached with each window's time constant, and forgotten with it") {
    sys_tree tree{"1"};
    sys_reading r;
    values v;
    for (int i = 1; i <= 6; ++i) { // one minute of ten packets a second
        r.sums.packets_received[mqtt] += 100;
        v = update(tree, r, seconds{10 * i});
    }
    const auto expected = [](double minutes, double window) { return 600 * (1 - std::exp(-minutes / window)); };
    CHECK(std::stod(v["load/messages/received/1min"]) == doctest::Approx(expected(1, 1)).epsilon(0.001));
    CHECK(std::stod(v["load/messages/received/5min"]) == doctest::Approx(expected(1, 5)).epsilon(0.001));
    CHECK(std::stod(v["load/messages/received/15min"]) == doctest::Approx(expected(1, 15)).epsilon(0.001));
    v = update(tree, r, seconds{120}); // a minute of silence in one reading
    CHECK(std::stod(v["load/messages/received/1min"]) ==
          doctest::Approx(expected(1, 1) * std::exp(-1)).epsilon(0.001));
    const auto& text = v["load/messages/received/1min"];
    CHECK(text.size() - text.find('.') == 3); // two decimals
    CHECK(v["load/messages/sent/1min"] == "0.00");
}

TEST_CASE("a second reading at the same moment changes no average") {
    sys_tree tree{"1"};
    sys_reading r;
    r.sums.sockets_opened = 60;
    const auto before = update(tree, r, seconds{60})["load/sockets/1min"];
    r.sums.sockets_opened = 120;
    CHECK(update(tree, r, seconds{60})["load/sockets/1min"] == before);
}
