// The tables of odd input against a running brokerd, over TCP and over WebSocket. What is served, refused and said does not
// depend on the transport. A protocol takes part by its dialect (support/scenario.hpp).
#include "conformance/brokerd_process.hpp"
#include "conformance/peer.hpp"

#include "protocols/mqtt/corpus.hpp"
#include "protocols/stomp/corpus.hpp"
#include "support/hex.hpp"
#include "support/wire.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <map>

using namespace broker::test;
using namespace std::string_literals;

namespace {

constexpr std::array transports{transport::tcp, transport::websocket, transport::websocket_bytes};

std::string listed(const std::vector<std::string>& packets) {
    std::string text;
    for (const auto& p : packets) text += (text.empty() ? "" : " | ") + to_hex(p);
    return text.empty() ? "nothing" : text;
}

bool match(const std::vector<std::string>& packets, const std::vector<std::string>& patterns) {
    return std::ranges::equal(packets, patterns, looks_like);
}

bool match_in_any_order(std::vector<std::string> packets, const std::vector<std::string>& patterns) {
    for (const auto& pattern : patterns) {
        const auto it = std::ranges::find_if(packets, [&](const auto& p) { return looks_like(p, pattern); });
        if (it == packets.end()) return false;
        packets.erase(it);
    }
    return packets.empty();
}

// One protocol over one transport to one server.
class bench {
public:
    bench(const dialect& d, transport over, brokerd_process& server)
        : d_{d}, over_{over}, server_{server}, witness_{connect()} {
        exchange(*witness_, d_.witness_hello, "the witness");
    }

    // What came back, byte for byte.
    std::string run(const scenario& row) {
        const auto client = connect();
        for (const auto& step : row.before) exchange(*client, step, row.name);
        client->send(row.send);
        switch (row.end) {
        case ending::open: expect_open(*client, row); break;
        case ending::closed: expect_closed(*client, row); break;
        case ending::waiting: break;
        }
        exchange(*witness_, d_.witness_round, row.name + ", then the witness");
        if (row.end == ending::waiting) {
            client->look();
            CHECK_MESSAGE(!client->ended(), where(row), " was closed");
            CHECK_MESSAGE(client->received().empty(), where(row), " -> ", to_hex(client->received()));
        }
        return client->received();
    }

private:
    std::unique_ptr<peer> connect() {
        return std::make_unique<peer>(over_, server_.port(over_ == transport::tcp ? d_.listener : "ws"), d_.subprotocol);
    }
    std::string where(const scenario& row) const {
        return std::string{name(over_)} + ": " + row.name + " " + row.rule + ": " + to_hex(row.send);
    }
    void exchange(peer& with, const scenario::step& step, const std::string& what) {
        with.send(step.send);
        const auto done = [&] { return match_in_any_order(d_.split(with.received()), step.answers); };
        while (!done() && with.read_more()) {}
        CHECK_MESSAGE(done(), name(over_), ": ", what, " -> ", listed(d_.split(with.received())));
        with.forget_received();
    }
    void expect_open(peer& client, const scenario& row) {
        client.send(d_.probe.send);
        auto expected = row.answers;
        expected.insert(expected.end(), d_.probe.answers.begin(), d_.probe.answers.end());
        // The probe's answer is the last to come, right or wrong.
        const auto probes = [&](const std::vector<std::string>& packets) {
            return std::ranges::count_if(packets, [&](const auto& p) { return looks_like(p, d_.probe.answers.back()); });
        };
        const auto due = 1 + std::ranges::count(row.answers, d_.probe.answers.back());
        while (probes(d_.split(client.received())) < due && client.read_more()) {}
        const auto got = d_.split(client.received());
        CHECK_MESSAGE(match(got, expected), where(row), " -> ", listed(got));
        CHECK_MESSAGE(!client.ended(), where(row), " was closed");
    }
    void expect_closed(peer& client, const scenario& row) {
        while (client.read_more()) {}
        const auto got = d_.split(client.received());
        CHECK_MESSAGE(client.ended(), where(row), " was not closed");
        CHECK_MESSAGE(match(got, row.answers), where(row), " -> ", listed(got));
        if (over_ != transport::tcp) CHECK_MESSAGE(client.close_code().has_value(), where(row), " without a close frame");
    }

    const dialect& d_;
    transport over_;
    brokerd_process& server_;
    std::unique_ptr<peer> witness_;
};

void run_table(const dialect& d) {
    brokerd_process server{{d.listener, "ws"}, d.settings};
    std::map<std::string, std::string> over_tcp;
    for (const auto over : transports) {
        bench b{d, over, server};
        for (const auto& row : d.table) {
            const auto got = b.run(row);
            if (over == transport::tcp) {
                over_tcp[row.name] = got;
            } else if (!d.varies(got)) {
                CHECK_MESSAGE(got == over_tcp[row.name], name(over), ": ", row.name, " got ", to_hex(got), ", over TCP ",
                              to_hex(over_tcp[row.name]));
            }
        }
        REQUIRE_MESSAGE(server.running(), server.log());
    }
}

} // namespace

TEST_CASE("MQTT: every row has the same reaction over TCP and WebSocket, and the witness is served") {
    run_table(mqtt_dialect());
}

TEST_CASE("STOMP: every row has the same reaction over TCP and WebSocket, and the witness is served") {
    run_table(stomp_dialect());
}

TEST_CASE("MQTT-6.0.0-1: MQTT in a text message closes the connection") {
    brokerd_process server{{"ws"}, {}};
    peer client{transport::websocket, server.port("ws"), "mqtt"};
    client.send_frame(0x1, wire("10: 'MQTT' 04 02 003c 'c'"));
    while (client.read_more()) {}
    CHECK(client.ended());
    CHECK(client.received().empty());
    CHECK(client.close_code() == 1003);
}

TEST_CASE("MQTT-6.0.0-2: packets and WebSocket frames share no boundaries") {
    brokerd_process server{{"ws"}, {}};
    peer client{transport::websocket, server.port("ws"), "mqtt"};
    const auto bytes = wire("10: 'MQTT' 04 02 003c 'c'; c0 00; c0 00");
    client.send(bytes.substr(0, 5));
    client.send(bytes.substr(5, 11)); // the end of CONNECT and the first half of a PINGREQ
    client.send(bytes.substr(16));
    const auto expected = wire("20 02 00 00; d0 00; d0 00");
    while (client.received().size() < expected.size() && client.read_more()) {}
    CHECK(client.received() == expected);
}

TEST_CASE("MQTT-6.0.0-3, MQTT-6.0.0-4: the subprotocol is mqtt, or there is no connection") {
    brokerd_process server{{"ws"}, {}};
    const peer client{transport::websocket, server.port("ws"), "unknown, mqtt"};
    CHECK(client.response().find("Sec-WebSocket-Protocol: mqtt\r\n") != std::string::npos);
    CHECK_THROWS_WITH((peer{transport::websocket, server.port("ws"), "unknown"}),
                      doctest::Contains("HTTP/1.1 400"));
}

TEST_CASE("STOMP over WebSocket: text or binary comes in, text goes out where it is UTF-8, one frame a message") {
    brokerd_process server{{"ws"}, {}};
    peer client{transport::websocket, server.port("ws"), "v12.stomp"};
    client.send_frame(0x1, "CONNECT\naccept-version:1.2\nhost:h\n\n\0SUBSCRIBE\nid:1\ndestination:/topic/a\nreceipt:r\n\n\0"s);
    client.send_frame(0x2, "SEND\ndestination:/topic/a\n\ntext \xE2\x82\xAC\0"s);
    client.send_frame(0x2, "SEND\ndestination:/topic/a\ncontent-le"s); // a frame spans messages of both kinds
    client.send_frame(0x1, "ngth:3\n\n\0"s);
    client.send_frame(0x2, "\xFFx\0"s);
    while (client.messages().size() < 4 && client.read_more()) {}
    REQUIRE(client.messages().size() == 4);
    std::string kinds;
    std::string_view rest = client.received();
    for (const auto& m : client.messages()) {
        kinds += m.opcode == 1 ? 't' : 'b';
        CHECK(rest[m.size - 1] == '\0'); // the frame ends with its message
        rest.remove_prefix(m.size);
    }
    CHECK(kinds == "tttb"); // CONNECTED, RECEIPT, and the two MESSAGEs
}

TEST_CASE("[STOMP12-DISCONNECT-2] DISCONNECT over WebSocket: RECEIPT, then close 1000") {
    brokerd_process server{{"ws"}, {}};
    peer client{transport::websocket, server.port("ws"), "v12.stomp"};
    client.send_frame(0x1, "CONNECT\naccept-version:1.2\nhost:h\n\n\0"s);
    while (client.received().empty() && client.read_more()) {}
    client.forget_received();
    client.send_frame(0x1, "SEND\ndestination:/queue/q\n\nx\0DISCONNECT\nreceipt:77\n\n\0"s);
    while (client.read_more()) {}
    CHECK(client.received() == "RECEIPT\nreceipt-id:77\n\n\0"s);
    CHECK(client.close_code() == 1000);
    CHECK(client.ended());
}

TEST_CASE("[STOMP12-LIMIT-1] a line of 4 MB is refused at its limit") {
    brokerd_process server{{"stomp"}, {}};
    peer client{transport::tcp, server.port("stomp"), ""};
    client.send("CONNECT\naccept-version:1.2\nhost:h\n\n\0SEND\nk:"s);
    client.send(std::string(4 * 1024 * 1024, 'x'));
    while (client.read_more()) {}
    CHECK(client.received().find("code:too_big") != std::string::npos);
    CHECK(client.ended());
}
