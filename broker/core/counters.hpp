// counters: one shard's plain numbers. Only its shard writes them; a reader asks the shard for a copy and sums.
#pragma once

#include "core/close_reason.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace broker {

enum class protocol_kind : std::uint8_t { mqtt, stomp, none };
inline constexpr std::size_t protocol_kinds = 3;

enum class drop_reason : std::uint8_t { queue_full, expired, no_subscriber, too_big, no_local, disconnected, storage, acl, rejected, administrator };
inline constexpr std::size_t drop_reasons = 10;

// Limits that are answered with a refusal; what a full session drops is a drop_reason.
enum class limit_kind : std::uint8_t {
    connections,
    sessions,
    subscriptions,
    subscriptions_per_client,
    queues,
    queue_messages,
    queue_bytes,
    retained_messages,
    retained_bytes,
    connect_bytes,
    message_bytes,
    topic_levels,
    topic_bytes,
    properties,
    client_id,
    receive_maximum,
    topic_aliases,
    header_line,
    headers,
    transactions,
    transaction_frames,
    transaction_bytes,
    transaction_age,
    listener_connections,
    connections_per_address,
    connections_per_user,
    publish_rate,
    user_publish_rate,
};
inline constexpr std::size_t limit_kinds = 28;

// The configuration's key, also the `limit` label of metrics.
[[nodiscard]] std::string_view key(limit_kind which);

struct counters {
    using count = std::uint64_t;

    std::array<count, protocol_kinds> connections{}; // gauge: open now
    std::array<count, protocol_kinds> connections_opened{};
    std::array<count, protocol_kinds> clients{};           // gauge: of these, CONNECT was accepted
    std::array<count, protocol_kinds> connects_received{}; // CONNECT packets and frames
    std::array<count, protocol_kinds> packets_received{};  // MQTT control packets, STOMP frames
    std::array<count, protocol_kinds> packets_sent{};
    count sockets_opened = 0; // accepted, whatever came of it
    std::array<std::array<count, close_causes>, protocol_kinds> connections_closed{}; // by close_cause
    std::array<count, close_causes> connect_rejected{};                               // by close_cause
    count ws_handshake_failed = 0;
    std::array<std::array<count, 3>, protocol_kinds> messages_received{}; // by QoS
    std::array<std::array<count, 3>, protocol_kinds> messages_sent{};
    std::array<count, drop_reasons> messages_dropped{};
    std::array<count, protocol_kinds> message_bytes_received{};
    std::array<count, protocol_kinds> message_bytes_sent{};
    count stomp_headers_altered = 0; // of MESSAGE frames: replaced in part or left out, for the receiver's version
    count dead_lettered = 0; // messages moved to a dead-letter queue
    count network_bytes_received = 0;
    count network_bytes_sent = 0;
    count slow_consumers = 0; // gauge: connections whose outbox is over its limit
    std::array<count, limit_kinds> refused{};
    count sessions_online = 0; // gauge
    count sessions_expired = 0;
    count shared_passed_on = 0; // messages that went from one member of a shared group to another
    // Gauges of what sessions are owed, sent and unacknowledged included. A session takes its share along when it moves:
    // one shard's number may wrap below zero, the sum is right.
    count owed_messages = 0;
    count owed_bytes = 0; // of the waiting ones

    // Gauges read from the shards at slightly different moments may add up to less than nothing.
    [[nodiscard]] static count at_least_zero(count sum) { return static_cast<std::int64_t>(sum) < 0 ? 0 : sum; }

    void add(const counters& other); // for sums over shards
    void refuse(limit_kind which) { ++refused[static_cast<std::size_t>(which)]; }
    void drop(drop_reason reason, count n = 1) { messages_dropped[static_cast<std::size_t>(reason)] += n; }
};

} // namespace broker
