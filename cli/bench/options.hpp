// options: what brokerctl bench is asked to do.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace broker::cli::bench {

enum class verb : std::uint8_t { conn, pub, fanout, pairs, latency };
enum class protocol : std::uint8_t { mqtt311, mqtt5, stomp };

[[nodiscard]] constexpr const char* name(verb v) {
    switch (v) {
    case verb::conn: return "conn";
    case verb::pub: return "pub";
    case verb::fanout: return "fanout";
    case verb::pairs: return "pairs";
    case verb::latency: return "latency";
    }
    return "";
}

[[nodiscard]] constexpr const char* name(protocol p) {
    switch (p) {
    case protocol::mqtt311: return "mqtt311";
    case protocol::mqtt5: return "mqtt5";
    case protocol::stomp: return "stomp";
    }
    return "";
}

struct target {
    std::string scheme{};
    bool websocket = false;
    bool tls = false;
    std::string host{};
    std::string port{};
    std::string path = "/";
};

struct options {
    verb what = verb::fanout;
    std::string url{};
    std::string protocol_name{}; // empty: by the URL
    std::size_t clients = 0;     // conn, pub: clients; pairs, latency: pairs; 0: the verb's default
    std::size_t publishers = 1;  // fanout
    std::size_t subscribers = 100;
    std::size_t payload_bytes = 128;
    int qos = 0;
    double rate = 0;         // messages (conn: connections) per second, all together; 0: as many as the window lets
    std::size_t window = 0;  // 0: the verb's default
    std::chrono::milliseconds duration{10'000};
    std::chrono::milliseconds patience{5'000}; // for one connection to be ready
    std::string topic{};     // empty: bench/ and a number of this run
    std::string user{};
    std::string password{};
    std::string token{};     // WebSocket: Authorization: Bearer; else the password
    bool insecure = false;
    std::string ca_file{};
    std::size_t threads = 1;
    bool as_json = false;

    // Set by checked().
    target to{};
    protocol speaks = protocol::mqtt5;
    std::size_t publishing = 0;
    std::size_t subscribing = 0; // conn: how many connect
    bool subscribes = false;     // conn: to a topic of its own
    std::uint32_t run = 0;       // 24 bits, in every payload

    [[nodiscard]] bool has_pairs() const { return what == verb::pairs || what == verb::latency; }
    [[nodiscard]] std::size_t connections() const { return publishing + subscribing; }
    // How many subscribers get a publisher's message.
    [[nodiscard]] std::size_t receivers() const { return what == verb::fanout ? subscribing : has_pairs() ? 1 : 0; }
};

// scheme://HOST[:PORT][/PATH], with ws, wss, mqtt, mqtts, stomp, stomps, tcp or tls. Throws std::invalid_argument, one line.
[[nodiscard]] target target_of(const std::string& url);

// Defaults filled in and what does not fit together refused. Throws std::invalid_argument, one line.
[[nodiscard]] options checked(options asked);

} // namespace broker::cli::bench
