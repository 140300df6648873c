#include "protocols/mqtt/corpus.hpp"

#include "support/wire.hpp"

#include <algorithm>
#include <array>

namespace broker::test {

namespace {

// --- how a row is written ---

constexpr unsigned v31 = 1;
constexpr unsigned v311 = 2;
constexpr unsigned v5 = 4;
constexpr unsigned v3 = v31 | v311;
constexpr unsigned oasis = v311 | v5; // where 3.1 says nothing, or otherwise
constexpr unsigned all = v3 | v5;

struct level_spelling {
    unsigned bit;
    std::string_view name;
    std::string_view protocol; // "@" in a row: name and level of CONNECT
};
constexpr std::array<level_spelling, 3> levels{{
    {v31, "3.1", "'MQIsdp' 03"},
    {v311, "3.1.1", "'MQTT' 04"},
    {v5, "5", "'MQTT' 05"},
}};

// What has to happen. `reason`: a version 5 client is told it, in CONNACK before it is connected, in DISCONNECT after;
// earlier versions cannot be told. `code`: the return code of a 3.x CONNACK; 0: none is sent [MQTT3-3.1.4-1].
struct reaction {
    ending end = ending::closed;
    unsigned reason = 0;
    unsigned code = 0;
    std::vector<std::string> answers{}; // before that
};
reaction breaks(unsigned reason) { return {.reason = reason}; }
reaction refused(unsigned code, unsigned reason) { return {.reason = reason, .code = code}; }
reaction silent() { return {}; }
reaction ignored() { return {.end = ending::open}; }
reaction waits() { return {.end = ending::waiting}; }
reaction answered(std::vector<std::string> answers) { return {.end = ending::open, .answers = std::move(answers)}; }
reaction accepted() { return answered({"20 .. 00 00 *"}); }

struct row {
    unsigned versions;
    std::string name;
    std::string rule;
    std::string send; // "@": protocol name and level; "{...}": only in version 5, as a block
    reaction then;
    std::string before{};
    std::vector<std::string> before_answers{};
};

std::string hex_byte(unsigned value) {
    constexpr std::string_view digits = "0123456789abcdef";
    return {digits[value >> 4], digits[value & 15]};
}

std::string spelled(std::string text, const level_spelling& level) {
    for (auto at = text.find('@'); at != std::string::npos; at = text.find('@')) {
        text.replace(at, 1, level.protocol);
    }
    for (auto from = text.find('{'); from != std::string::npos; from = text.find('{')) {
        const auto to = text.find('}', from);
        const auto block = level.bit == v5 ? "[" + text.substr(from + 1, to - from - 1) + "]" : std::string{};
        text.replace(from, to - from + 1, block);
    }
    return wire(text);
}

constexpr std::string_view hello = "10: @ 02 003c {} 'odd'"; // clean start, 60 s

enum class state : std::uint8_t { fresh, connected };

scenario made(const row& r, state in, const level_spelling& level) {
    scenario s{.name = std::string{level.name} + " " + r.name, .rule = r.rule, .send = spelled(r.send, level),
               .answers = r.then.answers, .end = r.then.end};
    if (in == state::connected) s.before.push_back({spelled(std::string{hello}, level), {"20 .. 00 00 *"}});
    if (!r.before.empty()) s.before.push_back({spelled(r.before, level), r.before_answers});
    if (level.bit == v5 && r.then.reason != 0) {
        s.answers.push_back(in == state::fresh ? "20 .. 00 " + hex_byte(r.then.reason) + " *"
                                               : "e0 .. " + hex_byte(r.then.reason) + " *");
    }
    if (level.bit != v5 && r.then.code != 0) s.answers.push_back("20 02 00 " + hex_byte(r.then.code));
    return s;
}

void expand(std::vector<scenario>& to, state in, const std::vector<row>& rows) {
    for (const auto& r : rows) {
        for (const auto& level : levels) {
            if ((r.versions & level.bit) != 0) to.push_back(made(r, in, level));
        }
    }
}

// --- fixed headers ---

std::vector<row> fixed_headers() {
    std::vector<row> rows{
        {oasis, "type 0", "§2.1.2", "00 00", breaks(0x81)},
        {oasis, "type 0 with flags", "§2.1.2", "0f 00", breaks(0x81)},
        {v3, "type 15", "§2.2.1", "f0 00", silent()},
        {oasis, "PUBREL with flags 0", "[MQTT-3.6.1-1]", "60: 0001", breaks(0x81)},
        {oasis, "PUBREL with flags 3", "[MQTT-3.6.1-1]", "63: 0001", breaks(0x81)},
        {oasis, "PUBREL with flags 10", "[MQTT-3.6.1-1]", "6a: 0001", breaks(0x81)},
        {oasis, "SUBSCRIBE with flags 0", "[MQTT-3.8.1-1]", "80: 0001 {} 'a' 00", breaks(0x81)},
        {oasis, "SUBSCRIBE with flags 3", "[MQTT-3.8.1-1]", "83: 0001 {} 'a' 00", breaks(0x81)},
        {oasis, "SUBSCRIBE with flags 10", "[MQTT-3.8.1-1]", "8a: 0001 {} 'a' 00", breaks(0x81)},
        {oasis, "UNSUBSCRIBE with flags 0", "[MQTT-3.10.1-1]", "a0: 0001 {} 'a'", breaks(0x81)},
        {oasis, "UNSUBSCRIBE with flags 6", "[MQTT-3.10.1-1]", "a6: 0001 {} 'a'", breaks(0x81)},
        {oasis, "DISCONNECT with flags 1", "[MQTT-3.14.1-1]", "e1 00", breaks(0x81)},
        {oasis, "DISCONNECT with flags 8", "[MQTT-3.14.1-1]", "e8 00", breaks(0x81)},
        {v5, "AUTH with flags 1", "[MQTT-3.15.1-1]", "f1 00", breaks(0x81)},
        // 3.1 has DUP and QoS in these headers, and says of the others that the flags are not used.
        {v31, "PUBREL again, with DUP", "MQTT 3.1 §2.1", "6a: 0001", answered({"70 02 0001"})},
        {v31, "SUBSCRIBE again, with DUP", "MQTT 3.1 §2.1", "8a: 0001 'a' 00", answered({"90 03 0001 00"})},
        {v31, "UNSUBSCRIBE again, with DUP", "MQTT 3.1 §2.1", "aa: 0001 'a'", answered({"b0 02 0001"})},
        {v31, "PINGREQ with flags that are not used", "MQTT 3.1 §3.12", "c1 00", answered({"d0 00"})},
        {all, "remaining length of five bytes", "[MQTT-1.5.5-1]", "30 ff ff ff ff 7f", breaks(0x81)},
        {all, "remaining length of five bytes, zero", "[MQTT-1.5.5-1]", "30 80 80 80 80 00", breaks(0x81)},
        {v5, "remaining length not minimal", "[MQTT-1.5.5-1]", "c0 80 00", breaks(0x81)},
        {v5, "remaining length not minimal, three bytes", "[MQTT-1.5.5-1]", "30 86 80 00 0001 61 00 6869", breaks(0x81)},
        {v3, "remaining length not minimal: 3.x does not ask for it", "§2.2.3", "c0 80 00", answered({"d0 00"})},
        {all, "larger than the maximum packet size", "[MQTT-3.2.2-15]", "30 ff ff ff 7f", breaks(0x95)},
        {all, "one byte larger than the maximum packet size", "[MQTT-3.2.2-15]", "30 fe ff 03", breaks(0x95)},
        {all, "one byte of a header", "[MQTT-6.0.0-2]", "30", waits()},
        {all, "a remaining length without an end", "[MQTT-6.0.0-2]", "30 ff ff ff", waits()},
        {all, "a header without a body", "[MQTT-6.0.0-2]", "30 05", waits()},
        {all, "a body cut short", "[MQTT-6.0.0-2]", "32 07 0001 61 00", waits()},
    };
    // Flags of the types whose flags are zero [MQTT-2.1.3-1].
    const std::array<std::pair<const char*, const char*>, 8> zero{{{"PUBACK", "4"}, {"PUBREC", "5"}, {"PUBCOMP", "7"},
                                                                  {"PINGREQ", "c"}, {"CONNACK", "2"}, {"SUBACK", "9"},
                                                                  {"UNSUBACK", "b"}, {"PINGRESP", "d"}}};
    for (const auto& [name, type] : zero) {
        for (const char* flags : {"1", "2", "4", "8", "f"}) {
            const std::string first = std::string{type} + flags;
            const bool empty = type[0] == 'c' || type[0] == 'd';
            rows.push_back({oasis, std::string{name} + " with flags " + flags, "[MQTT-2.1.3-1]",
                            first + (empty ? " 00" : " 02 0001"), breaks(0x81)});
        }
    }
    return rows;
}

// --- before CONNECT ---

std::vector<row> first_packets() {
    return {
        {v311, "first: PUBLISH", "[MQTT-3.1.0-1]", "30: 'a' 68", silent()},
        {v311, "first: PUBLISH QoS 1", "[MQTT-3.1.0-1]", "32: 'a' 0001 68", silent()},
        {v311, "first: PUBACK", "[MQTT-3.1.0-1]", "40: 0001", silent()},
        {v311, "first: PUBREC", "[MQTT-3.1.0-1]", "50: 0001", silent()},
        {v311, "first: PUBREL", "[MQTT-3.1.0-1]", "62: 0001", silent()},
        {v311, "first: PUBCOMP", "[MQTT-3.1.0-1]", "70: 0001", silent()},
        {v311, "first: SUBSCRIBE", "[MQTT-3.1.0-1]", "82: 0001 'a' 00", silent()},
        {v311, "first: UNSUBSCRIBE", "[MQTT-3.1.0-1]", "a2: 0001 'a'", silent()},
        {v311, "first: PINGREQ", "[MQTT-3.1.0-1]", "c0 00", silent()},
        {v311, "first: DISCONNECT", "[MQTT-3.1.0-1]", "e0 00", silent()},
        {v5, "first: AUTH", "[MQTT-3.1.0-1]", "f0 00", silent()},
        {v311, "first: CONNACK", "[MQTT-3.1.0-1]", "20 02 0000", silent()},
        {v311, "first: SUBACK", "[MQTT-3.1.0-1]", "90 03 0001 00", silent()},
        {v311, "first: UNSUBACK", "[MQTT-3.1.0-1]", "b0 02 0001", silent()},
        {v311, "first: PINGRESP", "[MQTT-3.1.0-1]", "d0 00", silent()},
        {v311, "first: type 0", "[MQTT-3.1.0-1]", "00 00", silent()},
        {v311, "first: an HTTP request", "[MQTT-3.1.0-1]", "\"GET / HTTP/1.1\" 0d0a0d0a", silent()},
        {v311, "first: a TLS hello", "[MQTT-3.1.0-1]", "16 03 01 02 00 01 00 01 fc 03 03", silent()},
        {v311, "first: zeros", "[MQTT-3.1.0-1]", "00*64", silent()},
        {v311, "first: ones", "[MQTT-3.1.0-1]", "ff*64", silent()},
        {v311, "first: DISCONNECT, then CONNECT", "[MQTT-3.1.0-1]", "e0 00; 10: @ 02 003c 'c'", silent()},
        {all, "CONNECT with flags 1", "[MQTT-2.1.3-1]", "11: @ 02 003c {} 'c'", silent()},
        {all, "CONNECT with flags 2", "[MQTT-2.1.3-1]", "12: @ 02 003c {} 'c'", silent()},
        {v311, "CONNECT with a remaining length of five bytes", "[MQTT-1.5.5-1]", "10 ff ff ff ff 7f", silent()},
        {v311, "CONNECT over the limit for it", "§3.1.4", "10 ff ff ff 7f", silent()},
        {v311, "CONNECT cut behind its type", "[MQTT-6.0.0-2]", "10", waits()},
        {v311, "CONNECT cut inside its length", "[MQTT-6.0.0-2]", "10 8d", waits()},
        {v311, "CONNECT cut inside its name", "[MQTT-6.0.0-2]", "10 0d 0004 4d51", waits()},
    };
}

// --- CONNECT ---

std::vector<row> connects() {
    return {
        // Name and level
        {v311, "CONNECT without a body", "[MQTT3-3.1.4-1]", "10 00", silent()},
        {v311, "CONNECT with an unknown protocol name", "[MQTT-3.1.2-1]", "10: 'MQTX' 04 02 003c 'c'", silent()},
        {v311, "CONNECT with the name in lower case", "[MQTT-3.1.2-1]", "10: 'mqtt' 04 02 003c 'c'", silent()},
        {v311, "CONNECT with an empty name", "[MQTT-3.1.2-1]", "10: '' 04 02 003c 'c'", silent()},
        {v311, "CONNECT with a longer name", "[MQTT-3.1.2-1]", "10: 'MQTT5' 04 02 003c 'c'", silent()},
        {v5, "CONNECT with an unknown name and level 5", "[MQTT-3.1.2-1]", "10: 'MQTX' 05 02 003c 00 'c'", silent()},
        {v311, "CONNECT with a name longer than the packet", "[MQTT3-3.1.4-1]", "10: 00ff \"MQTT\" 04 02 003c", silent()},
        {v311, "CONNECT that ends behind its name", "[MQTT3-3.1.4-1]", "10: 'MQTT'", silent()},
        {all, "CONNECT that ends behind its level", "[MQTT-3.1.4-1]", "10: @", breaks(0x81)},
        {all, "CONNECT that ends behind its flags", "[MQTT-3.1.4-1]", "10: @ 02", breaks(0x81)},
        {all, "CONNECT that ends inside its keep alive", "[MQTT-3.1.4-1]", "10: @ 02 00", breaks(0x81)},
        {v311, "CONNECT with level 0", "[MQTT3-3.1.2-2]", "10: 'MQTT' 00 02 003c 'c'", refused(0x01, 0)},
        {v311, "CONNECT with level 2", "[MQTT3-3.1.2-2]", "10: 'MQTT' 02 02 003c 'c'", refused(0x01, 0)},
        {v311, "CONNECT with the new name and level 3", "[MQTT3-3.1.2-2]", "10: 'MQTT' 03 02 003c 'c'", refused(0x01, 0)},
        {v31, "CONNECT with the old name and level 4", "[MQTT3-3.1.2-2]", "10: 'MQIsdp' 04 02 003c 'c'", refused(0x01, 0)},
        {v31, "CONNECT with the old name and level 5", "[MQTT3-3.1.2-2]", "10: 'MQIsdp' 05 02 003c 'c'", refused(0x01, 0)},
        {v31, "CONNECT with the old name and level 9", "[MQTT3-3.1.2-2]", "10: 'MQIsdp' 09 02 003c 'c'", refused(0x01, 0)},
        {v311, "CONNECT of a bridge, level 4 with the top bit", "[MQTT3-3.1.2-2]", "10: 'MQTT' 84 02 003c 'c'", refused(0x01, 0)},
        {v5, "CONNECT with level 6", "[MQTT-3.1.2-2]", "10: 'MQTT' 06 02 003c 00 'c'", breaks(0x84)},
        {v5, "CONNECT with level 127", "[MQTT-3.1.2-2]", "10: 'MQTT' 7f 02 003c 00 'c'", breaks(0x84)},
        {v5, "CONNECT with a remaining length that is not minimal", "[MQTT-1.5.5-1]",
         "10 8e 00 'MQTT' 05 02 003c 00 'c'", breaks(0x81)},
        // Flags
        {all, "CONNECT with the reserved flag", "[MQTT-3.1.2-3]", "10: @ 03 003c {} 'c'", breaks(0x81)},
        {all, "CONNECT with will QoS 3", "[MQTT-3.1.2-12]", "10: @ 1e 003c {} 'c' {} 'w' 'm'", breaks(0x81)},
        {all, "CONNECT with will QoS 1 without a will", "[MQTT-3.1.2-11]", "10: @ 0a 003c {} 'c'", breaks(0x81)},
        {all, "CONNECT with will QoS 2 without a will", "[MQTT-3.1.2-11]", "10: @ 12 003c {} 'c'", breaks(0x81)},
        {all, "CONNECT with will retain without a will", "[MQTT-3.1.2-13]", "10: @ 22 003c {} 'c'", breaks(0x81)},
        {v311, "CONNECT with a password without a user", "[MQTT3-3.1.2-22]", "10: @ 42 003c {} 'c' 'p'", silent()},
        {v31, "CONNECT with a password without a user", "MQTT 3.1 §3.1", "10: @ 42 003c {} 'c' 'p'", silent()},
        {v5, "CONNECT with a password without a user", "§3.1.2.9", "10: @ 42 003c {} 'c' 'p'", accepted()},
        // Payload
        {all, "CONNECT without a client identifier", "[MQTT-3.1.3-3]", "10: @ 02 003c {}", breaks(0x81)},
        {all, "CONNECT with a client identifier longer than the packet", "[MQTT-3.1.3-3]", "10: @ 02 003c {} 00ff 63", breaks(0x81)},
        {all, "CONNECT with will flag and no will", "[MQTT-3.1.2-9]", "10: @ 06 003c {} 'c'", breaks(0x81)},
        {all, "CONNECT with a will topic and no will payload", "[MQTT-3.1.2-9]", "10: @ 06 003c {} 'c' {} 'w'", breaks(0x81)},
        {all, "CONNECT with a will payload longer than the packet", "[MQTT-3.1.2-9]", "10: @ 06 003c {} 'c' {} 'w' 0009 6d", breaks(0x81)},
        {all, "CONNECT with a will nobody announced", "[MQTT-3.1.2-11]", "10: @ 02 003c {} 'c' {} 'w' 'm'", breaks(0x81)},
        {oasis, "CONNECT with user flag and no user", "[MQTT-3.1.2-17]", "10: @ 82 003c {} 'c'", breaks(0x81)},
        {oasis, "CONNECT with password flag and no password", "[MQTT-3.1.2-19]", "10: @ c2 003c {} 'c' 'u'", breaks(0x81)},
        {v31, "CONNECT with user flag and no user: the length decides", "MQTT 3.1 §3.1", "10: @ 82 003c 'c'", accepted()},
        {v31, "CONNECT with password flag and no password: the length decides", "MQTT 3.1 §3.1", "10: @ c2 003c 'c' 'u'", accepted()},
        {all, "CONNECT with a user nobody announced", "[MQTT-3.1.2-16]", "10: @ 02 003c {} 'c' 'u'", breaks(0x81)},
        {all, "CONNECT with a password nobody announced", "[MQTT-3.1.2-18]", "10: @ 82 003c {} 'c' 'u' 'p'", breaks(0x81)},
        {all, "CONNECT with a byte behind its end", "[MQTT-3.1.4-1]", "10: @ 02 003c {} 'c' 00", breaks(0x81)},
        {all, "CONNECT with a user that is not UTF-8", "[MQTT-3.1.3-12]", "10: @ 82 003c {} 'c' 0001 ff", breaks(0x81)},
        {all, "CONNECT with U+0000 in the user", "[MQTT-1.5.4-2]", "10: @ 82 003c {} 'c' 0003 61 00 62", breaks(0x81)},
        {all, "CONNECT with a binary password", "§3.1.3.6", "10: @ c2 003c {} 'c' 'u' 0003 ff 00 c0", accepted()},
        {all, "CONNECT with a binary will payload", "§3.1.3.4", "10: @ 06 003c {} 'c' {} 'w' 0003 ff 00 c0; e0 00",
         {.end = ending::closed, .answers = {"20 .. 00 00 *"}}},
        // Client identifiers
        {all, "CONNECT with a client identifier of 24 bytes", "[MQTT-3.1.3-5]", "10: @ 02 003c {} 'abcdefghijklmnopqrstuvwx'", accepted()},
        {all, "CONNECT with spaces and signs in the client identifier", "[MQTT-3.1.3-5]", "10: @ 02 003c {} 'a b/#+$'", accepted()},
        {all, "CONNECT with a client identifier over the limit", "[MQTT-3.1.3-8]", "10: @ 02 003c {} 0401 61*1025", refused(0x02, 0x85)},
        {v31, "CONNECT with an empty client identifier", "MQTT 3.1 §3.1", "10: @ 02 003c ''", refused(0x02, 0)},
        {v311, "CONNECT with an empty client identifier, clean", "[MQTT3-3.1.3-6]", "10: @ 02 003c ''", accepted()},
        {v3, "CONNECT with an empty client identifier, not clean", "[MQTT3-3.1.3-8]", "10: @ 00 003c ''", refused(0x02, 0)},
        {v5, "CONNECT with an empty client identifier, clean", "[MQTT-3.1.3-6]", "10: @ 02 003c [] ''", accepted()},
        {v5, "CONNECT with an empty client identifier, not clean", "[MQTT-3.1.3-6]", "10: @ 00 003c [] ''", accepted()},
        // Will topics
        {all, "CONNECT with an empty will topic", "[MQTT-4.7.3-1]", "10: @ 06 003c {} 'c' {} '' 'm'", breaks(0x90)},
        {all, "CONNECT with # in the will topic", "[MQTT-4.7.0-1]", "10: @ 06 003c {} 'c' {} 'a/#' 'm'", breaks(0x90)},
        {all, "CONNECT with + in the will topic", "[MQTT-4.7.0-1]", "10: @ 06 003c {} 'c' {} '+/a' 'm'", breaks(0x90)},
        {all, "CONNECT with a will topic of the server", "§4.7.2", "10: @ 06 003c {} 'c' {} '$SYS/x' 'm'", refused(0x05, 0x90)},
        // Order
        {all, "a refused CONNECT: what follows is not read", "[MQTT-3.1.4-6]", "10: @ 02 003c {} 0401 61*1025; c0 00", refused(0x02, 0x85)},
        {all, "packets right behind CONNECT", "§3.1.4", "10: @ 02 003c {} 'c'; c0 00; c0 00", answered({"20 .. 00 00 *", "d0 00", "d0 00"})},
    };
}

struct text {
    const char* name;
    const char* bytes; // with their length
};
constexpr std::array<text, 12> not_utf8{{
    {"a byte that never occurs", "0001 ff"},
    {"U+0000", "0003 61 00 62"},
    {"U+0000 overlong", "0002 c080"},
    {"an overlong slash", "0002 c0af"},
    {"an overlong form of three bytes", "0003 e08080"},
    {"an overlong form of four bytes", "0004 f0808080"},
    {"a surrogate", "0003 eda080"},
    {"a pair of surrogates", "0006 eda080 edb080"},
    {"the last surrogate", "0003 edbfbf"},
    {"a code point above U+10FFFF", "0004 f4908080"},
    {"a character cut short", "0002 e282"},
    {"a continuation without a start", "0002 61 80"},
}};
constexpr std::array<text, 5> odd_utf8{{ // allowed [MQTT-1.5.4-3], §1.5.4
    {"U+FEFF", "0003 efbbbf"},
    {"U+FFFF, a non-character", "0003 efbfbf"},
    {"U+FDD0, a non-character", "0003 efb790"},
    {"a control character", "0001 07"},
    {"U+10FFFF", "0004 f48fbfbf"},
}};

std::vector<row> connect_texts() {
    std::vector<row> rows;
    for (const auto& t : not_utf8) {
        rows.push_back({all, std::string{"CONNECT, client identifier: "} + t.name, "[MQTT-3.1.3-4]",
                        std::string{"10: @ 02 003c {} "} + t.bytes, breaks(0x81)});
        rows.push_back({all, std::string{"CONNECT, will topic: "} + t.name, "[MQTT-3.1.3-11]",
                        std::string{"10: @ 06 003c {} 'c' {} "} + t.bytes + " 'm'", breaks(0x81)});
    }
    for (const auto& t : odd_utf8) {
        rows.push_back({all, std::string{"CONNECT, client identifier: "} + t.name, "[MQTT-1.5.4-3]",
                        std::string{"10: @ 02 003c {} "} + t.bytes, accepted()});
    }
    return rows;
}

// --- properties ---

struct property {
    unsigned id;
    const char* value; // a legal one
};
constexpr std::array<property, 27> properties{{
    {0x01, "01"},     {0x02, "0000000a"}, {0x03, "'t'"},      {0x08, "'r'"},  {0x09, "'d'"},  {0x0b, "01"},
    {0x11, "0000000a"}, {0x12, "'i'"},    {0x13, "000a"},     {0x15, "'m'"},  {0x16, "'d'"},  {0x17, "01"},
    {0x18, "0000000a"}, {0x19, "01"},     {0x1a, "'r'"},      {0x1c, "'s'"},  {0x1f, "'r'"},  {0x21, "000a"},
    {0x22, "000a"},   {0x23, "0001"},     {0x24, "01"},       {0x25, "01"},   {0x26, "'n' 'v'"}, {0x27, "0000ffff"},
    {0x28, "01"},     {0x29, "01"},       {0x2a, "01"},
}};

// A packet with a place for properties: what stands before the block, what behind it, what table 2-4 allows in it.
struct place {
    const char* name;
    const char* head;
    const char* tail;
    std::vector<unsigned> allowed;
};

std::string with(const place& p, const std::string& block) { return std::string{p.head} + block + p.tail; }

// What is wrong in any block.
void add_block_errors(std::vector<row>& rows, const place& p) {
    const auto add = [&](const std::string& what, const std::string& rule, const std::string& block, reaction then) {
        rows.push_back({v5, std::string{p.name} + ", properties: " + what, rule, with(p, block), std::move(then)});
    };
    const auto contains = [&](unsigned id) { return std::ranges::find(p.allowed, id) != p.allowed.end(); };
    for (const auto& known : properties) {
        const auto id = hex_byte(known.id);
        const auto one = id + " " + known.value;
        if (!contains(known.id)) {
            // Table 2-4 has it for the packet, but from the other side.
            const bool other_side = (known.id == 0x0b && std::string_view{p.name} == "PUBLISH") ||
                                    (known.id == 0x1c && std::string_view{p.name} == "DISCONNECT");
            add("0x" + id + " does not belong here", known.id == 0x0b && other_side ? "[MQTT-3.3.4-6]" : "§2.2.2.2",
                "[" + one + "]", breaks(other_side ? 0x82 : 0x81));
        } else if (known.id != 0x26) {
            add("0x" + id + " twice", "§3: at most once", "[" + (known.id == 0x16 ? "15 'm' " : std::string{}) + one + " " + one + "]",
                breaks(0x82));
        }
    }
    add("an unknown identifier", "§2.2.2.2", "[7f 00]", breaks(0x81));
    add("identifier 0", "§2.2.2.2", "[00 00]", breaks(0x81));
    add("identifier 4, between known ones", "§2.2.2.2", "[04 00]", breaks(0x81));
    add("an identifier of two bytes", "§2.2.2.2", "[8101 00]", breaks(0x81));
    add("a length over five bytes", "[MQTT-1.5.5-1]", "8080808001 ", breaks(0x81));
    add("a length that is not minimal", "[MQTT-1.5.5-1]", "8000 ", breaks(0x81));
    add("longer than the packet", "§2.2.2.1", "7f ", breaks(0x81));
    add("a user property without a value", "§1.5.7", "[26 'n']", breaks(0x81));
    add("a user property cut short", "§1.5.7", "[26 'n' 0009 76]", breaks(0x81));
    add("a user property that is not UTF-8", "[MQTT-1.5.7-1]", "[26 'n' 0001 ff]", breaks(0x81));
    add("U+0000 in the name of a user property", "[MQTT-1.5.7-1]", "[26 0001 00 'v']", breaks(0x81));
    if (contains(0x1f)) {
        add("a reason string that is not UTF-8", "[MQTT-1.5.4-1]", "[1f 0002 c080]", breaks(0x81));
        add("a reason string longer than the block", "§2.2.2.1", "[1f 00ff 61]", breaks(0x81));
    }
}

std::vector<row> connect_properties() {
    std::vector<row> rows;
    add_block_errors(rows, {"CONNECT", "10: @ 02 003c ", " 'c'", {0x11, 0x15, 0x16, 0x17, 0x19, 0x21, 0x22, 0x26, 0x27}});
    add_block_errors(rows, {"Will", "10: @ 06 003c [] 'c' ", " 'w' 'm'", {0x01, 0x02, 0x03, 0x08, 0x09, 0x18, 0x26}});
    const std::vector<row> values{
        {v5, "CONNECT without a property length", "[MQTT-2.2.2-1]", "10: @ 02 003c", breaks(0x81)},
        {v5, "CONNECT with receive maximum 0", "§3.1.2.11.3", "10: @ 02 003c [21 0000] 'c'", breaks(0x82)},
        {v5, "CONNECT with maximum packet size 0", "§3.1.2.11.4", "10: @ 02 003c [27 00000000] 'c'", breaks(0x82)},
        {v5, "CONNECT with request response information 2", "§3.1.2.11.6", "10: @ 02 003c [19 02] 'c'", breaks(0x82)},
        {v5, "CONNECT with request problem information 2", "§3.1.2.11.7", "10: @ 02 003c [17 02] 'c'", breaks(0x82)},
        {v5, "CONNECT with a session expiry cut short", "§2.2.2.1", "10: @ 02 003c [11 000000] 'c'", breaks(0x81)},
        {v5, "CONNECT with an authentication method that is not UTF-8", "[MQTT-1.5.4-1]", "10: @ 02 003c [15 0001 ff] 'c'", breaks(0x81)},
        {v5, "CONNECT with authentication data without a method", "§3.1.2.11.10", "10: @ 02 003c [16 'd'] 'c'", breaks(0x82)},
        {v5, "CONNECT with an authentication method nobody offers", "[MQTT-4.12.0-1]", "10: @ 02 003c [15 'none'] 'c'", breaks(0x8c)},
        {v5, "CONNECT with two user properties", "§3.1.2.11.8", "10: @ 02 003c [26 'n' 'v' 26 'n' 'v'] 'c'", accepted()},
        {v5, "CONNECT with topic alias maximum 0", "§3.1.2.11.5", "10: @ 02 003c [22 0000] 'c'", accepted()},
        {v5, "CONNECT with a session that never expires", "§3.1.2.11.2", "10: @ 02 003c [11 ffffffff] 'never'", accepted()},
        {v5, "Will with payload format indicator 2", "§3.1.3.2.3", "10: @ 06 003c [] 'c' [01 02] 'w' 'm'", breaks(0x82)},
        {v5, "Will without a property length", "[MQTT-2.2.2-1]", "10: @ 06 003c [] 'c'", breaks(0x81)},
        {v5, "Will with + in the response topic", "[MQTT-3.3.2-14]", "10: @ 06 003c [] 'c' [08 'a/+'] 'w' 'm'", breaks(0x82)},
        {v5, "Will with a content type that is not UTF-8", "[MQTT-3.3.2-19]", "10: @ 06 003c [] 'c' [03 0001 ff] 'w' 'm'", breaks(0x81)},
    };
    rows.insert(rows.end(), values.begin(), values.end());
    return rows;
}

std::vector<row> connected_properties() {
    std::vector<row> rows;
    add_block_errors(rows, {"PUBLISH", "30: 'a' ", "", {0x01, 0x02, 0x03, 0x08, 0x09, 0x23, 0x26}});
    add_block_errors(rows, {"PUBACK", "40: 0001 00 ", "", {0x1f, 0x26}});
    add_block_errors(rows, {"PUBREC", "50: 0001 00 ", "", {0x1f, 0x26}});
    add_block_errors(rows, {"PUBREL", "62: 0001 00 ", "", {0x1f, 0x26}});
    add_block_errors(rows, {"PUBCOMP", "70: 0001 00 ", "", {0x1f, 0x26}});
    add_block_errors(rows, {"SUBSCRIBE", "82: 0001 ", " 'a' 00", {0x0b, 0x26}});
    add_block_errors(rows, {"UNSUBSCRIBE", "a2: 0001 ", " 'a'", {0x26}});
    add_block_errors(rows, {"DISCONNECT", "e0: 00 ", "", {0x11, 0x1f, 0x26}});
    return rows;
}

// --- PUBLISH ---

std::vector<row> publishes() {
    std::vector<row> rows{
        {all, "PUBLISH QoS 3", "[MQTT-3.3.1-4]", "36: 'a' 0001 {} 68", breaks(0x81)},
        {all, "PUBLISH QoS 3 with every flag", "[MQTT-3.3.1-4]", "3f: 'a' 0001 {} 68", breaks(0x81)},
        {oasis, "PUBLISH QoS 0 with DUP", "[MQTT-3.3.1-2]", "38: 'a' {} 68", breaks(0x81)},
        {v31, "PUBLISH QoS 0 with DUP: a flag that is not used", "MQTT 3.1 §2.1", "38: 'a' 68", ignored()},
        {all, "PUBLISH QoS 1 with packet identifier 0", "[MQTT-2.2.1-3]", "32: 'a' 0000 {} 68", breaks(0x82)},
        {all, "PUBLISH QoS 2 with packet identifier 0", "[MQTT-2.2.1-3]", "34: 'a' 0000 {} 68", breaks(0x82)},
        {all, "PUBLISH QoS 1 without a packet identifier", "[MQTT-2.2.1-3]", "32: 'a'", breaks(0x81)},
        {all, "PUBLISH QoS 1 with half a packet identifier", "[MQTT-2.2.1-3]", "32: 'a' 00", breaks(0x81)},
        {all, "PUBLISH without a body", "[MQTT-3.3.2-1]", "30 00", breaks(0x81)},
        {all, "PUBLISH with half a topic length", "[MQTT-3.3.2-1]", "30 01 00", breaks(0x81)},
        {all, "PUBLISH with a topic longer than the packet", "[MQTT-3.3.2-1]", "30: 00ff 61", breaks(0x81)},
        {all, "PUBLISH with an empty topic", "[MQTT-4.7.3-1]", "30: '' {} 68", breaks(0x82)},
        {all, "PUBLISH QoS 1 with an empty topic", "[MQTT-4.7.3-1]", "32: '' 0001 {} 68", breaks(0x82)},
        {v5, "PUBLISH without a property length", "[MQTT-2.2.2-1]", "30: 'a'", breaks(0x81)},
        {all, "PUBLISH without a payload", "§3.3.3", "30: 'a' {}", ignored()},
        {v5, "PUBLISH with payload format indicator 2", "§3.3.2.3.2", "30: 'a' [01 02] 68", breaks(0x82)},
        {v5, "PUBLISH with a payload that is not the UTF-8 it says", "§3.3.2.3.2", "32: 'a' 0001 [01 01] ff", answered({"40 .. 0001 99 *"})},
        {v5, "PUBLISH QoS 2 with a payload that is not the UTF-8 it says", "§3.3.2.3.2", "34: 'a' 0001 [01 01] ff", answered({"50 .. 0001 99 *"})},
        {v5, "PUBLISH QoS 0 with a payload that is not the UTF-8 it says", "§3.3.2.3.2", "30: 'a' [01 01] ff", ignored()},
        {v5, "PUBLISH with topic alias 0", "[MQTT-3.3.2-8]", "30: 'a' [23 0000] 68", breaks(0x94)},
        {v5, "PUBLISH with a topic alias over the maximum", "[MQTT-3.3.2-9]", "30: 'a' [23 0005] 68", breaks(0x94)},
        {v5, "PUBLISH with the largest topic alias", "[MQTT-3.3.2-9]", "30: 'a' [23 ffff] 68", breaks(0x94)},
        {v5, "PUBLISH with an unknown topic alias", "§3.3.2.3.4", "30: '' [23 0001] 68", breaks(0x82)},
        {v5, "PUBLISH QoS 1 with an unknown topic alias", "§3.3.2.3.4", "32: '' 0001 [23 0004] 68", breaks(0x82)},
        {v5, "PUBLISH with the highest topic alias, then by it", "[MQTT-3.3.2-12]",
         "32: 'a' 0001 [23 0004] 68; 32: '' 0002 [23 0004] 68", answered({"40 .. 0001 *", "40 .. 0002 *"})},
        {v5, "PUBLISH with # in the response topic", "[MQTT-3.3.2-14]", "30: 'a' [08 'r/#'] 68", breaks(0x82)},
        {v5, "PUBLISH with + in the response topic", "[MQTT-3.3.2-14]", "32: 'a' 0001 [08 '+'] 68", breaks(0x82)},
        {v5, "PUBLISH with an empty response topic", "[MQTT-4.7.3-1]", "30: 'a' [08 ''] 68", breaks(0x82)},
        {v5, "PUBLISH with a response topic that is not UTF-8", "[MQTT-3.3.2-13]", "30: 'a' [08 0001 ff] 68", breaks(0x81)},
        {v5, "PUBLISH with a content type that is not UTF-8", "[MQTT-3.3.2-19]", "30: 'a' [03 0002 c080] 68", breaks(0x81)},
        {v5, "PUBLISH with binary correlation data", "[MQTT-3.3.2-16]", "30: 'a' [09 0003 ff00c0] 68", ignored()},
        {v5, "PUBLISH with a message expiry cut short", "§2.2.2.1", "30: 'a' [02 000000] 68", breaks(0x81)},
        {all, "PUBLISH to the server's topics", "§4.7.2", "30: '$SYS/x' {} 68", ignored()},
        {v5, "PUBLISH QoS 1 to the server's topics", "§4.7.2", "32: '$SYS/x' 0001 [] 68", answered({"40 .. 0001 87 *"})},
        {v5, "PUBLISH QoS 2 to the server's topics", "§4.7.2", "34: '$SYS/x' 0001 [] 68", answered({"50 .. 0001 87 *"})},
        {v3, "PUBLISH QoS 1 to the server's topics", "[MQTT3-3.3.5-2]", "32: '$SYS/x' 0001 68", answered({"40 02 0001"})},
        {v3, "PUBLISH QoS 2 to the server's topics", "[MQTT3-3.3.5-2]", "34: '$SYS/x' 0001 68", answered({"50 02 0001"})},
        {all, "PUBLISH QoS 2 twice before PUBREL", "[MQTT-4.3.3-10]", "34: 'a' 0001 {} 68; 3c: 'a' 0001 {} 68; 62: 0001",
         answered({"50 .. 0001 *", "50 .. 0001 *", "70 02 0001"})},
        {all, "PUBLISH QoS 1 with DUP is as good as any", "[MQTT-4.3.2-5]", "3a: 'a' 0001 {} 68; 3a: 'a' 0001 {} 68",
         answered({"40 .. 0001 *", "40 .. 0001 *"})},
        {v5, "PUBLISH QoS 2 beyond the receive maximum", "[MQTT-3.3.4-7]",
         "34: 'a' 0001 [] 68; 34: 'a' 0002 [] 68; 34: 'a' 0003 [] 68; 34: 'a' 0004 [] 68; 34: 'a' 0005 [] 68",
         {.reason = 0x93, .answers = {"50 .. 0001 *", "50 .. 0002 *", "50 .. 0003 *", "50 .. 0004 *"}}},
        {v3, "PUBLISH QoS 2, more than version 5 might", "§4.4",
         "34: 'a' 0001 68; 34: 'a' 0002 68; 34: 'a' 0003 68; 34: 'a' 0004 68; 34: 'a' 0005 68",
         answered({"50 02 0001", "50 02 0002", "50 02 0003", "50 02 0004", "50 02 0005"})},
        {v5, "PUBLISH QoS 2 refused, again as new", "[MQTT-4.3.3-9]", "34: '$SYS/x' 0001 [] 68; 34: 'a' 0001 [] 68; 62: 0001",
         answered({"50 .. 0001 87 *", "50 .. 0001 *", "70 02 0001"})},
    };
    for (const auto* topic : {"#", "+", "a/#", "a/+", "+/a", "a/+/b", "a#", "a+b"}) {
        rows.push_back({all, std::string{"PUBLISH to the wildcard "} + topic, "[MQTT-3.3.2-2]",
                        std::string{"30: '"} + topic + "' {} 68", breaks(0x90)});
    }
    for (const auto& t : not_utf8) {
        rows.push_back({all, std::string{"PUBLISH, topic: "} + t.name, "[MQTT-1.5.4-1]",
                        std::string{"30: "} + t.bytes + " {} 68", breaks(0x81)});
    }
    for (const auto& t : odd_utf8) {
        rows.push_back({all, std::string{"PUBLISH, topic: "} + t.name, "[MQTT-1.5.4-3]",
                        std::string{"32: "} + t.bytes + " 0001 {} 68", answered({"40 .. 0001 *"})});
    }
    return rows;
}

// --- acknowledgements ---

std::vector<row> acknowledgements() {
    std::vector<row> rows{
        {all, "PUBACK nobody waits for", "§4.4", "40: 0001", ignored()},
        {all, "PUBCOMP nobody waits for", "§4.4", "70: 0001", ignored()},
        {v3, "PUBREC nobody waits for", "[MQTT3-4.3.3-1]", "50: 0001", answered({"62 02 0001"})},
        {v5, "PUBREC nobody waits for", "§3.6.2.1", "50: 0001", answered({"62 .. 0001 92 *"})},
        {v5, "PUBREC with an error nobody waits for", "[MQTT-4.3.3-4]", "50: 0001 80", ignored()},
        {v3, "PUBREL nobody waits for", "[MQTT3-4.3.3-2]", "62: 0001", answered({"70 02 0001"})},
        {v5, "PUBREL nobody waits for", "[MQTT-4.3.3-11]", "62: 0001", answered({"70 .. 0001 92 *"})},
        {v5, "PUBACK with a reason and properties", "§3.4.2", "40: 0001 10 [1f 'why' 26 'n' 'v' 26 'n' 'v']", ignored()},
    };
    struct kind {
        const char* name;
        const char* type;
        std::vector<unsigned> not_its_own; // reason codes of other packets
    };
    const std::vector<kind> kinds{{"PUBACK", "40: ", {0x01, 0x92, 0x8e, 0xff}},
                                  {"PUBREC", "50: ", {0x02, 0x92, 0x84, 0xff}},
                                  {"PUBREL", "62: ", {0x10, 0x80, 0x91, 0xff}},
                                  {"PUBCOMP", "70: ", {0x10, 0x80, 0x91, 0xff}}};
    for (const auto& k : kinds) {
        const std::string name = k.name;
        const std::string type = k.type;
        rows.push_back({all, name + " with packet identifier 0", "[MQTT-2.2.1-5]", type + "0000", breaks(0x82)});
        rows.push_back({all, name + " without a packet identifier", "[MQTT-2.2.1-5]", type, breaks(0x81)});
        rows.push_back({all, name + " with half a packet identifier", "[MQTT-2.2.1-5]", type + "00", breaks(0x81)});
        rows.push_back({v3, name + " with a byte behind its end", "[MQTT3-4.8.0-1]", type + "0001 00", silent()});
        rows.push_back({v5, name + " with a byte behind its end", "§2.2.2.1", type + "0001 00 00 00", breaks(0x81)});
        for (const auto reason : k.not_its_own) {
            rows.push_back({v5, name + " with reason code 0x" + hex_byte(reason), "§2.4", type + "0001 " + hex_byte(reason), breaks(0x82)});
        }
    }
    // Answers of the wrong kind: a QoS 1 and a QoS 2 message of its own, delivered to the client.
    const std::string two = "82: 0001 {} 'own' 02; 34: 'own' 0007 {} 68";
    const std::vector<std::string> two_answers{"90 .. 0001 * 02", "34 * 68", "50 02 0007"};
    const std::string one = "82: 0001 {} 'own' 01; 32: 'own' 0007 {} 68";
    const std::vector<std::string> one_answers{"90 .. 0001 * 01", "32 * 68", "40 02 0007"};
    const std::vector<row> wrong{
        {all, "PUBACK for a QoS 2 message", "[MQTT-4.3.3-3]", "40: 0001", breaks(0x82), two, two_answers},
        {all, "PUBCOMP before PUBREC", "[MQTT-4.3.3-5]", "70: 0001", breaks(0x82), two, two_answers},
        {all, "PUBREC for a QoS 1 message", "[MQTT-4.3.2-3]", "50: 0001", breaks(0x82), one, one_answers},
        {all, "PUBCOMP for a QoS 1 message", "[MQTT-4.3.2-3]", "70: 0001", breaks(0x82), one, one_answers},
        {all, "PUBREC twice", "[MQTT-4.3.3-4]", "50: 0001; 50: 0001", answered({"62 02 0001", "62 02 0001"}), two, two_answers},
        {all, "PUBCOMP twice", "§4.4", "50: 0001; 70: 0001; 70: 0001", answered({"62 02 0001"}), two, two_answers},
        {v5, "PUBREC with an error, then PUBREC", "[MQTT-4.4.0-2]", "50: 0001 80; 50: 0001", answered({"62 .. 0001 92 *"}), two, two_answers},
    };
    rows.insert(rows.end(), wrong.begin(), wrong.end());
    return rows;
}

// --- SUBSCRIBE and UNSUBSCRIBE ---

constexpr std::array<const char*, 21> bad_filters{
    "", "a/#/b", "#/a", "a#", "#a", "##", "a/b#", "a+", "+a", "a/+b", "a/b+/c", "++", "a/#+", "$share/", "$share/g", "$share/g/",
    "$share//a", "$share/g+/a", "$share/#/a", "$share/+/a", "$share/g/a#"};

std::vector<row> subscriptions() {
    std::vector<row> rows{
        {all, "SUBSCRIBE with packet identifier 0", "[MQTT-2.2.1-3]", "82: 0000 {} 'a' 00", breaks(0x82)},
        {all, "SUBSCRIBE without a filter", "[MQTT-3.8.3-2]", "82: 0001 {}", breaks(0x82)},
        {all, "SUBSCRIBE without a body", "[MQTT-3.8.3-2]", "82 00", breaks(0x81)},
        {all, "SUBSCRIBE with half a packet identifier", "[MQTT-2.2.1-3]", "82: 00", breaks(0x81)},
        {all, "SUBSCRIBE without options", "[MQTT-3.8.3-2]", "82: 0001 {} 'a'", breaks(0x81)},
        {all, "SUBSCRIBE without options for its second filter", "[MQTT-3.8.3-2]", "82: 0001 {} 'a' 00 'b'", breaks(0x81)},
        {all, "SUBSCRIBE with a filter longer than the packet", "[MQTT-3.8.3-1]", "82: 0001 {} 00ff 61 00", breaks(0x81)},
        {v5, "SUBSCRIBE with QoS 3", "§3.8.3.1", "82: 0001 [] 'a' 03", breaks(0x82)},
        {v3, "SUBSCRIBE with QoS 3", "[MQTT3-3.8.3-4]", "82: 0001 'a' 03", silent()},
        {v5, "SUBSCRIBE with retain handling 3", "§3.8.3.1", "82: 0001 [] 'a' 30", breaks(0x82)},
        {v5, "SUBSCRIBE with reserved bit 6", "[MQTT-3.8.3-5]", "82: 0001 [] 'a' 40", breaks(0x81)},
        {v5, "SUBSCRIBE with reserved bit 7", "[MQTT-3.8.3-5]", "82: 0001 [] 'a' 80", breaks(0x81)},
        {v5, "SUBSCRIBE with a reserved bit for its second filter", "[MQTT-3.8.3-5]", "82: 0001 [] 'a' 00 'b' c1", breaks(0x81)},
        {v3, "SUBSCRIBE with no local, which is version 5", "[MQTT3-3.8.3-4]", "82: 0001 'a' 04", silent()},
        {v3, "SUBSCRIBE with retain handling, which is version 5", "[MQTT3-3.8.3-4]", "82: 0001 'a' 10", silent()},
        {v3, "SUBSCRIBE with the highest bit", "[MQTT3-3.8.3-4]", "82: 0001 'a' 80", silent()},
        {v5, "SUBSCRIBE with no local on a shared subscription", "[MQTT-3.8.3-4]", "82: 0001 [] '$share/g/a' 04", breaks(0x82)},
        {v5, "SUBSCRIBE with no local on a shared subscription, behind another", "[MQTT-3.8.3-4]",
         "82: 0001 [] 'a' 01 '$share/g/a' 05", breaks(0x82)},
        {v5, "SUBSCRIBE without a property length", "[MQTT-2.2.2-1]", "82: 0001", breaks(0x81)},
        {v5, "SUBSCRIBE with subscription identifier 0", "§3.8.2.1.2", "82: 0001 [0b 00] 'a' 00", breaks(0x82)},
        {v5, "SUBSCRIBE with a subscription identifier of five bytes", "§1.5.5", "82: 0001 [0b 8080808001] 'a' 00", breaks(0x81)},
        {v5, "SUBSCRIBE with a subscription identifier that is not minimal", "[MQTT-1.5.5-1]", "82: 0001 [0b 8100] 'a' 00", breaks(0x81)},
        {v5, "SUBSCRIBE with the largest subscription identifier", "§3.8.2.1.2", "82: 0001 [0b ffffff7f] 'a' 00", answered({"90 .. 0001 * 00"})},
        {v5, "SUBSCRIBE with good and bad filters", "[MQTT-3.9.3-1]", "82: 0001 [] 'a' 00 'a/#/b' 01 'b' 02", answered({"90 .. 0001 * 00 8f 02"})},
        {v311, "SUBSCRIBE with good and bad filters", "[MQTT3-3.9.3-1]", "82: 0001 'a' 00 'a/#/b' 01 'b' 02", answered({"90 05 0001 00 80 02"})},
        {v31, "SUBSCRIBE with good and bad filters: 3.1 has no refusal", "MQTT 3.1 §3.8", "82: 0001 'a' 00 'a/#/b' 01 'b' 02", answered({"90 05 0001 00 01 02"})},
        {all, "SUBSCRIBE to the same filter twice in one packet", "[MQTT-3.8.4-5]", "82: 0001 {} 'a' 00 'a' 01", answered({"90 .. 0001 * 00 01"})},
        {all, "SUBSCRIBE to empty levels", "§4.7.3", "82: 0001 {} '/' 00 '//' 01 '/+' 02", answered({"90 .. 0001 * 00 01 02"})},
        {all, "UNSUBSCRIBE with packet identifier 0", "[MQTT-2.2.1-3]", "a2: 0000 {} 'a'", breaks(0x82)},
        {all, "UNSUBSCRIBE without a filter", "[MQTT-3.10.3-2]", "a2: 0001 {}", breaks(0x82)},
        {all, "UNSUBSCRIBE without a body", "[MQTT-3.10.3-2]", "a2 00", breaks(0x81)},
        {all, "UNSUBSCRIBE with half a packet identifier", "[MQTT-2.2.1-3]", "a2: 00", breaks(0x81)},
        {all, "UNSUBSCRIBE with a filter longer than the packet", "[MQTT-3.10.3-1]", "a2: 0001 {} 00ff 61", breaks(0x81)},
        {all, "UNSUBSCRIBE with half a filter length", "[MQTT-3.10.3-1]", "a2: 0001 {} 'a' 00", breaks(0x81)},
        {v5, "UNSUBSCRIBE without a property length", "[MQTT-2.2.2-1]", "a2: 0001", breaks(0x81)},
        {v5, "UNSUBSCRIBE what was never subscribed", "[MQTT-3.10.4-5]", "a2: 0001 [] 'a'", answered({"b0 .. 0001 * 11"})},
        {v3, "UNSUBSCRIBE what was never subscribed", "[MQTT3-3.10.4-5]", "a2: 0001 'a'", answered({"b0 02 0001"})},
        {v5, "UNSUBSCRIBE a filter that cannot be", "[MQTT-3.11.3-1]", "a2: 0001 [] 'a' 'a/#/b'", answered({"b0 .. 0001 * 11 8f"})},
        {v3, "UNSUBSCRIBE a filter that cannot be", "[MQTT3-3.10.4-5]", "a2: 0001 'a/#/b'", answered({"b0 02 0001"})},
    };
    for (const auto& t : not_utf8) {
        rows.push_back({all, std::string{"SUBSCRIBE, filter: "} + t.name, "[MQTT-3.8.3-1]",
                        std::string{"82: 0001 {} "} + t.bytes + " 00", breaks(0x81)});
        rows.push_back({all, std::string{"UNSUBSCRIBE, filter: "} + t.name, "[MQTT-3.10.3-1]",
                        std::string{"a2: 0001 {} "} + t.bytes, breaks(0x81)});
    }
    for (const std::string filter : bad_filters) {
        const bool shared = filter.starts_with("$share");
        const auto rule = shared ? "[MQTT-4.8.2-1]" : filter.empty() ? "[MQTT-4.7.3-1]" : "[MQTT-4.7.1-1]";
        const auto send = "82: 0001 {} '" + filter + "' 01";
        rows.push_back({v5, "SUBSCRIBE to '" + filter + "'", rule, send, answered({"90 .. 0001 * 8f"})});
        rows.push_back({v311, "SUBSCRIBE to '" + filter + "'", rule, send, answered({"90 03 0001 80"})});
        rows.push_back({v31, "SUBSCRIBE to '" + filter + "': 3.1 has no refusal", rule, send, answered({"90 03 0001 01"})});
    }
    return rows;
}

// --- everything else ---

std::vector<row> others() {
    std::vector<row> rows{
        {all, "a second CONNECT", "[MQTT-3.1.0-2]", "10: @ 02 003c {} 'odd'", breaks(0x82)},
        {all, "a second CONNECT as somebody else", "[MQTT-3.1.0-2]", "10: @ 02 003c {} 'other'", breaks(0x82)},
        {all, "PINGREQ with a body", "§3.12", "c0 01 00", breaks(0x81)},
        {all, "CONNACK from a client", "§2.1.2", "20 02 0000", breaks(0x82)},
        {all, "SUBACK from a client", "§2.1.2", "90 03 0001 00", breaks(0x82)},
        {all, "UNSUBACK from a client", "§2.1.2", "b0 02 0001", breaks(0x82)},
        {all, "PINGRESP from a client", "§2.1.2", "d0 00", breaks(0x82)},
        {v5, "AUTH without a method agreed on", "[MQTT-4.12.0-7]", "f0 00", breaks(0x82)},
        {v5, "AUTH that continues nothing", "[MQTT-4.12.0-7]", "f0: 18 [15 'm' 16 'd']", breaks(0x82)},
        {v5, "AUTH that begins again without a method agreed on", "[MQTT-4.12.1-1]", "f0: 19 [15 'm']", breaks(0x82)},
        {all, "DISCONNECT", "§3.14", "e0 00", silent()},
        {all, "DISCONNECT, then PINGREQ", "[MQTT-3.14.4-1]", "e0 00; c0 00", silent()},
        {v3, "DISCONNECT with a body", "[MQTT3-3.14.1-1]", "e0 01 00", silent()},
        {v5, "DISCONNECT with a byte behind its end", "§2.2.2.1", "e0: 00 00 00", breaks(0x81)},
        {v5, "DISCONNECT that raises a session expiry of 0", "§3.14.2.2.2", "e0: 00 [11 0000000a]", breaks(0x82)},
        {v5, "DISCONNECT that keeps a session expiry of 0", "§3.14.2.2.2", "e0: 00 [11 00000000]", silent()},
        {v5, "DISCONNECT with a session expiry cut short", "§2.2.2.1", "e0: 00 [11 0000]", breaks(0x81)},
    };
    for (const unsigned reason : {0x00U, 0x04U, 0x80U, 0x81U, 0x82U, 0x83U, 0x90U, 0x93U, 0x94U, 0x95U, 0x96U, 0x97U, 0x98U, 0x99U}) {
        rows.push_back({v5, "DISCONNECT with reason code 0x" + hex_byte(reason), "§3.14.2.1", "e0: " + hex_byte(reason), silent()});
    }
    for (const unsigned reason : {0x01U, 0x10U, 0x7fU, 0x84U, 0x87U, 0x8bU, 0x8eU, 0x8fU, 0x9dU, 0xffU}) { // unknown, or the server's
        rows.push_back({v5, "DISCONNECT with reason code 0x" + hex_byte(reason) + ", not a client's", "[MQTT-3.14.2-1]",
                        "e0: " + hex_byte(reason), breaks(0x82)});
    }
    return rows;
}

constexpr std::uint16_t receive_maximum = 4;
constexpr std::uint16_t topic_alias_maximum = 4;
constexpr std::size_t max_message = 64 * 1024;

} // namespace

// The type, the remaining length, as much as that says.
std::vector<std::string> split_mqtt(std::string_view bytes) {
    std::vector<std::string> packets;
    while (!bytes.empty()) {
        std::size_t size = 0;
        std::size_t at = 1;
        for (unsigned shift = 0; at < bytes.size() && shift < 28; shift += 7) {
            const auto byte = static_cast<unsigned char>(bytes[at++]);
            size |= static_cast<std::size_t>(byte & 0x7FU) << shift;
            if ((byte & 0x80U) == 0) break;
        }
        packets.emplace_back(bytes.substr(0, at + size));
        bytes.remove_prefix(packets.back().size());
    }
    return packets;
}

limits mqtt_corpus_limits() {
    limits bounds;
    bounds.mqtt_receive_maximum = receive_maximum;
    bounds.mqtt_topic_alias_maximum = topic_alias_maximum;
    bounds.max_message_bytes = max_message;
    return bounds;
}

dialect mqtt_dialect() {
    dialect d{.name = "MQTT",
              .subprotocol = "mqtt",
              .listener = "mqtt",
              .split = split_mqtt,
              .probe = {wire("c0 00"), {"d0 00"}},
              .witness_hello = {wire("10: 'MQTT' 04 02 0000 'witness'; 82: 0001 'witness' 00"), {"20 02 0000", "90 03 0001 00"}},
              .witness_round = {wire("32: 'witness' 0002 \"still there\""), {"30 * 6572 65", "40 02 0002"}},
              .table = {},
              .varies = [](std::string_view answer) { return answer.starts_with('\x20'); }, // an assigned client identifier
              .settings = {"BROKERD__MQTT__RECEIVE_MAXIMUM=4", "BROKERD__MQTT__TOPIC_ALIAS_MAXIMUM=4",
                           "BROKERD__LIMITS__MAX_MESSAGE=64KiB"}};
    for (const auto& rows : {first_packets(), connects(), connect_texts(), connect_properties()}) {
        expand(d.table, state::fresh, rows);
    }
    for (const auto& rows : {fixed_headers(), publishes(), connected_properties(), acknowledgements(), subscriptions(), others()}) {
        expand(d.table, state::connected, rows);
    }
    return d;
}

std::vector<scenario> valid_mqtt_packets() {
    std::vector<scenario> valid;
    expand(valid, state::fresh,
           {
               {all, "CONNECT", "§3.1", "10: @ 02 003c {} 'c'", accepted()},
               {all, "CONNECT with everything", "§3.1",
                "10: @ f6 003c {11 0000000a 17 01 19 01 21 0005 22 0002 26 'n' 'v' 27 00001000} 'c' "
                "{01 01 02 0000000a 03 't' 08 'r' 09 'd' 18 0000000a 26 'n' 'v'} 'w' 'm' 'u' 'p'",
                accepted()},
           });
    expand(valid, state::connected,
           {
               {all, "PUBLISH QoS 0, then PINGREQ", "§3.3", "30: 'a' {} 68; c0 00", answered({"d0 00"})},
               {all, "PUBLISH QoS 1", "§3.3", "32: 'a' 0001 {} 68", answered({"40 .. 0001 *"})},
               {all, "PUBLISH QoS 2", "§3.3", "34: 'a' 0001 {} 68", answered({"50 .. 0001 *"})},
               {v5, "PUBLISH with every property", "§3.3", "32: 'a' 0001 [01 01 02 0000000a 03 't' 08 'r' 09 'd' 23 0001 26 'n' 'v'] 68",
                answered({"40 .. 0001 *"})},
               {all, "PUBREL", "§3.6", "62: 0001", answered({"70 .. 0001 *"})},
               {all, "PUBREC", "§3.5", "50: 0001", answered({"62 .. 0001 *"})},
               {v5, "PUBREL with a reason and properties", "§3.6", "62: 0001 92 [1f 'why' 26 'n' 'v']", answered({"70 .. 0001 *"})},
               {all, "SUBSCRIBE", "§3.8", "82: 0001 {0b 0a 26 'n' 'v'} 'a' 00 'b/+' 01 'c/#' 02", answered({"90 .. 0001 * 00 01 02"})},
               {all, "UNSUBSCRIBE", "§3.10", "a2: 0001 {26 'n' 'v'} 'a' 'b'", answered({"b0 .. 0001 *"})},
               {all, "PINGREQ", "§3.12", "c0 00", answered({"d0 00"})},
           });
    return valid;
}

} // namespace broker::test
