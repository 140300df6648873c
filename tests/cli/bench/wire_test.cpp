// What a broker sends, in pieces of every size.
#include "cli/bench/mqtt.hpp"
#include "cli/bench/stomp.hpp"
#include "cli/bench/websocket.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace broker::cli::bench;
using namespace std::string_literals;
using websocket::opcode;

TEST_CASE("frames of a server, in pieces of every size") {
    const auto large = std::string(70'000, 'x');
    const auto bytes = "\x82\x03" "abc" "\x89\x02" "hi" "\x82\x00"s + "\x01\x01" "d" "\x80\x7E\x00\x80"s + std::string(128, 'e') +
                       "\x82\x7F\x00\x00\x00\x00\x00\x01\x11\x70"s + large + "\x88\x00"s;
    for (const std::size_t piece : {1UL, 2UL, 3UL, 7UL, 1'000UL, bytes.size()}) {
        websocket::reader r;
        std::string data;
        std::string controls;
        for (std::size_t at = 0; at < bytes.size(); at += piece) {
            auto some = bytes.substr(at, piece);
            const auto size = r.take(some, [&](opcode what, std::string_view payload) {
                controls += std::to_string(static_cast<int>(what)) + std::string{payload};
            });
            REQUIRE(size);
            data += some.substr(0, *size);
        }
        CHECK(data == "abcd" + std::string(128, 'e') + large);
        CHECK(controls == "9hi8");
    }
}

TEST_CASE("frames no server may send") {
    for (auto wrong : {"\x82\x81mask."s, "\xC2\x01x"s, "\x89\x7E\x01\x00"s}) {
        websocket::reader r;
        CHECK(!r.take(wrong, [](opcode, std::string_view) {}));
    }
}

TEST_CASE("a client's frames are masked, each with another key") {
    websocket::writer w{1};
    std::string out;
    for (int i = 0; i != 2; ++i) {
        w.begin(out, opcode::binary, 21);
        out += "twenty-one characters";
        w.end(out);
    }
    REQUIRE(out.size() == 2 * (2 + 4 + 21));
    CHECK(out.substr(2, 4) != out.substr(27 + 2, 4));
    for (const std::size_t at : {0UL, 27UL}) {
        CHECK(out.substr(at, 2) == "\x82\x95");
        auto text = out.substr(at + 6, 21);
        for (std::size_t i = 0; i != text.size(); ++i) text[i] = static_cast<char>(text[i] ^ out[at + 2 + i % 4]);
        CHECK(text == "twenty-one characters");
    }
}

TEST_CASE("the upgrade is accepted, refused, or not there yet") {
    const auto good = "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"s;
    CHECK(**websocket::accepted(good + "\x82\x00"s) == good.size());
    CHECK(!*websocket::accepted(good.substr(0, good.size() - 1)));
    const auto no = websocket::accepted("HTTP/1.1 401 Unauthorized\r\n\r\nbody");
    REQUIRE(!no);
    CHECK(no.error().status == 401);
    CHECK(no.error().why.contains("401 Unauthorized"));
    CHECK(!websocket::accepted("+OK ready\r\n\r\n"));
    CHECK(!websocket::accepted(std::string(20'000, 'x')));
    CHECK(!websocket::accepted("HTTP/1.1 101 Yes\r\nSec-WebSocket-Accept: x\r\n\r\n"));
}

TEST_CASE("packets of MQTT are taken whole") {
    // CONNACK with Receive Maximum 10, Server Keep Alive 5 and a Reason String.
    const auto connack = "\x20\x0D\x00\x00\x0A\x21\x00\x0A\x13\x00\x05\x1F\x00\x01" "r"s;
    const auto publish = "\x32\x08\x00\x01t\x01\x02\x00hi"s; // QoS 1, packet identifier 0x0102
    const auto bytes = connack + publish + "\x40\x03\x00\x07\x87"s + "\xD0\x00"s;
    for (std::size_t size = 0; size != bytes.size(); ++size) {
        std::string_view some{bytes.data(), size};
        std::size_t taken = 0;
        for (;; ++taken) {
            const auto p = mqtt::take(some, true);
            REQUIRE(p);
            if (!*p) break;
        }
        CHECK(taken <= 3);
    }
    std::string_view rest = bytes;
    const auto first = **mqtt::take(rest, true);
    CHECK(first.what == mqtt::type::connack);
    CHECK(first.receive_maximum == 10);
    CHECK(first.keep_alive_s == 5);
    CHECK(first.reason_string == "r");
    const auto second = **mqtt::take(rest, true);
    CHECK(second.qos() == 1);
    CHECK(second.id == 0x0102);
    CHECK(second.payload == "hi");
    const auto third = **mqtt::take(rest, true);
    CHECK(third.id == 7);
    CHECK(mqtt::is_not_authorised(third, true));
    CHECK(mqtt::words_for(third, true) == "not authorized (0x87)");
    CHECK((**mqtt::take(rest, true)).what == mqtt::type::pingresp);
    CHECK(rest.empty());
    for (const auto& wrong : {"\x00\x00"s, "\x30\xFF\xFF\xFF\xFF\x01"s, "\x30\x03\x00\x05t"s}) {
        std::string_view in = wrong;
        CHECK(!mqtt::take(in, true));
    }
}

TEST_CASE("frames of STOMP are taken whole") {
    const auto bytes = "\n\r\nMESSAGE\nmessage-id:1\ncontent-length:3\nack:a\\c1\n\na\0b\0\nRECEIPT\r\nreceipt-id:7\r\n\r\n\0"s;
    for (std::size_t size = 0; size < bytes.find("RECEIPT") - 2; ++size) {
        std::string_view some{bytes.data(), size};
        CHECK(!stomp::take(some));
    }
    std::string_view rest = bytes;
    const auto message = *stomp::take(rest);
    CHECK(message.command == "MESSAGE");
    CHECK(message.body == "a\0b"s);
    CHECK(message.get("ack") == "a\\c1");
    CHECK(message.get("mess").empty());
    const auto receipt = *stomp::take(rest);
    CHECK(receipt.command == "RECEIPT");
    CHECK(receipt.get("receipt-id") == "7");
    CHECK(rest.empty());
    CHECK(!stomp::take(rest));
}
