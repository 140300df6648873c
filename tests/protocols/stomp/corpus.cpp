#include "protocols/stomp/corpus.hpp"

#include "support/hex.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace broker::test {

using namespace std::string_literals;

namespace {

// --- how a row is written ---

constexpr unsigned v10 = 1;
constexpr unsigned v11 = 2;
constexpr unsigned v12 = 4;
constexpr unsigned escaping = v11 | v12;
constexpr unsigned all = v10 | escaping;
constexpr unsigned none = 0; // before CONNECT

constexpr std::array<std::pair<unsigned, std::string_view>, 3> versions{{{v10, "1.0"}, {v11, "1.1"}, {v12, "1.2"}}};

// What has to happen.
struct reaction {
    ending end = ending::closed;
    std::vector<std::string> answers{};
};
// An ERROR with this code, `more` anywhere behind it, then the end.
reaction error(std::string_view code = "protocol_error", std::string_view more = "") {
    return {.answers = {like("ERROR\nmessage:*code:"s.append(code).append("\n*").append(more).append("*\0"s))}};
}
reaction too_big() { return error("too_big"); }
reaction ignored() { return {.end = ending::open}; }
reaction waits() { return {.end = ending::waiting}; }
reaction answered(std::vector<std::string> with) {
    for (auto& one : with) one = like(one + "\0"s);
    return {.end = ending::open, .answers = std::move(with)};
}
reaction connected(std::string_view version) { return answered({"CONNECTED\nversion:"s.append(version).append("\n*\n\n")}); }
reaction receipt(std::string_view id) { return answered({"RECEIPT\nreceipt-id:"s.append(id).append("\n\n")}); }

struct row {
    unsigned versions;
    std::string name;
    std::string rule;
    std::string send; // "@": NUL
    reaction then;
};

std::string bytes_of(std::string text) {
    std::ranges::replace(text, '@', '\0');
    return text;
}

// --- the rows ---

constexpr std::size_t line_max = 512;
constexpr std::size_t headers_max = 16;
constexpr std::size_t message_max = 64 * 1024;
constexpr std::size_t connect_max = 2048;

std::vector<row> before_connect() {
    const auto connect = [](std::string_view headers) { return "CONNECT\n"s.append(headers).append("\n@"); };
    return {
        {none, "SEND first", "[STOMP12-CONNECT-4]", "SEND\ndestination:/topic/a\n\nx@", error()},
        {none, "SUBSCRIBE first", "[STOMP12-CONNECT-4]", "SUBSCRIBE\nid:1\ndestination:/topic/a\n\n@", error()},
        {none, "DISCONNECT first", "[STOMP12-CONNECT-4]", "DISCONNECT\nreceipt:r\n\n@", error()},
        {none, "connect in lower case", "[STOMP12-FRAME-3]", "connect\naccept-version:1.2\nhost:h\n\n@", error()},
        {none, "CONNECTED from a client", "[STOMP12-CONNECT-4]", "CONNECTED\nversion:1.2\n\n@", error()},
        {none, "a space before CONNECT", "[STOMP12-ENC-6]", " CONNECT\naccept-version:1.2\nhost:h\n\n@", error()},
        {none, "a space behind CONNECT", "[STOMP12-ENC-6]", "CONNECT \naccept-version:1.2\nhost:h\n\n@", error()},
        {none, "HTTP", "[STOMP12-CONNECT-4]", "GET / HTTP/1.1\r\nHost: h\r\n\r\n", error()},
        {none, "an MQTT CONNECT and a line feed", "[STOMP12-CONNECT-4]", "\x10\x0c@\x04MQTT\x04\x02@\x3c@@\n", error()},
        {none, "bytes that are no text", "[STOMP12-ENC-5]", "\xFF\xFE\xFD\n", error("bad_utf8")},
        {none, "NUL first", "[STOMP12-CONNECT-4]", "@", error()},
        {none, "NUL inside the command", "[STOMP12-BNF-2]", "CONN@ECT\n\n@", error()},
        {none, "NUL instead of the empty line", "[STOMP12-BNF-3]", "CONNECT\naccept-version:1.2\nhost:h\n@", error()},
        {none, "only line ends", "[STOMP12-FRAME-2]", "\n\r\n\n\n", waits()},
        {none, "CR without LF first", "[STOMP12-BNF-2]", "\rCONNECT\n\n@", error()},
        {none, "a header line without a colon", "[STOMP12-BNF-1]", connect("accept-version\n"), error()},
        {none, "a header without a name", "[STOMP12-BNF-1]", connect("accept-version:1.2\n:h\n"), error()},
        {none, "a header that is no text", "[STOMP12-ENC-5]", connect("accept-version:1.2\nlogin:\xC3\n"), error("bad_utf8")},
        {none, "an overlong UTF-8 form in a header", "[STOMP12-ENC-5]", connect("login:\xC0\xAF\n"), error("bad_utf8")},
        {none, "a surrogate in a header", "[STOMP12-ENC-5]", connect("login:\xED\xA0\x80\n"), error("bad_utf8")},
        {none, "no version in common", "[STOMP12-VERSION-4]", connect("accept-version:2.0\nhost:h\n"),
         error("protocol_error", "version:1.0,1.1,1.2\n")},
        {none, "no version at all", "[STOMP12-VERSION-4]", connect("accept-version:\nhost:h\n"),
         error("protocol_error", "version:1.0,1.1,1.2\n")},
        {none, "versions that only look like ours", "[STOMP12-VERSION-4]", connect("accept-version:1.20,1.,.2,01.2,1\n"),
         error("protocol_error", "version:1.0,1.1,1.2\n")},
        {none, "versions separated by semicolons", "[STOMP12-VERSION-4]", connect("accept-version:1.1;1.2\n"),
         error("protocol_error", "version:1.0,1.1,1.2\n")},
        {none, "a heart-beat without a comma", "[STOMP12-BEAT-1]", connect("accept-version:1.2\nhost:h\nheart-beat:1000\n"), error()},
        {none, "a heart-beat with one number", "[STOMP12-BEAT-1]", connect("accept-version:1.2\nhost:h\nheart-beat:1000,\n"), error()},
        {none, "a negative heart-beat", "[STOMP12-BEAT-1]", connect("accept-version:1.2\nhost:h\nheart-beat:-1,0\n"), error()},
        {none, "a heart-beat of words", "[STOMP12-BEAT-1]", connect("accept-version:1.2\nhost:h\nheart-beat:a,b\n"), error()},
        {none, "a heart-beat of three numbers", "[STOMP12-BEAT-1]", connect("accept-version:1.2\nhost:h\nheart-beat:1,2,3\n"), error()},
        {none, "a heart-beat with spaces", "[STOMP12-BEAT-1]", connect("accept-version:1.2\nhost:h\nheart-beat:1, 2\n"), error()},
        {none, "a heart-beat beyond 32 bits", "[STOMP12-BEAT-1]", connect("accept-version:1.2\nhost:h\nheart-beat:99999999999,0\n"), error()},
        {none, "an empty heart-beat", "[STOMP12-BEAT-1]", connect("accept-version:1.2\nhost:h\nheart-beat:\n"), error()},
        {none, "CONNECT with a body", "[STOMP12-BODY-1]", "CONNECT\naccept-version:1.2\nhost:h\n\nbody@", error()},
        {none, "a will without a destination", "docs/mapping.md", connect("accept-version:1.2\nhost:h\nwill-body:x\n"), error()},
        {none, "a will to a wildcard", "docs/mapping.md", connect("accept-version:1.2\nhost:h\nwill-destination:/topic/#\n"), error()},
        {none, "a will to nowhere", "docs/mapping.md", connect("accept-version:1.2\nhost:h\nwill-destination:/exchange/a\n"), error()},
        {none, "a client-id over the limit", "[STOMP12-LIMIT-1]",
         connect("accept-version:1.2\nhost:h\nclient-id:" + std::string(300, 'c') + "\n"), too_big()},
        {none, "a CONNECT line over the limit", "[STOMP12-LIMIT-1]", "CONNECT\nlogin:" + std::string(line_max, 'x'), too_big()},
        {none, "a command that does not end", "[STOMP12-LIMIT-1]", std::string(line_max + 1, 'C'), too_big()},
        {none, "a CONNECT over its limit", "[STOMP12-LIMIT-1]",
         "CONNECT\n" + [] {
             std::string lines;
             for (char c = 'a'; lines.size() <= connect_max; ++c) lines += std::string(1, c) + ":" + std::string(400, c) + "\n";
             return lines;
         }(),
         too_big()},
        {none, "a CONNECT that announces a large body", "[STOMP12-LIMIT-1]", "CONNECT\ncontent-length:4000\n\n", too_big()},
        {none, "a CONNECT with a large body", "[STOMP12-LIMIT-1]", "CONNECT\n\n" + std::string(connect_max, 'b'), too_big()},
        {none, "frames behind a refused CONNECT", "[STOMP12-ERROR-1]",
         "CONNECT\naccept-version:9\n\n@CONNECT\naccept-version:1.2\nhost:h\n\n@SEND\ndestination:/topic/w\n\nx@",
         error("protocol_error", "version:1.0,1.1,1.2\n")},
        // odd and right
        {none, "no accept-version is 1.0", "[STOMP12-VERSION-2]", connect(""), connected("1.0")},
        {none, "the highest version, whatever the order", "[STOMP12-VERSION-3]", connect("accept-version:1.2,1.0,1.1\n"), connected("1.2")},
        {none, "versions from the future beside ours", "[STOMP12-VERSION-3]", connect("accept-version:1.1,2.0,99\n"), connected("1.1")},
        {none, "spaces in accept-version", "[STOMP12-VERSION-3]", connect("accept-version:1.0, 1.1\n"), connected("1.1")},
        {none, "accept-version twice: the first", "[STOMP12-REPEAT-1]", connect("accept-version:1.1\naccept-version:1.2\n"), connected("1.1")},
        {none, "STOMP is CONNECT", "[STOMP12-CONNECT-1]", "STOMP\naccept-version:1.2\nhost:h\n\n@", connected("1.2")},
        {none, "CR LF before the version is known", "[STOMP12-FRAME-1]", "CONNECT\r\naccept-version:1.2\r\nhost:h\r\n\r\n@", connected("1.2")},
        {none, "line ends before CONNECT", "[STOMP12-FRAME-2]", "\n\r\n\nCONNECT\naccept-version:1.2\nhost:h\n\n@\n\n", connected("1.2")},
        {none, "an unknown virtual host", "docs/mapping.md", connect("accept-version:1.2\nhost:no such host\n"), connected("1.2")},
        {none, "a passcode with what would be escapes", "[STOMP12-ENC-4]", connect("accept-version:1.2\npasscode:a\\tb:\\\n"), connected("1.2")},
        {none, "padding as in the examples of 1.0", "STOMP 1.0 §Overview", connect("login: ann\npasscode:  x\n"), connected("1.0")},
        {none, "a body in 1.0", "STOMP 1.0 §Overview", "CONNECT\nlogin:ann\n\nbody@", connected("1.0")},
        {none, "an empty sized body", "[STOMP12-LENGTH-2]", "CONNECT\naccept-version:1.2\ncontent-length:0\n\n@", connected("1.2")},
    };
}

std::vector<row> framing() {
    const auto send = [](std::string_view headers, std::string_view body = "x") {
        return "SEND\ndestination:/topic/a\n"s.append(headers).append("\n").append(body).append("@");
    };
    std::string many = "SEND\n";
    for (std::size_t i = 0; i != headers_max + 1; ++i) many += "h" + std::to_string(i) + ":v\n";
    return {
        {all, "an unknown command", "[STOMP12-COMMAND-1]", "NONSENSE\nreceipt:r\n\n@", error("protocol_error", "receipt-id:r\n")},
        {all, "a command in lower case", "[STOMP12-FRAME-3]", "send\ndestination:/topic/a\n\nx@", error()},
        {all, "an empty line and a body without a command", "[STOMP12-COMMAND-1]", "x@", error()},
        {all, "a command of the server", "[STOMP12-COMMAND-1]", "MESSAGE\ndestination:/topic/a\n\nx@", error()},
        {all, "RECEIPT from a client", "[STOMP12-COMMAND-1]", "RECEIPT\nreceipt-id:r\n\n@", error()},
        {all, "ERROR from a client", "[STOMP12-COMMAND-1]", "ERROR\nmessage:m\n\n@", error()},
        {all, "a second CONNECT", "[STOMP12-CONNECT-4]", "CONNECT\naccept-version:1.2\nhost:h\n\n@", error()},
        {all, "a second STOMP", "[STOMP12-CONNECT-4]", "STOMP\naccept-version:1.2\nhost:h\n\n@", error()},
        {all, "a header name in upper case is another header", "[STOMP12-FRAME-3]", "SEND\nDESTINATION:/topic/a\n\nx@", error()},
        {all, "a header line without a colon", "[STOMP12-BNF-1]", "SEND\ndestination:/topic/a\nrubbish\n\nx@", error()},
        {all, "a header without a name", "[STOMP12-BNF-1]", send(":v\n"), error()},
        {all, "a line of one space instead of the empty one", "[STOMP12-BNF-1]", "SEND\ndestination:/topic/a\n \nx@", error()},
        {all, "NUL inside a header", "[STOMP12-BNF-3]", "SEND\ndestination:/topic/a\nk:v@w\n\nx@", error()},
        {all, "NUL instead of the empty line", "[STOMP12-BNF-3]", "SEND\nreceipt:r\ndestination:/topic/a\n@",
         error("protocol_error", "receipt-id:r\n")},
        {all, "a header that is no text", "[STOMP12-ENC-5]", send("k:\xFF\n"), error("bad_utf8")},
        {all, "a name that is no text", "[STOMP12-ENC-5]", send("k\x80:v\n"), error("bad_utf8")},
        {all, "a command that is no text", "[STOMP12-ENC-5]", "S\xC3\nk:v\n\nx@", error("bad_utf8")},
        {all, "a character beyond Unicode in a header", "[STOMP12-ENC-5]", send("k:\xF4\x90\x80\x80\n"), error("bad_utf8")},
        {all, "CR without LF between frames", "[STOMP12-BNF-2]", "\rSEND\ndestination:/topic/a\n\nx@", error()},
        {v12, "CR inside a value", "[STOMP12-BNF-2]", send("k:a\rb\n"), error()},
        {v12, "CR inside a name", "[STOMP12-BNF-2]", send("k\rk:a\n"), error()},
        {v12, "two CR at the end of a line", "[STOMP12-BNF-2]", send("k:a\r\r\n"), error()},
        {v12, "CR inside the command", "[STOMP12-BNF-2]", "SE\rND\ndestination:/topic/a\n\nx@", error()},
        {escaping, "the undefined escape \\t", "[STOMP12-ENC-2]", send("k:a\\tb\n"), error()},
        {escaping, "the undefined escape \\N", "[STOMP12-ENC-2]", send("k:a\\Nb\n"), error()},
        {escaping, "the undefined escape \\0", "[STOMP12-ENC-2]", send("k:a\\0\n"), error()},
        {escaping, "the undefined escape \\:", "[STOMP12-ENC-2]", send("k\\::a\n"), error()},
        {escaping, "a backslash at the end of a value", "[STOMP12-ENC-2]", send("k:a\\\n"), error()},
        {escaping, "a backslash at the end of a name", "[STOMP12-ENC-2]", send("k\\:a\n"), error()},
        {escaping, "an escape of a letter beyond ASCII", "[STOMP12-ENC-2]", send("k:\\\xC3\xA4\n"), error()},
        {v11, "\\r in 1.1", "[STOMP11-ENC-2]", send("k:a\\rb\n"), error()},
        {escaping, "an undefined escape in a header nobody reads", "[STOMP12-ENC-2]", "BEGIN\ntransaction:t\nx-y:\\q\n\n@", error()},
        {escaping, "the receipt that was read before the error", "[STOMP12-ERROR-3]", send("receipt:r1\nk:\\x\n"),
         error("protocol_error", "receipt-id:r1\n")},
        {all, "content-length of letters", "[STOMP12-LENGTH-1]", send("content-length:x\n"), error()},
        {all, "content-length empty", "[STOMP12-LENGTH-1]", send("content-length:\n"), error()},
        {all, "content-length negative", "[STOMP12-LENGTH-1]", send("content-length:-1\n"), error()},
        {all, "content-length with a sign", "[STOMP12-LENGTH-1]", send("content-length:+1\n"), error()},
        {all, "content-length with a fraction", "[STOMP12-LENGTH-1]", send("content-length:1.0\n"), error()},
        {all, "content-length in hex", "[STOMP12-LENGTH-1]", send("content-length:0x1\n"), error()},
        {all, "content-length with a tail", "[STOMP12-LENGTH-1]", send("content-length:1 \n"), error()},
        {escaping, "content-length padded", "[STOMP12-ENC-6]", send("content-length: 1\n"), error()},
        {all, "content-length too small", "[STOMP12-LENGTH-2]", send("content-length:1\n", "xy"), error()},
        {all, "content-length 0 and a body", "[STOMP12-LENGTH-2]", send("content-length:0\n", "x"), error()},
        {all, "content-length too large", "[STOMP12-LENGTH-1]", send("content-length:9\n", "x"), waits()},
        {all, "content-length twice: the first", "[STOMP12-REPEAT-1]", send("content-length:1\ncontent-length:5\nreceipt:r\n", "x"), receipt("r")},
        {all, "content-length twice, the first wrong", "[STOMP12-REPEAT-1]", send("content-length:0\ncontent-length:1\n", "x"), error()},
        {all, "10 TB announced", "[STOMP12-LIMIT-1]", "SEND\ndestination:/topic/a\nreceipt:r\ncontent-length:10995116277760\n\n",
         error("too_big", "receipt-id:r\n")},
        {all, "content-length of 2^64 - 1", "[STOMP12-LIMIT-1]", "SEND\ndestination:/topic/a\ncontent-length:18446744073709551615\n\n", too_big()},
        {all, "content-length beyond 64 bits", "[STOMP12-LIMIT-1]", "SEND\ndestination:/topic/a\ncontent-length:99999999999999999999999\n\n", too_big()},
        {all, "content-length one over the limit", "[STOMP12-LIMIT-1]",
         "SEND\ndestination:/topic/a\ncontent-length:" + std::to_string(message_max + 1) + "\n\n", too_big()},
        {all, "content-length at the limit", "[STOMP12-LIMIT-1]",
         "SEND\ndestination:/topic/a\ncontent-length:" + std::to_string(message_max) + "\n\n", waits()},
        {all, "a body announced on a frame that has none", "[STOMP12-LIMIT-1]", "BEGIN\ntransaction:t\ncontent-length:10995116277760\n\n", too_big()},
        {all, "a header line that does not end", "[STOMP12-LIMIT-1]", "SEND\nk:" + std::string(line_max, 'v'), too_big()},
        {all, "a header name that does not end", "[STOMP12-LIMIT-1]", "SEND\n" + std::string(line_max + 1, 'k'), too_big()},
        {all, "a command that does not end", "[STOMP12-LIMIT-1]", std::string(line_max + 1, 'S'), too_big()},
        {all, "one header too many", "[STOMP12-LIMIT-1]", many, too_big()},
        {escaping, "ACK with a body", "[STOMP12-BODY-1]", "ACK\nid:1\n\nbody@", error()},
        {escaping, "SUBSCRIBE with a body", "[STOMP12-BODY-1]", "SUBSCRIBE\nid:1\ndestination:/topic/a\n\nbody@", error()},
        {escaping, "UNSUBSCRIBE with a body", "[STOMP12-BODY-1]", "UNSUBSCRIBE\nid:1\n\nbody@", error()},
        {escaping, "BEGIN with a body", "[STOMP12-BODY-1]", "BEGIN\ntransaction:t\n\nbody@", error()},
        {escaping, "DISCONNECT with a body", "[STOMP12-BODY-1]", "DISCONNECT\nreceipt:r\n\nbody@", error("protocol_error", "receipt-id:r\n")},
        {v10, "SUBSCRIBE with a body in 1.0", "[STOMP10-SUBSCRIBE-2]", "SUBSCRIBE\ndestination:/topic/a\nreceipt:r\n\nbody@", receipt("r")},
        {all, "frames behind an ERROR", "[STOMP12-ERROR-1]", "NONSENSE\n\n@SEND\ndestination:/topic/a\nreceipt:r\n\nx@BEGIN\nreceipt:s\n\n@", error()},
        {all, "half a frame behind an ERROR", "[STOMP12-ERROR-1]", "NONSENSE\n\n@SEND\ndestination:/topic/a\nrec", error()},
        {all, "only heart-beats", "[STOMP12-BEAT-6]", "\n\n\n\r\n\n", ignored()},
        {all, "many line ends between frames", "[STOMP12-FRAME-2]", send("receipt:r\n") + "\n\n\r\n\n" + send("receipt:s\n") + "\n",
         answered({"RECEIPT\nreceipt-id:r\n\n", "RECEIPT\nreceipt-id:s\n\n"})},
        {all, "half a frame", "[STOMP12-FRAME-1]", "SEND\ndestination:/topic/a\nrec", waits()},
        {all, "a frame without its NUL", "[STOMP12-LENGTH-2]", "SEND\ndestination:/topic/a\nreceipt:r\ncontent-length:1\n\nx", waits()},
        {all, "NUL inside a sized body", "[STOMP12-LENGTH-1]", send("content-length:3\nreceipt:r\n", "@\n@"), receipt("r")},
        {all, "a body that looks like a frame", "[STOMP12-LENGTH-1]", send("content-length:19\nreceipt:r\n", "@\nDISCONNECT\n\nab@@\n"), receipt("r")},
        {all, "a body that is no text", "[STOMP12-BODY-2]", send("receipt:r\n", "\xFF\xFE\x80"), receipt("r")},
        {all, "an empty body", "[STOMP12-LENGTH-1]", send("receipt:r\n", ""), receipt("r")},
        {all, "CR LF", "[STOMP12-FRAME-1]", "SEND\r\ndestination:/topic/a\r\nreceipt:r\r\n\r\nx@\r\n", receipt("r")},
        {all, "LF and CR LF mixed", "[STOMP12-FRAME-1]", "SEND\ndestination:/topic/a\r\nreceipt:r\n\r\nx@", receipt("r")},
        {all, "a colon inside a value", "docs/mapping.md", send("k:a:b:c\nreceipt:r:s\n"),
         answered({"RECEIPT\nreceipt-id:r*s\n\n"})},
        {v12, "a receipt with every escape comes back escaped", "[STOMP12-ENC-3]", send("receipt:a\\cb\\nc\\rd\\\\e\n"),
         answered({"RECEIPT\nreceipt-id:a\\cb\\nc\\rd\\\\e\n\n"})},
        {v11, "a receipt with every escape of 1.1", "[STOMP11-ENC-3]", send("receipt:a\\cb\\nc\\\\e\n"),
         answered({"RECEIPT\nreceipt-id:a\\cb\\nc\\\\e\n\n"})},
        {v10, "1.0 escapes nothing", "STOMP 1.0 §Augmented BNF", send("receipt:a\\tb\\:c\n"), receipt("a\\tb\\:c")},
        {escaping, "spaces are part of names and values", "[STOMP12-ENC-6]", send("receipt: r \n"), receipt(" r ")},
        {v10, "1.0 allows padding behind the colon", "STOMP 1.0 §Overview", "SEND\ndestination: /topic/a\nreceipt: r\n\nx@", receipt("r")},
        {all, "an empty receipt", "[STOMP12-RECEIPT-3]", send("receipt:\n"), receipt("")},
        {all, "a receipt beyond ASCII", "[STOMP12-TYPE-4]", send("receipt:\xE2\x82\xAC\n"), receipt("\xE2\x82\xAC")},
        {all, "receipt twice: the first", "[STOMP12-REPEAT-1]", send("receipt:1\nreceipt:2\n"), receipt("1")},
        {all, "as many headers as allowed", "[STOMP12-LIMIT-1]",
         [] {
             std::string lines = "SEND\ndestination:/topic/a\nreceipt:r\n";
             for (std::size_t i = 2; i != headers_max; ++i) lines += "h" + std::to_string(i) + ":v\n";
             return lines + "\nx@";
         }(),
         receipt("r")},
        {all, "a header line as long as allowed", "[STOMP12-LIMIT-1]",
         "SEND\ndestination:/topic/a\nreceipt:r\nk:" + std::string(line_max - 2, 'v') + "\n\nx@", receipt("r")},
    };
}

std::vector<row> semantics() {
    const auto subscribe = [](std::string_view headers) { return "SUBSCRIBE\nid:1\ndestination:/topic/a\n"s.append(headers).append("\n@"); };
    const auto send = [](std::string_view headers) { return "SEND\nreceipt:r\n"s.append(headers).append("\nx@"); };
    const auto refused = [] { return error("protocol_error", "receipt-id:r\n"); };
    return {
        {all, "SEND without destination", "[STOMP12-SEND-1]", send(""), refused()},
        {all, "SEND to an empty destination", "[STOMP12-SEND-3]", send("destination:\n"), refused()},
        {all, "SEND to a prefix alone", "[STOMP12-SEND-3]", send("destination:/topic/\n"), refused()},
        {all, "SEND to an unknown prefix", "[STOMP12-SEND-3]", send("destination:/exchange/a\n"),
         error("protocol_error", "/queue/NAME")},
        {all, "SEND to a wildcard of MQTT", "[STOMP12-SEND-3]", send("destination:/topic/a/#\n"), refused()},
        {all, "SEND to a wildcard of STOMP servers", "[STOMP12-SEND-3]", send("destination:/topic/a/*\n"), refused()},
        {all, "SEND to a queue with a wildcard", "[STOMP12-SEND-3]", send("destination:/queue/>\n"), refused()},
        {all, "SEND to a name of the server", "[STOMP12-SEND-3]", send("destination:$SYS/broker/version\n"), refused()},
        {all, "SEND to a name of the server as a topic", "[STOMP12-SEND-3]", send("destination:/topic/$SYS/x\n"), refused()},
        {all, "SEND to a shared subscription", "[STOMP12-SEND-3]", send("destination:$share/g/a\n"), refused()},
        {all, "SEND with too many levels", "[STOMP12-LIMIT-1]",
         send("destination:/topic/" + [] { std::string s; for (int i = 0; i != 200; ++i) s += "a/"; return s; }() + "\n"), refused()},
        {all, "SEND with a ttl of letters", "docs/mapping.md", send("destination:/topic/a\nttl:soon\n"), refused()},
        {all, "SEND with a negative expiration", "docs/mapping.md", send("destination:/topic/a\nexpiration:-5\n"), refused()},
        {all, "SEND with expires of letters", "docs/mapping.md", send("destination:/topic/a\nexpires:x\n"), refused()},
        {all, "SEND with a reply-to that leads nowhere", "docs/mapping.md", send("destination:/topic/a\nreply-to:/nowhere/x\n"), refused()},
        {all, "SEND in an unknown transaction", "[STOMP12-SEND-3]", send("destination:/topic/a\ntransaction:t\n"), refused()},
        {all, "SEND with a correlation that is not encoded as it says", "docs/mapping.md",
         send("destination:/topic/a\ncorrelation-id:=\nx-correlation-encoding:base64url\n"), refused()},
        {all, "SUBSCRIBE without destination", "[STOMP12-SUBSCRIBE-1]", "SUBSCRIBE\nid:1\n\n@", error()},
        {escaping, "SUBSCRIBE without id", "[STOMP12-SUBSCRIBE-2]", "SUBSCRIBE\ndestination:/topic/a\n\n@", error()},
        {all, "SUBSCRIBE with an id in use", "[STOMP12-SUBSCRIBE-3]", subscribe("") + subscribe("receipt:r\n"), refused()},
        {all, "SUBSCRIBE with an unknown ack mode", "[STOMP12-SUBSCRIBE-4]", subscribe("ack:sometimes\n"), error()},
        {all, "SUBSCRIBE with an empty ack mode", "[STOMP12-SUBSCRIBE-4]", subscribe("ack:\n"), error()},
        {all, "SUBSCRIBE with an ack mode in upper case", "[STOMP12-SUBSCRIBE-4]", subscribe("ack:AUTO\n"), error()},
        {v10, "client-individual in 1.0", "[STOMP10-SUBSCRIBE-1]", subscribe("ack:client-individual\n"), error()},
        {all, "SUBSCRIBE to an unknown prefix", "[STOMP12-SUBSCRIBE-5]", "SUBSCRIBE\nid:1\ndestination:/exchange/a\nreceipt:r\n\n@", refused()},
        {all, "SUBSCRIBE to a misplaced wildcard", "[STOMP12-SUBSCRIBE-5]", "SUBSCRIBE\nid:1\ndestination:/topic/#/a\n\n@", error()},
        {all, "SUBSCRIBE to a wildcard inside a level", "[STOMP12-SUBSCRIBE-5]", "SUBSCRIBE\nid:1\ndestination:/topic/a+\n\n@", error()},
        {all, "SUBSCRIBE to queues by wildcard", "[STOMP12-SUBSCRIBE-5]", "SUBSCRIBE\nid:1\ndestination:/queue/*\n\n@", error()},
        {all, "SUBSCRIBE with a prefetch of 0", "docs/mapping.md", subscribe("prefetch-count:0\n"), error()},
        {all, "SUBSCRIBE with a prefetch of letters", "docs/mapping.md", subscribe("activemq.prefetchSize:many\n"), error()},
        {all, "SUBSCRIBE with a prefetch beyond 16 bits", "docs/mapping.md", subscribe("prefetch-count:65536\n"), error()},
        {all, "SUBSCRIBE with a group of two levels", "docs/mapping.md", subscribe("x-group:a/b\n"), error()},
        {all, "SUBSCRIBE with a selector", "docs/mapping.md", subscribe("selector:a = 1\n"), error()},
        {all, "SUBSCRIBE durable without a name to keep it for", "docs/mapping.md", subscribe("durable-subscription-name:n\n"), error()},
        {all, "no-local on a queue", "docs/mapping.md", "SUBSCRIBE\nid:1\ndestination:/queue/q\nno-local:true\n\n@", error()},
        {escaping, "UNSUBSCRIBE without id", "[STOMP12-UNSUBSCRIBE-2]", "UNSUBSCRIBE\ndestination:/topic/a\n\n@", error()},
        {v10, "UNSUBSCRIBE without id or destination", "[STOMP10-UNSUBSCRIBE-1]", "UNSUBSCRIBE\n\n@", error()},
        {all, "UNSUBSCRIBE of an unknown id", "[STOMP12-UNSUBSCRIBE-3]", "UNSUBSCRIBE\nid:9\nreceipt:r\n\n@", receipt("r")},
        {all, "ACK without an id", "[STOMP12-ACK-1]", "ACK\nreceipt:r\n\n@", refused()},
        {all, "ACK of an unknown message", "[STOMP12-ACK-1]", "ACK\nid:1-1-1\nmessage-id:1-1-1\nsubscription:1\nreceipt:r\n\n@", refused()},
        {all, "ACK of something that is no id", "[STOMP12-ACK-1]", "ACK\nid:x\nmessage-id:x\nsubscription:1\n\n@", error()},
        {all, "ACK of an empty id", "[STOMP12-ACK-1]", "ACK\nid:\nmessage-id:\nsubscription:1\n\n@", error()},
        {v12, "ACK by message-id in 1.2", "[STOMP12-ACK-1]", "ACK\nmessage-id:1-1-1\nsubscription:1\n\n@", error()},
        {v11, "ACK by id in 1.1", "[STOMP11-ACK-1]", "ACK\nid:1-1-1\n\n@", error()},
        {escaping, "NACK of an unknown message", "[STOMP12-NACK-1]", "NACK\nid:1-1-1\nmessage-id:1-1-1\nsubscription:1\nreceipt:r\n\n@", refused()},
        {escaping, "NACK without an id", "[STOMP12-NACK-1]", "NACK\n\n@", error()},
        {v10, "1.0 has no NACK", "[STOMP12-COMMAND-1]", "NACK\nmessage-id:1-1-1\n\n@", error()},
        {all, "BEGIN without transaction", "[STOMP12-BEGIN-2]", "BEGIN\nreceipt:r\n\n@", refused()},
        {all, "BEGIN twice", "[STOMP12-BEGIN-4]", "BEGIN\ntransaction:t\n\n@BEGIN\ntransaction:t\nreceipt:r\n\n@", refused()},
        {all, "more transactions than allowed", "[STOMP12-LIMIT-1]",
         "BEGIN\ntransaction:1\n\n@BEGIN\ntransaction:2\n\n@BEGIN\ntransaction:3\nreceipt:r\n\n@", error("too_big", "receipt-id:r\n")},
        {all, "more frames in transactions than allowed", "[STOMP12-LIMIT-1]",
         "BEGIN\ntransaction:1\n\n@" + [] {
             std::string sends;
             for (int i = 0; i != 5; ++i) sends += "SEND\ndestination:/topic/a\ntransaction:1\n\nx@";
             return sends;
         }(),
         too_big()},
        {all, "COMMIT without transaction", "[STOMP12-COMMIT-1]", "COMMIT\nreceipt:r\n\n@", refused()},
        {all, "COMMIT of an unknown transaction", "[STOMP12-COMMIT-1]", "COMMIT\ntransaction:u\nreceipt:r\n\n@", refused()},
        {all, "COMMIT twice", "[STOMP12-COMMIT-1]", "BEGIN\ntransaction:t\n\n@COMMIT\ntransaction:t\n\n@COMMIT\ntransaction:t\n\n@", error()},
        {all, "ABORT without transaction", "[STOMP12-ABORT-1]", "ABORT\nreceipt:r\n\n@", refused()},
        {all, "ABORT of an unknown transaction", "[STOMP12-ABORT-1]", "ABORT\ntransaction:u\nreceipt:r\n\n@", refused()},
        {all, "COMMIT behind ABORT", "[STOMP12-ABORT-1]", "BEGIN\ntransaction:t\n\n@ABORT\ntransaction:t\n\n@COMMIT\ntransaction:t\n\n@", error()},
        {all, "ACK in an unknown transaction", "[STOMP12-ACK-2]", "ACK\nid:1-1-1\nmessage-id:1-1-1\nsubscription:1\ntransaction:u\n\n@", error()},
        {all, "DISCONNECT", "[STOMP12-DISCONNECT-2]", "DISCONNECT\nreceipt:77\n\n@", {.answers = {like("RECEIPT\nreceipt-id:77\n\n\0"s)}}},
        {all, "DISCONNECT without a word", "[STOMP12-DISCONNECT-2]", "DISCONNECT\n\n@", {}},
        {all, "frames behind DISCONNECT", "[STOMP12-DISCONNECT-1]",
         "DISCONNECT\nreceipt:77\n\n@SEND\ndestination:/topic/a\nreceipt:late\n\nx@NONSENSE\n\n@", {.answers = {like("RECEIPT\nreceipt-id:77\n\n\0"s)}}},
        {all, "DISCONNECT with an open transaction", "[STOMP12-BEGIN-3]",
         "BEGIN\ntransaction:t\n\n@SEND\ndestination:/topic/w\ntransaction:t\n\nx@DISCONNECT\nreceipt:1\n\n@",
         {.answers = {like("RECEIPT\nreceipt-id:1\n\n\0"s)}}},
    };
}

std::vector<scenario> stomp_table() {
    std::vector<scenario> table;
    const auto add = [&](const row& r, std::string_view version) {
        scenario s{.name = std::string{version.empty() ? "-" : version} + " " + r.name,
                   .rule = r.rule,
                   .send = bytes_of(r.send),
                   .answers = r.then.answers,
                   .end = r.then.end};
        if (!version.empty()) {
            s.before.push_back({.send = "CONNECT\naccept-version:" + std::string{version} + "\nhost:h\n\n\0"s,
                                .answers = {like("CONNECTED\nversion:" + std::string{version} + "\n*\n\n\0"s)}});
        }
        table.push_back(std::move(s));
    };
    for (const auto& r : before_connect()) add(r, "");
    for (const auto& rows : {framing(), semantics()}) {
        for (const auto& r : rows) {
            for (const auto& [bit, name] : versions) {
                if ((r.versions & bit) != 0) add(r, name);
            }
        }
    }
    return table;
}

// Server frames, heart-beats left out; what is incomplete is the last piece.
std::vector<std::string> frames_of(std::string_view bytes) {
    std::vector<std::string> frames;
    while (!bytes.empty()) {
        if (bytes.front() == '\n') {
            bytes.remove_prefix(1);
            continue;
        }
        const auto head = bytes.find("\n\n");
        auto size = bytes.size();
        if (head != std::string_view::npos) {
            std::size_t body = 0;
            const auto length = bytes.substr(0, head).find("\ncontent-length:");
            if (length != std::string_view::npos) {
                (void)std::from_chars(bytes.data() + length + 16, bytes.data() + head, body);
                size = head + 2 + body + 1;
            } else {
                size = bytes.find('\0', head) + 1; // npos + 1: nothing
                if (size == 0) size = bytes.size();
            }
        }
        frames.emplace_back(bytes.substr(0, size));
        bytes.remove_prefix(std::min(size, bytes.size()));
    }
    return frames;
}

} // namespace

std::string like(std::string_view bytes) {
    std::string pattern;
    for (std::size_t at = 0; at != bytes.size();) {
        const auto star = std::min(bytes.find('*', at), bytes.size());
        if (star == at) {
            pattern += "* ";
            ++at;
        } else {
            pattern += to_hex(bytes.substr(at, star - at)) + ' ';
            at = star;
        }
    }
    return pattern;
}

limits stomp_corpus_limits() {
    limits bounds;
    bounds.stomp_header_line_max = line_max;
    bounds.stomp_headers_max = headers_max;
    bounds.max_message_bytes = message_max;
    bounds.connect_bytes_max = connect_max;
    bounds.max_client_id_bytes = 256;
    bounds.stomp_transactions_max = 2;
    bounds.stomp_transaction_frames_max = 4;
    return bounds;
}

dialect stomp_dialect() {
    return {.name = "STOMP",
            .subprotocol = "v12.stomp",
            .listener = "stomp",
            .split = frames_of,
            .probe = {"BEGIN\ntransaction:probe\nreceipt:probe\n\n\0"s, {like("RECEIPT\nreceipt-id:probe\n\n\0"s)}},
            .witness_hello = {"CONNECT\naccept-version:1.2\nhost:h\n\n\0SUBSCRIBE\nid:w\ndestination:/topic/w\nreceipt:s\n\n\0"s,
                              {like("CONNECTED\n*\n\n\0"s), like("RECEIPT\nreceipt-id:s\n\n\0"s)}},
            .witness_round = {"SEND\ndestination:/topic/w\nreceipt:w\n\nround\0"s,
                              {like("MESSAGE\nsubscription:w\n*\n\nround\0"s), like("RECEIPT\nreceipt-id:w\n\n\0"s)}},
            .table = stomp_table(),
            .varies = [](std::string_view got) { return got.starts_with("CONNECTED"); }, // the session's name
            .settings = {"BROKERD__STOMP__HEADER_LINE=512B", "BROKERD__STOMP__MAX_HEADERS=16", "BROKERD__LIMITS__MAX_MESSAGE=64KiB",
                         "BROKERD__LIMITS__CONNECT_BYTES=2KiB", "BROKERD__LIMITS__MAX_CLIENT_ID=256B",
                         "BROKERD__STOMP__MAX_TRANSACTIONS=2", "BROKERD__STOMP__TRANSACTION_FRAMES=4"}};
}

} // namespace broker::test
