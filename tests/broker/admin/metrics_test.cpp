// GET /metrics: names are a promise to dashboards.
#include "admin/registry.hpp"
#include "support/fake_node.hpp"

#include <doctest/doctest.h>

using namespace broker;
using namespace broker::admin;

namespace {

std::string scrape(test::fake_node& node) { return registry{}.run(node, {.method = "GET", .path = "/metrics"}).body; }

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

} // namespace

TEST_CASE("every series has HELP and TYPE") {
    test::fake_node node;
    const auto text = scrape(node);
    for (const auto* const name :
         {"broker_build_info", "broker_connections", "broker_connections_opened_total", "broker_ws_handshake_failed_total",
          "broker_sessions", "broker_sessions_expired_total", "broker_clients", "broker_connects_received_total",
          "broker_packets_received_total", "broker_packets_sent_total", "broker_sockets_opened_total", "broker_subscriptions", "broker_retained_messages", "broker_retained_bytes",
          "broker_messages_received_total", "broker_messages_sent_total", "broker_messages_dropped_total", "broker_limit_refusals_total",
          "broker_message_bytes_total", "broker_network_bytes_total", "broker_ws_compressed_bytes_total", "broker_ws_uncompressed_bytes_total", "broker_session_queue_messages", "broker_slow_consumers",
          "broker_store_commit_seconds", "broker_store_fsync_seconds", "broker_store_batch_messages", "broker_store_failed", "broker_rate_limited_total", "broker_jwks_fetches_total", "broker_hook_seconds",
          "process_cpu_seconds_total", "process_resident_memory_bytes", "process_virtual_memory_bytes",
          "process_start_time_seconds", "process_open_fds", "process_max_fds"}) {
        CAPTURE(name);
        CHECK(has(text, std::string{"# HELP "} + name + " "));
        CHECK(has(text, std::string{"# TYPE "} + name + " "));
    }
}

TEST_CASE("counters carry their labels; histograms are cumulative") {
    test::fake_node node;
    node.state.sums.connections[0] = 3;
    node.state.sums.messages_received[1][2] = 9;
    node.state.sums.connections_closed[0][static_cast<std::size_t>(close_cause::taken_over)] = 4;
    node.state.sums.messages_dropped[0] = 5;
    node.state.sums.refuse(limit_kind::retained_bytes);
    node.state.store_failed = true;
    node.state.jwks_failed = 6;
    node.state.compressed = {.received_compressed = 11, .received_plain = 12, .sent_compressed = 13, .sent_plain = 14};
    node.state.auth_hook = {{"allow", 7}};
    node.state.logins = {{.method = "jwt", .result = "expired", .times = 8}, {.method = "none", .result = "denied", .times = 0}};
    node.state.sums.refuse(limit_kind::user_publish_rate);
    node.state.alarms = {{.name = "disk_full", .detail = "no room"}};
    node.state.store_commit_seconds = {.bounds = {0.1, 1}, .counts = {2, 3, 4}, .sum = 12};
    const auto text = scrape(node);
    CHECK(has(text, "broker_connections{protocol=\"mqtt\"} 3"));
    CHECK(has(text, "broker_messages_received_total{protocol=\"stomp\",qos=\"2\"} 9"));
    CHECK(has(text, "broker_connections_closed_total{protocol=\"mqtt\",reason=\"taken_over\"} 4"));
    CHECK(has(text, "broker_messages_dropped_total{reason=\"queue_full\"} 5"));
    CHECK(has(text, "broker_limit_refusals_total{limit=\"limits.retained.bytes\"} 1"));
    CHECK(has(text, "broker_limit_refusals_total{limit=\"mqtt.receive_maximum\"} 0"));
    CHECK(has(text, "broker_store_failed 1"));
    CHECK(has(text, "broker_ws_compressed_bytes_total{direction=\"in\"} 11"));
    CHECK(has(text, "broker_ws_uncompressed_bytes_total{direction=\"in\"} 12"));
    CHECK(has(text, "broker_ws_compressed_bytes_total{direction=\"out\"} 13"));
    CHECK(has(text, "broker_ws_uncompressed_bytes_total{direction=\"out\"} 14"));
    CHECK(has(text, "broker_hook_requests_total{hook=\"auth\",result=\"allow\"} 7"));
    CHECK(has(text, "broker_auth_total{method=\"jwt\",result=\"expired\"} 8"));
    CHECK(has(text, "broker_auth_total{method=\"none\",result=\"denied\"} 0"));
    CHECK(has(text, "broker_rate_limited_total{limit=\"limits.per_user.publish_rate\"} 1"));
    CHECK(has(text, "broker_rate_limited_total{limit=\"limits.per_client.publish_rate\"} 0"));
    CHECK(has(text, "broker_jwks_fetches_total{result=\"failed\"} 6"));
    CHECK(has(text, "broker_alarms{name=\"disk_full\"} 1"));
    CHECK(has(text, "broker_store_commit_seconds_bucket{le=\"0.1\"} 2"));
    CHECK(has(text, "broker_store_commit_seconds_bucket{le=\"1\"} 5"));
    CHECK(has(text, "broker_store_commit_seconds_bucket{le=\"+Inf\"} 9"));
    CHECK(has(text, "broker_store_commit_seconds_count 9"));
}
