#include "cli/bench/options.hpp"

#include "cli/bench/stamp.hpp"

#include <fmt/format.h>

#include <array>
#include <random>
#include <stdexcept>
#include <string_view>

namespace broker::cli::bench {

namespace {

constexpr std::size_t clients_max = 1'000'000;
constexpr std::size_t links_max = 10'000'000; // publishers times subscribers: 8 bytes each
constexpr std::size_t payload_max = 256 * 1024 * 1024 - 1024;

struct scheme {
    std::string_view name;
    bool websocket;
    bool tls;
    std::string_view port; // empty: must be said
};
constexpr std::array<scheme, 8> schemes{{{"ws", true, false, "8083"},
                                         {"wss", true, true, "8084"},
                                         {"mqtt", false, false, "1883"},
                                         {"mqtts", false, true, "8883"},
                                         {"stomp", false, false, "61613"},
                                         {"stomps", false, true, "61614"},
                                         {"tcp", false, false, ""},
                                         {"tls", false, true, ""}}};

[[noreturn]] void wrong(const std::string& why) { throw std::invalid_argument{why}; }

protocol protocol_of(const options& o) {
    const bool stomp_port = o.to.scheme.starts_with("stomp");
    const bool mqtt_port = o.to.scheme.starts_with("mqtt");
    const auto& named = o.protocol_name;
    if ((named == "stomp" && mqtt_port) || (named.starts_with("mqtt") && stomp_port)) {
        wrong(fmt::format("--protocol {} does not go with {}://", named, o.to.scheme));
    }
    if (named == "stomp" || stomp_port) return protocol::stomp;
    return named == "mqtt311" ? protocol::mqtt311 : protocol::mqtt5;
}

} // namespace

target target_of(const std::string& url) {
    const auto wants = fmt::format("{}: write ws://HOST:PORT/PATH, or wss, mqtt, mqtts, stomp, stomps, tcp, tls instead of ws", url);
    const std::string_view all{url};
    const auto colon = all.find("://");
    if (colon == std::string_view::npos) wrong(wants);
    for (const auto& s : schemes) {
        if (s.name != all.substr(0, colon)) continue;
        target made{.scheme = std::string{s.name}, .websocket = s.websocket, .tls = s.tls};
        auto rest = all.substr(colon + 3);
        if (const auto slash = rest.find('/'); slash != std::string_view::npos) {
            if (!s.websocket && slash + 1 != rest.size()) wrong(fmt::format("{}: a path is for ws:// and wss:// only", url));
            made.path = rest.substr(slash);
            rest = rest.substr(0, slash);
        }
        const auto bracket = rest.find(']'); // of an IPv6 address
        const auto port = rest.find(':', bracket == std::string_view::npos ? 0 : bracket);
        made.host = rest.substr(0, port);
        made.port = port == std::string_view::npos ? s.port : rest.substr(port + 1);
        if (made.host.starts_with('[') && made.host.ends_with(']')) made.host = made.host.substr(1, made.host.size() - 2);
        const bool number = !made.port.empty() && made.port.size() <= 5 && made.port.find_first_not_of("0123456789") == std::string::npos;
        if (made.host.empty() || !number || url.find_first_of(" \r\n\t") != std::string::npos) wrong(wants);
        return made;
    }
    wrong(wants);
}

options checked(options o) {
    o.to = target_of(o.url);
    o.speaks = protocol_of(o);
    o.run = std::random_device{}() & 0xFF'FFFF;
    o.subscribes = o.what != verb::conn || !o.topic.empty();
    if (o.topic.empty()) o.topic = fmt::format("bench/{:06x}", o.run);
    if (o.topic.find_first_of("+#*>") != std::string::npos) wrong(fmt::format("--topic {}: a topic without wildcards", o.topic));
    switch (o.what) {
    case verb::conn:
        o.subscribing = o.clients == 0 ? 1'000 : o.clients;
        if (o.window == 0) o.window = 100;
        break;
    case verb::pub: o.publishing = o.clients == 0 ? 10 : o.clients; break;
    case verb::fanout:
        o.publishing = o.publishers;
        o.subscribing = o.subscribers;
        break;
    case verb::pairs: o.publishing = o.subscribing = o.clients == 0 ? 100 : o.clients; break;
    case verb::latency:
        o.publishing = o.subscribing = o.clients == 0 ? 1 : o.clients;
        if (o.rate == 0) o.rate = 1'000;
        break;
    }
    if (o.window == 0) o.window = 32;
    if (o.connections() > clients_max) wrong(fmt::format("{} connections: at most {}", o.connections(), clients_max));
    if (o.what == verb::fanout && o.publishing * o.subscribing > links_max) {
        wrong(fmt::format("{} publishers times {} subscribers: at most {}", o.publishing, o.subscribing, links_max));
    }
    if (o.payload_bytes < stamp_size || o.payload_bytes > payload_max) {
        wrong(fmt::format("--payload {}: {} to {} bytes; the first {} say which message it is and when it was due", o.payload_bytes,
                          stamp_size, payload_max, stamp_size));
    }
    if (o.speaks == protocol::stomp && o.qos == 2) wrong("--qos 2: STOMP has receipts and ack:client-individual, which is --qos 1");
    if (o.insecure && !o.ca_file.empty()) wrong("--insecure and --ca: one of them");
    if (!o.to.tls && (o.insecure || !o.ca_file.empty())) wrong(fmt::format("--insecure and --ca are for TLS; {}:// is without", o.to.scheme));
    if (!o.password.empty() && !o.token.empty()) wrong("a password and a token: one of them");
    if (!o.password.empty() && o.user.empty()) wrong("a password is somebody's: --user NAME");
    if (o.threads > o.connections()) o.threads = o.connections();
    return o;
}

} // namespace broker::cli::bench
