#include "protocols/websocket/decode.hpp"
#include "protocols/websocket/encode.hpp"
#include "tests/protocols/websocket/frames.hpp"
#include "tests/support/hex.hpp"

#include <doctest/doctest.h>

#include <array>
#include <string>
#include <vector>

using namespace broker;
using namespace broker::websocket;
using test::frame;
using test::hex;
using test::recorder;

namespace {

// Decodes the bytes in pieces of every size; all must agree.
std::vector<std::string> decode(const std::string& bytes, std::size_t max = 1000) {
    std::vector<std::string> agreed;
    for (std::size_t step = bytes.size(); step != 0; --step) {
        recorder seen;
        decoder d{max};
        for (std::size_t at = 0; at < bytes.size(); at += step) {
            auto piece = bytes.substr(at, step);
            d.feed({reinterpret_cast<std::uint8_t*>(piece.data()), piece.size()}, seen);
        }
        if (d.error()) seen.events.push_back("error " + std::to_string(d.error()->code));
        if (step == bytes.size()) agreed = seen.events;
        CHECK(seen.events == agreed);
    }
    return agreed;
}

using events = std::vector<std::string>;

} // namespace

TEST_CASE("RFC 6455 §5.4: messages, fragments, control frames in between") {
    CHECK(decode(frame(0x82, "hello")) == events{"binary hello"});
    CHECK(decode(frame(0x81, "")) == events{"text "});
    CHECK(decode(frame(0x82, std::string(300, 'x'))) == events{"binary " + std::string(300, 'x')});
    CHECK(decode(frame(0x01, "he") + frame(0x89, "?") + frame(0x00, "ll") + frame(0x80, "o") + frame(0x8A, "")) ==
          events{"ping ?", "text hello", "pong "});
    CHECK(decode(frame(0x88, "\x03\xe8" "bye") + frame(0x82, "late")) == events{"close 1000 bye"});
    CHECK(decode(frame(0x88, "")) == events{"close 1005 "});
}

TEST_CASE("RFC 6455 §5: what breaks the rules, with its close code") {
    CHECK(decode(hex("82 01 61")) == events{"error 1002"});                        // not masked
    CHECK(decode(frame(0xC2, "a")) == events{"error 1002"});                       // reserved bit
    CHECK(decode(frame(0x83, "a")) == events{"error 1002"});                       // reserved opcode
    CHECK(decode(frame(0x8B, "a")) == events{"error 1002"});                       // reserved control opcode
    CHECK(decode(frame(0x09, "a")) == events{"error 1002"});                       // fragmented control
    CHECK(decode(frame(0x89, std::string(126, 'p'))) == events{"error 1002"});     // long control
    CHECK(decode(frame(0x80, "a")) == events{"error 1002"});                       // nothing to continue
    CHECK(decode(frame(0x02, "a") + frame(0x82, "b")) == events{"error 1002"});    // message inside a message
    CHECK(decode(hex("82 fe 00 05 00 00 00 00")) == events{"error 1002"});         // longer length form than needed
    CHECK(decode(hex("82 ff 80 00 00 00 00 00 00 00 00 00 00 00")) == events{"error 1002"});
    CHECK(decode(frame(0x88, "\x03")) == events{"error 1002"});                    // half a close code
    for (const auto* code : {"03 ec", "03 ed", "03 ee", "03 f7", "00 00", "13 88", "07 cf"}) {
        CHECK_MESSAGE(decode(frame(0x88, hex(code))) == events{"error 1002"}, code);
    }
    CHECK(decode(frame(0x88, "\x03\xe8\xff")) == events{"error 1007"});
    CHECK(decode(frame(0x81, "\xff")) == events{"error 1007"});
    CHECK(decode(frame(0x81, "\xc3")) == events{"error 1007"});                    // ends inside a character
    CHECK(decode(frame(0x01, "\xc3") + frame(0x80, "\xbc")) == events{"text \xc3\xbc"});
}

TEST_CASE("the message limit counts across fragments and is decided from the header") {
    CHECK(decode(frame(0x82, std::string(10, 'x')), 10) == events{"binary xxxxxxxxxx"});
    CHECK(decode(frame(0x82, std::string(11, 'x')).substr(0, 6), 10) == events{"error 1009"}); // no payload seen yet
    CHECK(decode(frame(0x02, "12345678") + frame(0x80, "901"), 10) == events{"error 1009"});
}

TEST_CASE("frame headers have the shortest form") {
    std::array<std::uint8_t, 16> to{};
    CHECK(frame_header(to.data(), frame_kind::binary, 125) == 2);
    CHECK(to[0] == 0x82);
    CHECK(frame_header(to.data(), frame_kind::text, 126) == 4);
    CHECK(to[0] == 0x81);
    CHECK(to[1] == 126);
    CHECK(frame_header(to.data(), frame_kind::binary, 0x10000) == 10);
    CHECK(to[1] == 127);
}
