// Every bound a peer can run into, with its default. Config keys `limits.*`, `ws.*`, `mqtt.*`, `stomp.*` set them.
#pragma once

#include "core/rate.hpp"
#include "core/time.hpp"

#include <cstddef>
#include <cstdint>
#include <string>

namespace broker {

// The most that limits.max_topic_levels may be: trees of topics are walked level by level on the stack.
inline constexpr std::size_t topic_levels_max = 1024;

// What a full queue does with one more message.
enum class overflow_policy : std::uint8_t {
    reject,      // refuse it
    drop_oldest, // take it, and drop the oldest of the lowest priority
    dead_letter, // take it into the dead-letter queue
};

struct limits {
    // Before a client is known
    std::size_t handshake_bytes_max = 16 * 1024;
    seconds handshake_timeout{10};
    seconds connect_timeout{10};                    // first packet after the handshake
    std::size_t connect_bytes_max = 16 * 1024;      // first packet: MQTT CONNECT (will included), STOMP CONNECT
    std::size_t max_connections = 200'000;
    std::size_t connections_per_address = 0;        // of IPv6, of a /64; 0: no bound
    rate accept_rate{};                             // beyond it new connections wait to be accepted
    std::size_t tls_handshakes_max = 1'000;         // under way at once on a listener; beyond it likewise

    // Per message
    std::size_t max_message_bytes = 4 * 1024 * 1024; // MQTT packet, STOMP frame, WebSocket message
    std::size_t max_topic_levels = 128;
    std::size_t max_topic_bytes = 4096;
    std::size_t max_properties_bytes = 64 * 1024;
    std::size_t stomp_header_line_max = 16 * 1024;
    std::size_t stomp_headers_max = 128;

    // Per client
    std::size_t max_subscriptions_per_client = 10'000;
    std::size_t max_client_id_bytes = 1024;
    std::uint16_t mqtt_receive_maximum = 1024;      // unacknowledged QoS > 0 publications we accept from a client
    std::uint16_t mqtt_max_inflight = 256;          // unacknowledged QoS > 0 deliveries we have towards a client
    std::uint16_t mqtt_topic_alias_maximum = 64;          // a client may use towards us
    std::uint16_t mqtt_outbound_topic_alias_maximum = 64; // we use towards a client that allows as many; 0: none
    std::string mqtt_shared_error{"discard"};       // or redeliver: what an error of a shared group's member does
    seconds mqtt_max_keep_alive{0};                 // 0: the client's wish stands
    seconds max_session_expiry{0};                  // 0: no bound
    std::uint16_t stomp_prefetch = 100;
    milliseconds stomp_heart_beat{10'000};          // what we offer
    milliseconds stomp_client_heart_beat{30'000};   // what we ask for: we beat, so that clients need not
    milliseconds stomp_heart_beat_grace{60'000};    // browsers let a hidden page's timers run once a minute
    std::size_t stomp_transactions_max = 16;        // open at once; the next two for all of them together
    std::size_t stomp_transaction_frames_max = 10'000;
    std::size_t stomp_transaction_bytes_max = 16 * 1024 * 1024;
    seconds stomp_transaction_age_max{600};
    std::size_t outbox_bytes_max = 4 * 1024 * 1024; // beyond it QoS 0 is dropped, QoS > 0 waits in the session
    seconds slow_consumer_timeout{30};              // no progress on a full socket for this long: closed
    seconds idle_timeout{120};                      // a silent WebSocket peer is pinged at half of it, closed at it; 0: off

    rate client_publish_rate{};
    rate client_publish_bytes{};
    std::string rate_action{"slow"};                // not read until it is within its rates again; or close

    // Per user, all his connections together
    std::size_t connections_per_user = 0;           // 0: no bound
    rate user_publish_rate{};
    rate user_publish_bytes{};

    // Who comes again and again. An amount of 0: not watched
    rate failed_logins{.amount = 100, .per = milliseconds{60'000}};
    rate flapping{};                                // connections of one address
    seconds ban_time{60};

    // Per session and per queue
    std::size_t session_queue_messages_max = 10'000;
    std::size_t session_queue_bytes_max = 64 * 1024 * 1024;
    std::string partial_subscriptions{"filter"};     // or refuse: of subscriptions whose topics are allowed in part
    std::string session_queue_policy{"drop-oldest"}; // or drop-new
    std::size_t session_memory_messages_max = 1'000; // head of the queue kept in memory
    std::size_t session_memory_bytes_max = 1024 * 1024;
    std::size_t queue_messages_max = 100'000;
    std::size_t queue_bytes_max = 1024ULL * 1024 * 1024;
    seconds queue_ttl{0};                            // 0: messages do not age
    overflow_policy queue_policy = overflow_policy::reject;
    std::string queue_dead_letter{"dlq.*"};          // '*' is the queue's name; empty: none
    std::uint32_t max_deliveries = 16;               // 0: no bound

    // Per process
    std::size_t max_sessions = 1'000'000;
    std::size_t max_subscriptions = 10'000'000;
    std::size_t max_queues = 10'000;
    std::size_t retained_messages_max = 1'000'000;
    std::size_t retained_bytes_max = 1024ULL * 1024 * 1024;
    std::size_t mailbox_items_max = 65'536;          // between two shards; beyond it publishers are not read
    std::size_t disk_free_min = 64 * 1024 * 1024;   // less room (or a tenth of it all): durable publications are refused
    std::size_t store_pending_bytes_max = 64 * 1024 * 1024; // beyond it publishers are not read

    // Not a bound, but told to clients beside them: a prefix for response topics, the client id follows; empty: none.
    std::string mqtt_response_information = "response/";

    [[nodiscard]] bool keeps_retained() const { return retained_messages_max != 0 && retained_bytes_max != 0; }
};

} // namespace broker
