// GET /metrics: the Prometheus text format, built from one status per scrape.
#include "admin/registry.hpp"

#include <prometheus/client_metric.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <fmt/format.h>

#include <filesystem>
#include <fstream>

#include <sys/resource.h>
#include <unistd.h>

namespace broker::admin {

namespace {

using label = prometheus::ClientMetric::Label;

class collection {
public:
    void value(const char* name, const char* help, prometheus::MetricType type, double v, std::vector<label> labels = {}) {
        auto& f = family(name, help, type);
        prometheus::ClientMetric m;
        m.label = std::move(labels);
        if (type == prometheus::MetricType::Counter) m.counter.value = v;
        else m.gauge.value = v;
        f.metric.push_back(std::move(m));
    }
    void histogram_of(const char* name, const char* help, const histogram& h, std::vector<label> labels = {}) {
        auto& f = family(name, help, prometheus::MetricType::Histogram);
        prometheus::ClientMetric m;
        m.label = std::move(labels);
        std::uint64_t sum = 0;
        for (std::size_t i = 0; i != h.counts.size(); ++i) {
            sum += h.counts[i];
            m.histogram.bucket.push_back(
                {sum, i == h.bounds.size() ? std::numeric_limits<double>::infinity() : h.bounds[i]});
        }
        m.histogram.sample_count = sum;
        m.histogram.sample_sum = h.sum;
        f.metric.push_back(std::move(m));
    }
    [[nodiscard]] std::string text() const { return prometheus::TextSerializer{}.Serialize(families_); }

private:
    prometheus::MetricFamily& family(const char* name, const char* help, prometheus::MetricType type) {
        for (auto& f : families_) {
            if (f.name == name) return f;
        }
        prometheus::MetricFamily made;
        made.name = name;
        made.help = help;
        made.type = type;
        families_.push_back(std::move(made));
        return families_.back();
    }
    std::vector<prometheus::MetricFamily> families_;
};

constexpr auto counter = prometheus::MetricType::Counter;
constexpr auto gauge = prometheus::MetricType::Gauge;
constexpr std::array<const char*, protocol_kinds> protocol_names{"mqtt", "stomp", "none"};
constexpr std::array<const char*, drop_reasons> drop_names{"queue_full", "expired",      "no_subscriber", "too_big",
                                                           "no_local",   "disconnected", "storage",       "acl",
                                                           "rejected",   "administrator"};

void process_series(collection& c) {
    std::ifstream stat{"/proc/self/stat"};
    std::string text{std::istreambuf_iterator<char>{stat}, {}};
    const auto behind_name = text.rfind(')');
    if (behind_name != std::string::npos) {
        std::istringstream fields{text.substr(behind_name + 2)};
        std::vector<std::string> f{std::istream_iterator<std::string>{fields}, {}};
        if (f.size() > 21) {
            const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
            c.value("process_cpu_seconds_total", "CPU time.", counter, (std::stod(f[11]) + std::stod(f[12])) / ticks);
            c.value("process_virtual_memory_bytes", "Virtual memory.", gauge, std::stod(f[20]));
            c.value("process_resident_memory_bytes", "Resident memory.", gauge,
                    std::stod(f[21]) * static_cast<double>(sysconf(_SC_PAGESIZE)));
            // Ticks since boot; what /proc/stat calls btime is the boot in epoch seconds.
            std::ifstream boot{"/proc/stat"};
            for (std::string line; std::getline(boot, line);) {
                if (!line.starts_with("btime ")) continue;
                c.value("process_start_time_seconds", "Start, epoch seconds.", gauge,
                        std::stod(line.substr(6)) + std::stod(f[19]) / ticks);
            }
        }
    }
    std::error_code ec;
    const std::filesystem::directory_iterator open{"/proc/self/fd", ec};
    c.value("process_open_fds", "Open descriptors.", gauge, static_cast<double>(std::distance(begin(open), end(open))));
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
        c.value("process_max_fds", "Most descriptors it may open.", gauge, static_cast<double>(files.rlim_cur));
    }
}

response metrics(node& on, const request&) {
    const auto s = on.get_status();
    if (!s) return problem(s.error());
    collection c;
    const auto n = [](auto v) { return static_cast<double>(v); };
    c.value("broker_build_info", "1, with the version.", gauge, 1, {{"version", s->version}});
    for (std::size_t p = 0; p != 2; ++p) {
        const std::vector<label> by{{"protocol", protocol_names[p]}};
        c.value("broker_connections", "Open connections.", gauge, n(s->sums.connections[p]), by);
        c.value("broker_connections_opened_total", "Connections opened.", counter, n(s->sums.connections_opened[p]), by);
        c.value("broker_clients", "Clients whose CONNECT was accepted.", gauge, n(counters::at_least_zero(s->sums.clients[p])), by);
        c.value("broker_connects_received_total", "CONNECT packets and frames.", counter, n(s->sums.connects_received[p]), by);
        c.value("broker_packets_received_total", "MQTT packets, STOMP frames.", counter, n(s->sums.packets_received[p]), by);
        c.value("broker_packets_sent_total", "MQTT packets, STOMP frames.", counter, n(s->sums.packets_sent[p]), by);
        for (std::size_t r = 0; r != s->sums.connections_closed[p].size(); ++r) {
            if (s->sums.connections_closed[p][r] == 0) continue;
            c.value("broker_connections_closed_total", "Connections closed, by reason.", counter,
                    n(s->sums.connections_closed[p][r]),
                    {{"protocol", protocol_names[p]}, {"reason", std::string{token(static_cast<close_cause>(r))}}});
        }
        for (std::size_t q = 0; q != 3; ++q) {
            const std::vector<label> with_qos{{"protocol", protocol_names[p]}, {"qos", std::to_string(q)}};
            c.value("broker_messages_received_total", "Publications received.", counter, n(s->sums.messages_received[p][q]), with_qos);
            c.value("broker_messages_sent_total", "Deliveries sent.", counter, n(s->sums.messages_sent[p][q]), with_qos);
        }
        c.value("broker_message_bytes_total", "Payload bytes.", counter, n(s->sums.message_bytes_received[p]),
                {{"direction", "in"}, {"protocol", protocol_names[p]}});
        c.value("broker_message_bytes_total", "Payload bytes.", counter, n(s->sums.message_bytes_sent[p]),
                {{"direction", "out"}, {"protocol", protocol_names[p]}});
    }
    c.value("broker_sockets_opened_total", "Sockets accepted.", counter, n(s->sums.sockets_opened));
    for (std::size_t r = 0; r != s->sums.connect_rejected.size(); ++r) {
        if (s->sums.connect_rejected[r] == 0) continue;
        c.value("broker_connect_rejected_total", "Refused connections.", counter, n(s->sums.connect_rejected[r]),
                {{"reason", std::string{token(static_cast<close_cause>(r))}}});
    }
    for (const auto& l : s->listeners) {
        c.value("broker_listener_connections", "Open connections of a listener.", gauge, n(l.connections), {{"listener", l.name}});
        if (l.certificates.empty()) continue;
        auto ends = never;
        for (const auto& one : l.certificates) ends = std::min(ends, one.not_after);
        c.value("broker_tls_cert_expiry_timestamp_seconds", "When the first of its certificates ends.", gauge, n(epoch_ms(ends)) / 1e3, {{"listener", l.name}});
        c.value("broker_tls_handshakes_under_way", "TLS handshakes that are not over.", gauge, n(l.handshakes_under_way), {{"listener", l.name}});
        c.value("broker_tls_handshakes_total", "TLS handshakes.", counter, n(l.handshakes - l.handshakes_resumed), {{"listener", l.name}, {"result", "full"}});
        c.value("broker_tls_handshakes_total", "TLS handshakes.", counter, n(l.handshakes_resumed), {{"listener", l.name}, {"result", "resumed"}});
        c.value("broker_tls_handshakes_total", "TLS handshakes.", counter, n(l.handshakes_failed), {{"listener", l.name}, {"result", "failed"}});
    }
    c.value("broker_bans", "Addresses, users and client ids that are banned.", gauge, n(s->bans));
    c.value("broker_ws_handshake_failed_total", "Refused WebSocket handshakes.", counter, n(s->sums.ws_handshake_failed));
    for (std::size_t r = 0; r != drop_reasons; ++r) {
        c.value("broker_messages_dropped_total", "Messages not delivered, by reason.", counter,
                n(s->sums.messages_dropped[r]), {{"reason", drop_names[r]}});
    }
    for (std::size_t l = 0; l != limit_kinds; ++l) {
        c.value("broker_limit_refusals_total", "Requests refused because a limit is reached.", counter, n(s->sums.refused[l]),
                {{"limit", std::string{key(static_cast<limit_kind>(l))}}});
    }
    for (const auto l : {limit_kind::publish_rate, limit_kind::user_publish_rate}) {
        c.value("broker_rate_limited_total", "Times a client published more than its rates allow.", counter, n(s->sums.refused[static_cast<std::size_t>(l)]),
                {{"limit", std::string{key(l)}}});
    }
    c.value("broker_stomp_headers_altered_total",
            "Headers a STOMP receiver's version or the protocol cannot express: replaced in part or left out.", counter,
            n(s->sums.stomp_headers_altered));
    c.value("broker_network_bytes_total", "Bytes on sockets.", counter, n(s->sums.network_bytes_received), {{"direction", "in"}});
    c.value("broker_network_bytes_total", "Bytes on sockets.", counter, n(s->sums.network_bytes_sent), {{"direction", "out"}});
    const auto compressed = [&](const char* direction, std::uint64_t on_the_wire, std::uint64_t plain) {
        c.value("broker_ws_compressed_bytes_total", "Bytes of WebSocket messages that were compressed, on the wire.", counter, n(on_the_wire),
                {{"direction", direction}});
        c.value("broker_ws_uncompressed_bytes_total", "Bytes of the same messages without compression.", counter, n(plain), {{"direction", direction}});
    };
    compressed("in", s->compressed.received_compressed, s->compressed.received_plain);
    compressed("out", s->compressed.sent_compressed, s->compressed.sent_plain);
    c.value("broker_sessions", "Sessions.", gauge, n(s->sessions_online), {{"state", "connected"}});
    c.value("broker_sessions", "Sessions.", gauge, n(s->sessions_offline), {{"state", "offline"}});
    c.value("broker_shared_passed_on_total", "Messages that went from one member of a shared group to another.", counter,
            n(s->sums.shared_passed_on));
    c.value("broker_sessions_expired_total", "Sessions that ended by expiry.", counter, n(s->sums.sessions_expired));
    c.value("broker_subscriptions", "Subscriptions.", gauge, n(s->subscriptions), {{"kind", "plain"}});
    c.value("broker_subscriptions", "Subscriptions.", gauge, n(s->shared_subscriptions), {{"kind", "shared"}});
    c.value("broker_retained_messages", "Retained messages.", gauge, n(s->retained_messages));
    c.value("broker_retained_bytes", "Memory of retained messages.", gauge, n(s->retained_bytes));
    c.value("broker_session_queue_messages", "Messages owed to sessions.", gauge, n(s->session_queue_messages));
    for (const auto& [name, messages] : s->declared_queues) {
        c.value("broker_queue_messages", "Messages in declared queues.", gauge, n(messages), {{"queue", name}});
    }
    c.value("broker_dead_letters_total", "Messages moved to dead-letter queues.", counter, n(s->sums.dead_lettered));
    c.value("broker_slow_consumers", "Connections over their outbox limit.", gauge, n(s->sums.slow_consumers));
    c.histogram_of("broker_store_commit_seconds", "One group commit: write, sync, loads.", s->store_commit_seconds);
    c.histogram_of("broker_store_fsync_seconds", "Synced writes.", s->store_fsync_seconds);
    c.histogram_of("broker_store_batch_messages", "Operations per group commit.", s->store_batch_messages);
    c.value("broker_store_failed", "1 while durable publications are refused.", gauge, s->store_failed ? 1 : 0);
    for (const auto& l : s->logins) {
        c.value("broker_auth_total", "Logins, by the method that decided and what came of them.", counter, n(l.times),
                {{"method", std::string{l.method}}, {"result", std::string{l.result}}});
    }
    c.value("broker_jwks_fetches_total", "Fetches of auth.jwt.jwks_url.", counter, n(s->jwks_fetched), {{"result", "ok"}});
    c.value("broker_jwks_fetches_total", "Fetches of auth.jwt.jwks_url.", counter, n(s->jwks_failed), {{"result", "failed"}});
    for (const auto& [result, times] : s->auth_hook) {
        c.value("broker_hook_requests_total", "Questions to hooks, and what came of them.", counter, n(times), {{"hook", "auth"}, {"result", std::string{result}}});
    }
    c.histogram_of("broker_hook_seconds", "Requests to hooks.", s->auth_hook_seconds, {{"hook", "auth"}});
    for (const auto& a : s->alarms) {
        c.value("broker_alarms", "1 for every alarm that is raised.", gauge, 1, {{"name", a.name}});
    }
    process_series(c);
    return {.content_type = "text/plain; version=0.0.4", .body = c.text()};
}

} // namespace

void add_metrics(registry& to) { to.add("GET", "/metrics", metrics); }

} // namespace broker::admin
