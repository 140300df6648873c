#include "protocols/mqtt/decode.hpp"
#include "support/hex.hpp"

#include <doctest/doctest.h>

#include <optional>

using namespace broker;
using namespace broker::mqtt;
using test::hex;

namespace {

byte_reader body(const std::string& bytes) { return byte_reader{as_bytes(bytes)}; }

} // namespace

TEST_CASE("MQTT 5 §2.1: fixed headers") {
    const auto header = [](const char* digits) {
        const auto bytes = hex(digits);
        return decode_fixed_header(as_bytes(bytes), protocol_level::v5);
    };
    CHECK((*header("c0 00"))->packet_size() == 2);
    CHECK((*header("30 ff ff ff 7f"))->remaining == 268'435'455);
    CHECK_FALSE(header("30 ff")->has_value()); // incomplete
    CHECK_FALSE(header("30 ff ff ff ff"));     // [MQTT-1.5.5-1]
    CHECK_FALSE(header("00 00"));
    CHECK_FALSE(header("80 00"));              // [MQTT-2.1.3-1]: SUBSCRIBE needs 0010
    CHECK_FALSE(header("62 00")->value().remaining != 0);
}

TEST_CASE("MQTT-3.1.3-1, CONNECT: every version; every cut is an error, no flipped byte crashes") {
    for (const auto* digits : {"00 06 4d 51 49 73 64 70 03 02 00 3c 00 01 61",
                               "00 04 4d 51 54 54 04 ce 00 3c 00 01 61 00 01 77 00 01 6d 00 01 75 00 01 70",
                               "00 04 4d 51 54 54 05 02 00 3c 08 11 00 00 00 0a 21 00 05 00 01 61"}) {
        auto bytes = hex(digits);
        CHECK(decode_connect(body(bytes)));
        for (std::size_t cut = 0; cut != bytes.size(); ++cut) {
            const auto part = bytes.substr(0, cut);
            CHECK_FALSE(decode_connect(body(part)));
        }
        for (auto& byte : bytes) {
            byte = static_cast<char>(byte ^ 0xFF);
            (void)decode_connect(body(bytes));
            byte = static_cast<char>(byte ^ 0xFF);
        }
    }
    const auto level = hex("00 04 4d 51 54 54 06 02 00 3c 00 00 01 61");
    CHECK(decode_connect(body(level)).error().reason == reason_code::unsupported_protocol_version);
    const auto reserved = hex("00 04 4d 51 54 54 04 03 00 3c 00 01 61"); // [MQTT-3.1.2-3]
    CHECK_FALSE(decode_connect(body(reserved)));
}

TEST_CASE("MQTT 5 §2.2.2: properties") {
    const auto publish = [](const char* digits) {
        const auto bytes = hex(digits);
        return decode_publish(body(bytes), 0, protocol_level::v5).has_value();
    };
    CHECK(publish("00 01 61 00"));
    CHECK(publish("00 01 61 02 01 01 68"));
    CHECK_FALSE(publish("00 01 61 02 01 02"));             // format indicator is 0 or 1
    CHECK_FALSE(publish("00 01 61 04 01 01 01 01"));       // given twice
    CHECK_FALSE(publish("00 01 61 05 11 00 00 00 01"));    // not a PUBLISH property
    CHECK_FALSE(publish("00 01 61 02 7f 00"));             // unknown
    CHECK_FALSE(publish("00 01 61 05 02 00"));             // block longer than the packet
}

TEST_CASE("MQTT-3.3.1-4, MQTT-2.2.1-3: QoS 3, packet identifier 0") {
    const auto bytes = hex("00 01 61 00 00 68");
    CHECK_FALSE(decode_publish(body(bytes), 6, protocol_level::v3_1_1));
    CHECK_FALSE(decode_publish(body(bytes), 2, protocol_level::v3_1_1));
    CHECK_FALSE(decode_publish(body(bytes), 8, protocol_level::v3_1_1)); // DUP with QoS 0
}

TEST_CASE("MQTT-1.5.5-1: a variable byte integer is no longer than it need be; remaining lengths of version 3 may be") {
    const auto header = hex("c0 80 00");
    const auto decoded_header = decode_fixed_header(as_bytes(header), protocol_level::v5);
    REQUIRE(decoded_header);
    CHECK_FALSE((*decoded_header)->minimal);
    const auto properties = hex("00 01 61 80 00 68");
    CHECK_FALSE(decode_publish(body(properties), 0, protocol_level::v5));
    const auto identifier = hex("00 01 02 0b 81 00 00 01 61 00"); // subscription identifier 1 in two bytes
    CHECK_FALSE(decode_subscribe(body(identifier), protocol_level::v5));
}

TEST_CASE("MQTT-3.4.2-1, MQTT-3.5.2-1, MQTT-3.6.2-1, MQTT-3.7.2-1: each acknowledgement has its reason codes") {
    for (int code = 0; code != 256; ++code) {
        auto bytes = hex("00 01 00");
        bytes[2] = static_cast<char>(code);
        const auto reason = [&](packet_type type) { return decode_ack(body(bytes), type, protocol_level::v5).has_value(); };
        const bool first = std::string_view{"\x00\x10\x80\x83\x87\x90\x91\x97\x99", 9}.find(static_cast<char>(code)) != std::string_view::npos;
        CHECK(reason(packet_type::puback) == first);
        CHECK(reason(packet_type::pubrec) == first);
        CHECK(reason(packet_type::pubrel) == (code == 0 || code == 0x92));
        CHECK(reason(packet_type::pubcomp) == (code == 0 || code == 0x92));
        CHECK_FALSE(decode_ack(body(bytes), packet_type::puback, protocol_level::v3_1_1)); // two bytes and no more
    }
}

TEST_CASE("MQTT-3.14.2-1, MQTT-3.15.2-1: reason codes of DISCONNECT and AUTH") {
    const auto disconnect_with = [](const char* digits) {
        const auto bytes = hex(digits);
        const auto d = decode_disconnect(body(bytes), protocol_level::v5);
        return d ? reason_code::success : d.error().reason;
    };
    CHECK(disconnect_with("") == reason_code::success);
    CHECK(disconnect_with("04") == reason_code::success);
    CHECK(disconnect_with("8e") == reason_code::protocol_error); // only servers take sessions over
    CHECK(disconnect_with("00 05 11 00 00 00 05") == reason_code::success);
    CHECK(disconnect_with("00 04 1c 00 01 61") == reason_code::protocol_error); // server reference
    const auto auth_with = [](const char* digits) {
        const auto bytes = hex(digits);
        const auto a = decode_auth(body(bytes));
        return a ? reason_code::success : a.error().reason;
    };
    CHECK(auth_with("18 08 15 00 01 6d 16 00 01 64") == reason_code::success);
    CHECK(auth_with("19 04 15 00 01 6d") == reason_code::success);
    CHECK(auth_with("00 04 15 00 01 6d") == reason_code::protocol_error); // only a server says success
    CHECK(auth_with("") == reason_code::protocol_error);
    CHECK(auth_with("18 00") == reason_code::protocol_error);             // no method
    CHECK(auth_with("18 04 16 00 01 64") == reason_code::protocol_error); // data without a method
    CHECK(auth_with("18 05 15 00 01 6d") == reason_code::malformed_packet);
}

TEST_CASE("MQTT-3.3.4-6, MQTT-3.3.2-13, MQTT-3.3.2-14, MQTT-3.3.2-19, MQTT-1.5.7-1: properties of PUBLISH") {
    const auto code = [](const std::string& block) {
        auto bytes = hex("00 01 61");
        bytes.push_back(static_cast<char>(block.size()));
        bytes += block;
        const auto p = decode_publish(body(bytes), 0, protocol_level::v5);
        return p ? reason_code::success : p.error().reason;
    };
    CHECK(code(hex("0b 01")) == reason_code::protocol_error); // [MQTT-3.3.4-6]
    for (const auto* digits : {"11 00 00 00 01", "12 00 01 61", "13 00 01", "15 00 01 61", "17 00", "18 00 00 00 00",
                               "1a 00 01 61", "1c 00 01 61", "1f 00 01 61", "21 00 01", "24 01", "25 01", "28 01", "29 01",
                               "2a 01"}) {
        CHECK(code(hex(digits)) == reason_code::malformed_packet); // §2.2.2.2
    }
    CHECK(code(hex("04 00")) == reason_code::malformed_packet);
    CHECK(code(hex("02 00 00")) == reason_code::malformed_packet);
    CHECK(code(hex("26 00 01 61")) == reason_code::malformed_packet);             // half a pair
    CHECK(code(hex("26 00 01 61 00 01 ff")) == reason_code::malformed_packet);    // [MQTT-1.5.7-1]
    CHECK(code(hex("03 00 01 ff")) == reason_code::malformed_packet);             // [MQTT-3.3.2-19]
    CHECK(code(hex("08 00 01 ff")) == reason_code::malformed_packet);             // [MQTT-3.3.2-13]
    CHECK(code(hex("08 00 03 61 2f 23")) == reason_code::protocol_error);         // [MQTT-3.3.2-14]
}

TEST_CASE("MQTT-1.5.4-1, MQTT-1.5.4-2, MQTT-1.5.4-3, MQTT-4.7.3-2: strings are UTF-8 without U+0000 and surrogates; a BOM is kept") {
    const auto topic = [](const char* digits) -> std::optional<std::string> {
        auto text = hex(digits);
        std::string bytes{'\0', static_cast<char>(text.size())};
        bytes += text;
        const auto p = decode_publish(body(bytes), 0, protocol_level::v3_1_1);
        if (!p) return std::nullopt;
        return std::string{p->topic};
    };
    CHECK(topic("ef bb bf 61") == hex("ef bb bf 61"));
    CHECK(topic("ef bf bf"));          // U+FFFF: a non-character, allowed
    CHECK(topic("f4 8f bf bf"));       // U+10FFFF
    CHECK(topic("01 7f"));             // control characters are allowed
    CHECK_FALSE(topic("61 00 62"));    // U+0000
    CHECK_FALSE(topic("c0 80"));       // overlong U+0000
    CHECK_FALSE(topic("e0 80 af"));    // overlong slash
    CHECK_FALSE(topic("ed a0 80"));    // U+D800
    CHECK_FALSE(topic("ed bf bf"));    // U+DFFF
    CHECK_FALSE(topic("f4 90 80 80")); // above U+10FFFF
    CHECK_FALSE(topic("ff"));
    CHECK_FALSE(topic("e2 82"));       // cut
}

TEST_CASE("MQTT-3.6.1-1, MQTT-3.8.1-1, MQTT-3.10.1-1, MQTT-3.15.1-1, MQTT-3.14.1-1: flags of the fixed header") {
    for (int first = 0; first != 256; ++first) {
        const std::string bytes{static_cast<char>(first), '\0'};
        const int type = first >> 4;
        const int flags = first & 15;
        const bool two = type == 6 || type == 8 || type == 10;
        const bool valid = type != 0 && (type == 3 || flags == (two ? 2 : 0));
        CHECK(decode_fixed_header(as_bytes(bytes), protocol_level::v5).has_value() == valid);
        CHECK(decode_fixed_header(as_bytes(bytes), protocol_level::v3_1).has_value() == (type != 0));
    }
}

TEST_CASE("MQTT-3.1.2-17, MQTT-3.1.2-19; MQTT 3.1: the remaining length rules over the user name and password flags") {
    const auto flags_only = hex("00 06 4d 51 49 73 64 70 03 c2 00 3c 00 01 61");
    REQUIRE(decode_connect(body(flags_only)));
    CHECK_FALSE(decode_connect(body(flags_only))->user);
    const auto with_user = hex("00 06 4d 51 49 73 64 70 03 c2 00 3c 00 01 61 00 01 75");
    REQUIRE(decode_connect(body(with_user)));
    CHECK(decode_connect(body(with_user))->user == "u");
    const auto newer = hex("00 04 4d 51 54 54 04 c2 00 3c 00 01 61"); // [MQTT-3.1.2-17, MQTT-3.1.2-19]
    CHECK_FALSE(decode_connect(body(newer)));
}
