#include "protocols/mqtt/decode.hpp"
#include "support/hex.hpp"

#include <doctest/doctest.h>

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

TEST_CASE("CONNECT: every version; every cut is an error, no flipped byte crashes") {
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
