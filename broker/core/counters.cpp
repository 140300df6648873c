#include "core/counters.hpp"

#include <type_traits>

namespace broker {

void counters::add(const counters& other) {
    // All members are the same integer type: the struct is an array of counts.
    static_assert(std::is_trivially_copyable_v<counters> && sizeof(counters) % sizeof(count) == 0);
    auto* to = reinterpret_cast<count*>(this);
    const auto* from = reinterpret_cast<const count*>(&other);
    for (std::size_t i = 0; i != sizeof(counters) / sizeof(count); ++i) to[i] += from[i];
}

std::string_view key(limit_kind which) {
    switch (which) {
    case limit_kind::connections: return "limits.max_connections";
    case limit_kind::sessions: return "limits.max_sessions";
    case limit_kind::subscriptions: return "limits.max_subscriptions";
    case limit_kind::subscriptions_per_client: return "limits.max_subscriptions_per_client";
    case limit_kind::queues: return "limits.max_queues";
    case limit_kind::queue_messages: return "limits.queue.messages";
    case limit_kind::queue_bytes: return "limits.queue.bytes";
    case limit_kind::retained_messages: return "limits.retained.messages";
    case limit_kind::retained_bytes: return "limits.retained.bytes";
    case limit_kind::connect_bytes: return "limits.connect_bytes";
    case limit_kind::message_bytes: return "limits.max_message";
    case limit_kind::topic_levels: return "limits.max_topic_levels";
    case limit_kind::topic_bytes: return "limits.max_topic_bytes";
    case limit_kind::properties: return "limits.max_properties";
    case limit_kind::client_id: return "limits.max_client_id";
    case limit_kind::receive_maximum: return "mqtt.receive_maximum";
    case limit_kind::topic_aliases: return "mqtt.topic_alias_maximum";
    case limit_kind::header_line: return "stomp.header_line";
    case limit_kind::headers: return "stomp.max_headers";
    case limit_kind::transactions: return "stomp.max_transactions";
    case limit_kind::transaction_frames: return "stomp.transaction_frames";
    case limit_kind::transaction_bytes: return "stomp.transaction_bytes";
    case limit_kind::transaction_age: return "stomp.transaction_age";
    case limit_kind::listener_connections: return "listener.max_connections";
    case limit_kind::connections_per_address: return "limits.per_ip.connections";
    case limit_kind::connections_per_user: return "limits.per_user.connections";
    case limit_kind::publish_rate: return "limits.per_client.publish_rate";
    case limit_kind::user_publish_rate: return "limits.per_user.publish_rate";
    }
    return "";
}

} // namespace broker
