#include "security/forwarded.hpp"

#include <doctest/doctest.h>

using namespace broker;
using namespace broker::security;
using namespace std::string_literals;

namespace {

ip_address ip(std::string_view text) {
    const auto a = ip_address::parse(text);
    REQUIRE_MESSAGE(a, text);
    return *a;
}

std::string said(const proxy_outcome& o) {
    if (std::holds_alternative<more_bytes_needed>(o)) return "more";
    if (std::holds_alternative<no_proxy_header>(o)) return "none";
    if (const auto* const bad = std::get_if<bad_proxy_header>(&o)) return "bad: " + std::string{bad->why};
    const auto& h = std::get<proxy_header>(o);
    auto words = std::to_string(h.size) + " " + (h.source ? h.source->text() + " " + std::to_string(h.port) : "local");
    if (h.tls) words += *h.tls ? " tls" : " plain";
    return h.common_name.empty() ? words : words + " " + h.common_name;
}
std::string read(const std::string& bytes) { return said(read_proxy_header(as_bytes(bytes))); }

std::string version_2(char command, char family, const std::string& body) {
    return "\r\n\r\n\0\r\nQUIT\n"s + command + family + static_cast<char>(body.size() >> 8) + static_cast<char>(body.size()) + body;
}
std::string tlv(char type, const std::string& value) { return type + std::string{static_cast<char>(value.size() >> 8), static_cast<char>(value.size())} + value; }

const std::string v4 = "\xC0\x00\x02\x01\xC0\x00\x02\x02\x12\x67\x00\x50"s; // 192.0.2.1:4711 → 192.0.2.2:80

} // namespace

TEST_CASE("addresses: both spellings of an IPv4 address are one") {
    CHECK(ip("192.0.2.1") == ip("::ffff:192.0.2.1"));
    CHECK(ip("::FFFF:192.0.2.1").text() == "192.0.2.1");
    CHECK(ip("2001:DB8:0::1").text() == "2001:db8::1");
    CHECK_FALSE(ip("2001:db8::1").is_v4());
    for (const std::string bad : {"", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", "1.2.3.4 ", "fe80::1%eth0", "[::1]", "::1:80:x", "localhost"}) {
        CHECK_MESSAGE(!ip_address::parse(bad), bad);
    }
    CHECK_FALSE(ip_address::parse("1.2.3.4\0x"s));
}

TEST_CASE("networks") {
    const auto n = networks::parse({"10.0.0.0/8", "192.0.2.7", "2001:db8::/33", "172.16.0.0/12"});
    REQUIRE(n);
    for (const auto* const in : {"10.0.0.0", "10.255.1.2", "::ffff:10.1.1.1", "192.0.2.7", "2001:db8:7fff::1", "172.31.0.1"}) CHECK_MESSAGE(n->contain(ip(in)), in);
    for (const auto* const out : {"11.0.0.0", "192.0.2.8", "2001:db8:8000::1", "172.32.0.1", "::1", "9.255.255.255"}) CHECK_MESSAGE(!n->contain(ip(out)), out);
    CHECK(networks::parse({"0.0.0.0/0"})->contain(ip("1.2.3.4")));
    CHECK_FALSE(networks::parse({"0.0.0.0/0"})->contain(ip("2001:db8::1")));
    CHECK(networks::parse({"::/0"})->contain(ip("1.2.3.4")));
    CHECK_FALSE(networks::parse({})->contain(ip("127.0.0.1")));
    CHECK(networks::parse({"10.0.0.1/8"}).error() == "network '10.0.0.1/8': it has bits behind its prefix; write 10.0.0.0");
    CHECK(networks::parse({"10.0.0.0/33"}).error() == "network '10.0.0.0/33': its prefix is 0 to 32");
    CHECK(networks::parse({"10.0.0.0/"}).error() == "network '10.0.0.0/': its prefix is 0 to 32");
    CHECK(networks::parse({"ten"}).error() == "network 'ten': write 10.0.0.0/8, 2001:db8::/32 or an address");
}

TEST_CASE("the client is the first from the right that is no trusted proxy") {
    const proxy_trust trusted{.trusted = *networks::parse({"10.0.0.0/8", "2001:db8::/32"}), .headers = {"forwarded", "x-forwarded-for"}};
    const auto from = [&](std::string_view peer, const std::vector<header_line>& headers) { return client_address(ip(peer), headers, trusted).text(); };
    CHECK(from("10.0.0.1", {}) == "10.0.0.1");
    CHECK(from("10.0.0.1", {{"X-Forwarded-For", "192.0.2.1"}}) == "192.0.2.1");
    CHECK(from("192.0.2.9", {{"X-Forwarded-For", "192.0.2.1"}}) == "192.0.2.9"); // from elsewhere nothing is believed
    CHECK(from("10.0.0.1", {{"x-forwarded-for", "203.0.113.5, 192.0.2.1, 10.0.0.2"}}) == "192.0.2.1"); // what is left of it the client may have made up
    CHECK(from("10.0.0.1", {{"X-Forwarded-For", "203.0.113.5"}, {"X-Forwarded-For", "192.0.2.1"}}) == "192.0.2.1");
    CHECK(from("10.0.0.1", {{"X-Forwarded-For", "10.0.0.3,10.0.0.2"}}) == "10.0.0.3");
    CHECK(from("10.0.0.1", {{"X-Forwarded-For", "192.0.2.1:4711"}}) == "192.0.2.1");
    CHECK(from("10.0.0.1", {{"X-Forwarded-For", "2001:db9::1"}}) == "2001:db9::1");
    CHECK(from("10.0.0.1", {{"X-Forwarded-For", "[2001:db9::1]:80"}}) == "2001:db9::1");
    CHECK(from("10.0.0.1", {{"X-Forwarded-For", "192.0.2.1, nonsense"}}) == "10.0.0.1");
    CHECK(from("10.0.0.1", {{"X-Forwarded-For", "192.0.2.1,"}}) == "10.0.0.1");
    CHECK(from("10.0.0.1", {{"X-Forwarded-For", ""}}) == "10.0.0.1");
    // RFC 7239 §4
    CHECK(from("10.0.0.1", {{"Forwarded", "for=192.0.2.60;proto=http;by=203.0.113.43"}}) == "192.0.2.60");
    CHECK(from("10.0.0.1", {{"Forwarded", "for=192.0.2.43, for=\"[2001:db8:cafe::17]:4711\""}}) == "192.0.2.43");
    CHECK(from("10.0.0.1", {{"Forwarded", "For=\"[2001:db9:cafe::17]:4711\""}}) == "2001:db9:cafe::17");
    CHECK(from("10.0.0.1", {{"Forwarded", "for=192.0.2.1, for=\"_a,b\""}}) == "10.0.0.1"); // hidden
    CHECK(from("10.0.0.1", {{"Forwarded", "for=unknown"}}) == "10.0.0.1");
    CHECK(from("10.0.0.1", {{"Forwarded", "proto=https"}}) == "10.0.0.1");
    CHECK(from("10.0.0.1", {{"Forwarded", "for=192.0.2.60"}, {"X-Forwarded-For", "203.0.113.5"}}) == "192.0.2.60");
}

TEST_CASE("PROXY protocol 1") {
    CHECK(read("PROXY TCP4 192.0.2.1 192.0.2.2 4711 80\r\nGET /") == "40 192.0.2.1 4711");
    CHECK(read("PROXY TCP6 2001:db8::1 2001:db8::2 4711 80\r\n") == "44 2001:db8::1 4711");
    CHECK(read("PROXY UNKNOWN\r\n") == "15 local");
    CHECK(read("PROXY UNKNOWN what ever\r\n") == "25 local");
    CHECK(read("GET / HTTP/1.1\r\n") == "none");
    CHECK(read("PRO") == "more");
    CHECK(read("PROXY TCP4 192.0.2.1") == "more");
    CHECK(read("") == "more");
    for (const auto* const bad : {"PROXY \r\n", "PROXY TCP4\r\n", "PROXY TCP4 192.0.2.1 192.0.2.2 4711\r\n", "PROXY UDP4 192.0.2.1 192.0.2.2 4711 80\r\n",
                                  "PROXY TCP4 192.0.2.1  192.0.2.2 4711 80\r\n"}) {
        CHECK(read(bad) == "bad: PROXY 1: neither TCP4, TCP6 nor UNKNOWN with their fields");
    }
    for (const auto* const bad : {"PROXY TCP4 2001:db8::1 192.0.2.2 1 2\r\n", "PROXY TCP6 192.0.2.1 ::1 1 2\r\n", "PROXY TCP4 192.0.2.1 192.0.2.2 65536 80\r\n",
                                  "PROXY TCP4 192.0.2.1 192.0.2.2 -1 80\r\n", "PROXY TCP4 192.0.2.1 x 1 80\r\n"}) {
        CHECK(read(bad) == "bad: PROXY 1: an address or port that is none");
    }
    CHECK(read("PROXY " + std::string(200, 'x')) == "bad: PROXY 1: no line end within 107 bytes");
}

TEST_CASE("PROXY protocol 2") {
    CHECK(read(version_2('\x21', '\x11', v4) + "rest") == "28 192.0.2.1 4711");
    const auto v6 = "\x20\x01\x0d\xb8"s + std::string(11, '\0') + "\x01" + std::string(16, '\0') + "\x12\x67\x00\x50"s;
    CHECK(read(version_2('\x21', '\x21', v6)) == "52 2001:db8::1 4711");
    CHECK(read(version_2('\x20', '\x00', "")) == "16 local");
    CHECK(read(version_2('\x20', '\x11', v4)) == "28 local");
    CHECK(read(version_2('\x21', '\x31', std::string(216, 'x'))) == "232 local"); // a Unix socket
    CHECK(read(version_2('\x21', '\x11', v4 + tlv('\x04', "pad"))) == "34 192.0.2.1 4711");
    const auto tls = [](const std::string& flags_and_verify, const std::string& inner) { return version_2('\x21', '\x11', v4 + tlv('\x20', flags_and_verify + inner)); };
    CHECK(read(tls("\x01\0\0\0\0"s, tlv('\x21', "TLSv1.3"))) == "46 192.0.2.1 4711 tls");
    CHECK(read(tls("\x00\0\0\0\1"s, "")) == "36 192.0.2.1 4711 plain");
    CHECK(read(tls("\x07\0\0\0\0"s, tlv('\x22', "anna"))) == "43 192.0.2.1 4711 tls anna");
    CHECK(read(tls("\x07\0\0\0\1"s, tlv('\x22', "anna"))) == "43 192.0.2.1 4711 tls"); // not verified: nobody's name
    CHECK(read(tls("\x01\0\0\0\0"s, tlv('\x22', "anna"))) == "43 192.0.2.1 4711 tls");

    const auto whole = version_2('\x21', '\x11', v4 + tlv('\x20', "\x01\0\0\0\0"s));
    for (std::size_t cut = 0; cut < whole.size(); ++cut) CHECK(read(whole.substr(0, cut)) == "more");
    CHECK(read(version_2('\x11', '\x11', v4)) == "bad: PROXY 2: an unknown version or command");
    CHECK(read(version_2('\x22', '\x11', v4)) == "bad: PROXY 2: an unknown version or command");
    CHECK(read(version_2('\x21', '\x11', v4.substr(1))) == "bad: PROXY 2: its addresses are cut");
    CHECK(read(version_2('\x21', '\x11', v4 + "\x04\x00"s)) == "bad: PROXY 2: a field that is cut");
    CHECK(read(version_2('\x21', '\x11', v4 + "\x04\x00\x05x"s)) == "bad: PROXY 2: a field that is cut");
    CHECK(read(version_2('\x21', '\x11', v4 + tlv('\x20', "\x01"))) == "bad: PROXY 2: a field that is cut");
    CHECK(read("\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff"s) == "bad: PROXY 2: longer than 2048 bytes"); // refused at its header
    CHECK(read("\r\n\r\nX") == "none");
}
