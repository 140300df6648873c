// exchange: a conversation of several clients with one node, one line a step, run for each version of STOMP: on engines and a
// store on a fake clock (exchange_on_node.cpp), and those rows that need neither with a running brokerd
// (tests/conformance/exchange_on_server.cpp).
//
//   "a: SEND\ndestination:/topic/a\n\nx"   client a sends a frame (the NUL is added; '@' is a NUL inside)
//   "a> MESSAGE\n*\n\nx"                   the next frame a got; '*' any bytes (NUL added)
//   "a! protocol_error"                    the next frame a got is an ERROR with this code, the last, and a is closed
//   "a."                                   a has got nothing more
//   "a/"                                   a's transport is gone, without a goodbye
//   "m: 30: 'a' [] 68"                     an MQTT client sends (support/wire.hpp); m to p speak version 5, q to t 3.1.1
//   "m= 30: 'a' [] 68"                     the next packet it got; "m> 30 .. 00 *": as a pattern in hex
//   "+10s"                                 time passes
//   "hold", "commit", "crash"              the store: nothing becomes durable, all does, the process dies and recovers
//
// A client connects when it is first mentioned, unless what it sends is its own CONNECT or STOMP. Inside a line:
//   {v}          the version                     {ack}        "ack:*\n" where MESSAGE has that header
//   {ACK 2}      "ACK\n" and the headers that acknowledge the second MESSAGE the client got; {NACK 2} likewise
//   {reply 1}    the reply-to header of the first MESSAGE      {now+5000}   epoch milliseconds
#pragma once

#include "core/limits.hpp"
#include "core/time.hpp"

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace broker::test {

inline constexpr unsigned v10 = 1;
inline constexpr unsigned v11 = 2;
inline constexpr unsigned v12 = 4;
inline constexpr unsigned v11_12 = v11 | v12;
inline constexpr unsigned every = v10 | v11_12;

struct exchange {
    unsigned versions = every;
    std::string name{}; // with the tag of the rule
    std::vector<std::string> script{};
    void (*bounds)(limits&) = nullptr; // other than the defaults
    bool dotted = false;
};

// Each for each of its versions.
void run(const std::vector<exchange>& table);

// One client's side of a connection.
class party {
public:
    virtual ~party() = default;
    virtual void send(std::string_view bytes) = 0;
    // Whole packets that came since, and all that what was sent so far leads to. `patient`: at least one, or the end.
    [[nodiscard]] virtual std::vector<std::string> take(bool patient) = 0;
    [[nodiscard]] virtual bool closed() = 0;
};

// Where clients connect to.
class venue {
public:
    virtual ~venue() = default;
    [[nodiscard]] virtual std::unique_ptr<party> join(bool is_mqtt) = 0; // before CONNECT
    [[nodiscard]] virtual time_point now() = 0;
    virtual void hold() {}
    virtual void commit() {}
    virtual void crash() {}
    virtual void advance(seconds) {}
};

void play(const exchange& e, std::string_view version, venue& at);

// Packets that are whole; `used` says how many bytes they are.
[[nodiscard]] std::vector<std::string> mqtt_packets(std::string_view bytes, std::size_t& used);
[[nodiscard]] std::vector<std::string> stomp_frames(std::string_view bytes, std::size_t& used);

// Lines of a script. Clients are named by a letter.
namespace script {

inline std::string subscribe(const std::string& who, const std::string& to, const std::string& more = "") {
    return who + ": SUBSCRIBE\nid:1\ndestination:" + to + "\n" + more + "\n";
}
inline std::string send(const std::string& who, const std::string& to, const std::string& body, const std::string& more = "") {
    return who + ": SEND\ndestination:" + to + "\n" + more + "\n" + body;
}
// MESSAGE of subscription 1: `own` before the destination, `more` behind it.
inline std::string message(const std::string& who, const std::string& from, const std::string& body,
                           const std::string& own = "", const std::string& more = "") {
    return who + "> MESSAGE\nsubscription:1\nmessage-id:*\n" + own + "destination:" + from + "\n" + more +
           "content-length:" + std::to_string(body.size()) + "\n\n" + body;
}
inline std::string receipt(const std::string& who, const std::string& id) {
    return who + "> RECEIPT\nreceipt-id:" + id + "\n\n";
}

} // namespace script

} // namespace broker::test
