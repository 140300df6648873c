#include "protocols/stomp/parser.hpp"

#include <doctest/doctest.h>

using namespace broker;
using namespace broker::stomp;
using namespace std::string_literals;

namespace {

// A frame that outlives its input.
struct kept {
    std::string command{};
    std::vector<std::pair<std::string, std::string>> headers{};
};

struct parsed {
    std::vector<kept> frames{};
    std::vector<std::string> bodies{};
    std::optional<parse_error> error{};
};

// Feeds the pieces in order and keeps what came out. `connected`: as after CONNECTED with this version.
parsed parse(const std::vector<std::string_view>& pieces, version v, bool connected = true, const limits& bounds = {}) {
    parser p{bounds};
    if (connected) {
        p.set_version(v);
        p.set_connected();
    }
    parsed all;
    for (const auto piece : pieces) {
        const auto used = p.feed(as_bytes(piece), [&](const frame& f) {
            all.frames.push_back({.command = std::string{f.command}, .headers = {f.headers.begin(), f.headers.end()}});
            all.bodies.emplace_back(as_text(f.body));
            return true;
        });
        if (p.error()) break;
        REQUIRE(used == piece.size());
    }
    all.error = p.error();
    return all;
}

struct good_case {
    std::string_view name{};
    std::string bytes{};
    version v = version::v1_2;
    std::string command{};
    std::vector<std::pair<std::string, std::string>> headers{};
    std::string body{};
};

const std::vector<good_case> good_cases{
    {"no headers", "BEGIN\n\n\0"s, version::v1_2, "BEGIN", {}, ""},
    {"one header", "BEGIN\ntransaction:t\n\n\0"s, version::v1_2, "BEGIN", {{"transaction", "t"}}, ""},
    {"CR LF line ends", "SEND\r\na:b\r\n\r\nx\r\n\0"s, version::v1_2, "SEND", {{"a", "b"}}, "x\r\n"},
    {"EOLs in front", "\n\r\n\nSEND\n\n\0"s, version::v1_2, "SEND", {}, ""},
    {"EOLs behind", "SEND\n\n\0\n\r\n\n"s, version::v1_2, "SEND", {}, ""},
    {"body up to NUL", "SEND\n\nhello\0"s, version::v1_2, "SEND", {}, "hello"},
    {"body with NUL", "SEND\ncontent-length:3\n\na\0b\0"s, version::v1_2, "SEND", {{"content-length", "3"}}, "a\0b"s},
    {"empty sized body", "SEND\ncontent-length:0\n\n\0"s, version::v1_2, "SEND", {{"content-length", "0"}}, ""},
    {"all escapes", "SEND\na\\cb:\\n\\r\\\\\\c\n\n\0"s, version::v1_2, "SEND", {{"a:b", "\n\r\\:"}}, ""},
    {"colon inside a value", "SEND\na:b:c\n\n\0"s, version::v1_2, "SEND", {{"a", "b:c"}}, ""},
    {"no trimming in 1.2", "SEND\na : b \n\n\0"s, version::v1_2, "SEND", {{"a ", " b "}}, ""},
    {"no trimming in 1.1", "SEND\na: b\n\n\0"s, version::v1_1, "SEND", {{"a", " b"}}, ""},
    {"padding in 1.0", "SEND\na:  b\n\n\0"s, version::v1_0, "SEND", {{"a", "b"}}, ""},
    {"no escapes in 1.0", "SEND\na:\\n\\t\n\n\0"s, version::v1_0, "SEND", {{"a", "\\n\\t"}}, ""},
    {"empty value", "SEND\na:\n\n\0"s, version::v1_2, "SEND", {{"a", ""}}, ""},
    {"repeated header", "SEND\na:1\na:2\n\n\0"s, version::v1_2, "SEND", {{"a", "1"}, {"a", "2"}}, ""},
    {"UTF-8", "SEND\nä:ö\n\n€\0"s, version::v1_2, "SEND", {{"ä", "ö"}}, "€"},
    {"body is not text", "SEND\n\n\xFF\xFE\0"s, version::v1_2, "SEND", {}, "\xFF\xFE"},
};

void check(const parsed& p, const good_case& c) {
    REQUIRE(!p.error);
    REQUIRE(p.frames.size() == 1);
    CHECK(p.frames[0].command == c.command);
    CHECK(p.frames[0].headers == c.headers);
    CHECK(p.bodies[0] == c.body);
}

struct bad_case {
    std::string_view name{};
    std::string bytes{};
    version v = version::v1_2;
    std::string_view code{};
};

const std::vector<bad_case> bad_cases{
    {"no colon", "SEND\nabc\n\n\0"s, version::v1_2, "protocol_error"},
    {"header without a name", "SEND\n:v\n\n\0"s, version::v1_2, "protocol_error"},
    {"undefined escape \\t", "SEND\na:\\t\n\n\0"s, version::v1_2, "protocol_error"},
    {"escape cut by the line", "SEND\na:\\\n\n\0"s, version::v1_2, "protocol_error"},
    {"undefined escape in a name", "SEND\n\\x:a\n\n\0"s, version::v1_2, "protocol_error"},
    {"\\r is undefined in 1.1", "SEND\na:\\r\n\n\0"s, version::v1_1, "protocol_error"},
    {"content-length not a number", "SEND\ncontent-length:x\n\n\0"s, version::v1_2, "protocol_error"},
    {"content-length empty", "SEND\ncontent-length:\n\n\0"s, version::v1_2, "protocol_error"},
    {"content-length negative", "SEND\ncontent-length:-1\n\n\0"s, version::v1_2, "protocol_error"},
    {"content-length with a tail", "SEND\ncontent-length:1 \n\na\0"s, version::v1_2, "protocol_error"},
    {"content-length beyond 64 bits", "SEND\ncontent-length:99999999999999999999\n\n\0"s, version::v1_2, "too_big"},
    {"no NUL behind a sized body", "SEND\ncontent-length:1\n\nab\0"s, version::v1_2, "protocol_error"},
    {"header not UTF-8", "SEND\na:\xFF\n\n\0"s, version::v1_2, "bad_utf8"},
    {"command not UTF-8", "\xFFSEND\n\n\0"s, version::v1_2, "bad_utf8"},
};

} // namespace

TEST_CASE("[STOMP12 §Augmented BNF] frames, whole, cut in two at every byte, and byte by byte") {
    for (const auto& c : good_cases) {
        CAPTURE(c.name);
        const std::string_view bytes = c.bytes;
        check(parse({bytes}, c.v), c);
        for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
            CAPTURE(cut);
            check(parse({bytes.substr(0, cut), bytes.substr(cut)}, c.v), c);
        }
        std::vector<std::string_view> single;
        for (std::size_t i = 0; i != bytes.size(); ++i) single.push_back(bytes.substr(i, 1));
        check(parse(single, c.v), c);
    }
}

TEST_CASE("[STOMP12 §Augmented BNF] what is wrong is wrong wherever it is cut") {
    for (const auto& c : bad_cases) {
        CAPTURE(c.name);
        const std::string_view bytes = c.bytes;
        for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
            CAPTURE(cut);
            const auto p = parse({bytes.substr(0, cut), bytes.substr(cut)}, c.v);
            REQUIRE(p.error);
            CHECK(p.error->code == c.code);
            CHECK(!p.error->what.empty());
            CHECK(p.frames.empty());
        }
    }
}

TEST_CASE("every byte of every case changed: a frame, an error or more to come, the same wherever it is cut") {
    for (const auto& c : good_cases) {
        CAPTURE(c.name);
        for (std::size_t i = 0; i != c.bytes.size(); ++i) {
            for (const int flip : {0x01, 0x20, 0x80, 0xFF}) {
                auto bytes = c.bytes;
                bytes[i] = static_cast<char>(bytes[i] ^ flip);
                const std::string_view view = bytes;
                const auto whole = parse({view}, c.v);
                const auto half = parse({view.substr(0, view.size() / 2), view.substr(view.size() / 2)}, c.v);
                CHECK(whole.bodies == half.bodies);
                CHECK(whole.error.has_value() == half.error.has_value());
            }
        }
    }
}

TEST_CASE("[STOMP12 §Repeated Header Entries] the first one counts") {
    const frame f{.command = "SEND", .headers = {{"a", "1"}, {"a", "2"}}};
    CHECK(f.get("a") == "1");
    CHECK(!f.find("b"));
}

TEST_CASE("several frames in one piece; a handler that stops leaves the rest untouched") {
    const auto bytes = "BEGIN\ntransaction:1\n\n\0\nSEND\n\nx\0ABORT\ntransaction:1\n\n\0"s;
    const auto p = parse({bytes}, version::v1_2);
    REQUIRE(p.frames.size() == 3);
    CHECK(p.frames[1].command == "SEND");
    CHECK(p.frames[2].command == "ABORT");

    const limits bounds;
    parser stopped{bounds};
    stopped.set_connected();
    const auto used = stopped.feed(as_bytes(bytes), [](const frame&) { return false; });
    CHECK(used == "BEGIN\ntransaction:1\n\n\0"s.size());
}

TEST_CASE("[STOMP12 §Value Encoding] CONNECT is not escaped") {
    const auto p = parse({"CONNECT\npasscode:a\\tb\\c:\n\n\0"s}, version::v1_2, false);
    REQUIRE(p.frames.size() == 1);
    REQUIRE(p.frames[0].headers.size() == 1);
    CHECK(p.frames[0].headers[0].second == "a\\tb\\c:");
}

TEST_CASE("[STOMP12 §Size Limits] each limit at its last byte and one beyond") {
    limits bounds;
    bounds.stomp_header_line_max = 20;
    bounds.stomp_headers_max = 2;
    bounds.max_message_bytes = 10;
    const auto code = [&](std::string_view bytes) {
        const auto p = parse({bytes}, version::v1_2, true, bounds);
        return p.error ? p.error->code : std::string_view{};
    };
    CHECK(code("SEND\na:" + std::string(18, 'x') + "\n\n") == "");
    CHECK(code("SEND\na:" + std::string(19, 'x')) == "too_big"); // before the line ends
    CHECK(code(std::string(21, 'X')) == "too_big");
    CHECK(code("SEND\na:1\nb:2\n\n\0"s) == "");
    CHECK(code("SEND\na:1\nb:2\nc:3\n") == "too_big");
    CHECK(code("SEND\ncontent-length:10\n\n") == "");
    CHECK(code("SEND\ncontent-length:11\n\n") == "too_big"); // refused before a byte of the body is kept
    CHECK(code("SEND\n\n0123456789\0"s) == "");
    CHECK(code("SEND\n\n0123456789x") == "too_big");
}

TEST_CASE("before CONNECTED the small limit holds, for the whole frame") {
    limits bounds;
    bounds.connect_bytes_max = 64;
    CHECK(!parse({"CONNECT\na:b\n\n\0"s}, version::v1_2, false, bounds).error);
    const auto lines = "CONNECT\n" + std::string(40, 'a') + ":\n" + std::string(40, 'b') + ":\n\n";
    CHECK(parse({lines}, version::v1_2, false, bounds).error);
    CHECK(parse({"CONNECT\ncontent-length:65\n\n"}, version::v1_2, false, bounds).error);
    CHECK(parse({"CONNECT\n\n" + std::string(65, 'x')}, version::v1_2, false, bounds).error);
}

TEST_CASE("[STOMP12 §ERROR] an error names the receipt of its frame") {
    const auto p = parse({"SEND\nreceipt:r7\ncontent-length:1\n\nab\0"s}, version::v1_2);
    REQUIRE(p.error);
    CHECK(p.error->receipt == "r7");
}
