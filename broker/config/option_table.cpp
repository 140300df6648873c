#include "config/option_table.hpp"

#include <fmt/format.h>

namespace broker::config {

std::vector<option> option_table(options& o) {
    auto& b = o.bounds;
    const auto count = [](std::size_t& to) { return count_value{&to}; };
    const auto size = [](std::size_t& to) { return size_value{&to}; };
    const auto times = [](rate& to) { return rate_value{&to}; };
    const auto bytes = [](rate& to) { return rate_value{&to, true}; };
    return {
        {"node.name", &o.node_name, "Name of this broker in listings and generated client ids."},
        {"node.data_dir", &o.data_dir, "Where sessions, queues and retained messages are kept."},
        {"node.threads", &o.threads, "Threads that serve connections; 0: one per core."},
        {"durability.default", &o.durability, "What PUBACK and RECEIPT promise: none, async (written), sync (on disk)."},
        {"auth.anonymous", &o.auth.anonymous, "Lets in who has no credentials. Without any of the methods below it must be true to listen on other than loopback addresses."},
        {"auth.order", &o.auth.order, "Methods, in the order they are tried: jwt, apikeys, users, certificate, http. The first that recognises a credential decides."},
        {"auth.plain_http", &o.auth.plain_http, "URLs may begin with http:// for hosts other than this one."},
        {"auth.store", &o.auth.store, "Users and API keys of `brokerctl` are a method by themselves. Beside another method they are taken anyway."},
        {"auth.password_file", &o.auth.password_file, "Users: NAME:HASH a line, of `brokerctl user add --file` or mosquitto_passwd. They come before those of the store."},
        {"auth.acl_file", &o.auth.acl_file, "Rights in Mosquitto's acl_file form, beside those of [[role]] sections."},
        {"auth.default", choice_value{&o.auth.default_policy, "open-without-rules|deny"},
         "What no rule speaks of: allowed while there is no rule at all, or always denied."},
        {"auth.partial_subscriptions", choice_value{&b.partial_subscriptions, "filter|refuse"},
         "Of a subscription whose topics are allowed in part: only those are delivered, or it is refused."},
        {"auth.jwt.key_file", &o.auth.jwt_key_file, "Key that tokens are verified with: PEM, JWK, JWK set or secret."},
        {"auth.jwt.jwks_file", &o.auth.jwt_jwks_file, "The same as a JWK set."},
        {"auth.jwt.jwks_url", &o.auth.jwt_jwks_url, "The same, fetched: https://login.example.com/jwks.json."},
        {"auth.jwt.jwks_refresh", &o.auth.jwt_jwks_refresh, "How often it is fetched anew, beside when a token names a key that is not in it."},
        {"auth.jwt.jwks_ca", &o.auth.jwt_jwks_ca, "Certificates (PEM) that its server's is signed by; empty: those the system trusts."},
        {"auth.jwt.algorithms", &o.auth.jwt_algorithms, "HS256, HS384, HS512, RS256, PS256, ES256, EdDSA; empty: those of the keys."},
        {"auth.jwt.issuer", &o.auth.jwt_issuer, "What iss must be; empty: anything."},
        {"auth.jwt.audience", &o.auth.jwt_audience, "One of these must be in aud; empty: only tokens without aud."},
        {"auth.jwt.sources", &o.auth.jwt_sources, "Where tokens are looked for: header, query:NAME, subprotocol, cookie:NAME, password."},
        {"auth.jwt.leeway", &o.auth.jwt_leeway, "By how much the issuer's clock may differ."},
        {"auth.jwt.user_claim", &o.auth.jwt_user_claim, "The claim that names the user."},
        {"auth.jwt.require_expiry", &o.auth.jwt_require_expiry, "Tokens without exp are refused."},
        {"auth.jwt.scope_prefix", &o.auth.jwt_scope_prefix, "Scopes that begin with it are rights: brokerd:publish:FILTER."},
        {"auth.jwt.token_bytes", size(o.auth.jwt_token_bytes_max), "Longest token."},
        {"auth.jwt.on_expiry.grace", &o.auth.jwt_grace, "How long a connection outlives its token."},
        {"auth.jwt.on_expiry.warn_before", &o.auth.jwt_warn_before, "How long before its token ends a client is told, on $SYS/clients/ID/token_expiring; 0s: it is not."},
        {"auth.http.url", &o.auth.http_url, "Server that is asked who may come in: POST https://auth.example.com/mqtt."},
        {"auth.http.timeout", &o.auth.http_timeout, "How long its answer may take; then the client is not let in."},
        {"auth.http.cache", &o.auth.http_cache, "How long an answer is good for the same client with the same credentials; 0s: once."},
        {"auth.http.secret", &o.auth.http_secret, "What proves brokerd to it, sent as Authorization: Bearer: file:PATH or env:NAME."},
        {"auth.http.headers", &o.auth.http_headers, "Further headers of the request: \"Name: value\"."},
        {"auth.http.ca", &o.auth.http_ca, "Certificates (PEM) that its server's is signed by; empty: those the system trusts."},
        {"log.level", choice_value{&o.log_level, "trace|debug|info|warn|error|off"}, "Least severe messages that are logged."},
        {"log.format", choice_value{&o.log_format, "auto|text|json"}, "auto: text on a terminal, JSON otherwise."},
        {"admin.socket", &o.admin_socket, "Unix socket for brokerctl; empty: DATA_DIR/admin.sock."},
        {"admin.http", &o.admin_http, "HOST:PORT of /healthz, /readyz and /metrics, and of the API for API keys, or off."},
        {"admin.tls_cert", &o.admin_tls_cert, "Certificate of admin.http (PEM, those that lead to the root behind it); empty: plain, and API keys only on loopback addresses."},
        {"admin.tls_key", &o.admin_tls_key, "Its key."},
        {"sys.interval", &o.sys_interval, "Time between updates of the $SYS topics; 0s: there are none."},
        {"limits.max_connections", count(b.max_connections), "Open connections; more are closed at once."},
        {"limits.accept_rate", times(b.accept_rate), "Connections accepted in all; the others wait for it. 0/s: no bound."},
        {"limits.tls_handshakes", count(b.tls_handshakes_max), "TLS handshakes under way on a listener; more connections wait to be accepted."},
        {"limits.per_ip.connections", count(b.connections_per_address), "Open connections of an address, of IPv6 of a /64; 0: no bound."},
        {"limits.per_client.publish_rate", times(b.client_publish_rate), "Messages a connection may publish; 0/s: no bound."},
        {"limits.per_client.publish_bytes", bytes(b.client_publish_bytes), "Of their topics and payloads; 0/s: no bound."},
        {"limits.per_user.connections", count(b.connections_per_user), "Open connections of a user; 0: no bound."},
        {"limits.per_user.publish_rate", times(b.user_publish_rate), "Messages a user's connections may publish together; 0/s: no bound."},
        {"limits.per_user.publish_bytes", bytes(b.user_publish_bytes), "Of their topics and payloads; 0/s: no bound."},
        {"limits.rate_action", choice_value{&b.rate_action, "slow|close"}, "Who publishes more than he may is read more slowly, or closed."},
        {"limits.failed_logins", times(b.failed_logins), "More of them from an address, and it is banned; 0/m: never. Not 127.0.0.1."},
        {"limits.flapping", times(b.flapping), "More connections from an address, and it is banned; 0/m: never. Not 127.0.0.1."},
        {"limits.ban_time", &b.ban_time, "How long for."},
        {"limits.max_sessions", count(b.max_sessions), "Sessions, connected or not, STOMP subscriptions included."},
        {"limits.max_queues", count(b.max_queues), "Queues."},
        {"limits.handshake_bytes", size(b.handshake_bytes_max), "WebSocket upgrade request."},
        {"limits.handshake_timeout", &b.handshake_timeout, "Time for the TLS handshake, and for the upgrade request."},
        {"limits.connect_timeout", &b.connect_timeout, "Time for the first packet."},
        {"limits.connect_bytes", size(b.connect_bytes_max), "CONNECT packet or frame."},
        {"limits.max_message", size(b.max_message_bytes), "MQTT packet, STOMP body, WebSocket message."},
        {"limits.max_topic_levels", count(b.max_topic_levels), "Levels of a topic name or filter; at most 1024."},
        {"limits.max_topic_bytes", size(b.max_topic_bytes), "Length of a topic name or filter; at most 65535 bytes."},
        {"limits.max_properties", size(b.max_properties_bytes), "STOMP headers kept with a message."},
        {"limits.max_client_id", size(b.max_client_id_bytes), "Length of a client id."},
        {"limits.max_subscriptions", count(b.max_subscriptions), "Subscriptions to topics of all clients."},
        {"limits.max_subscriptions_per_client", count(b.max_subscriptions_per_client), "Subscriptions of one client."},
        {"limits.max_session_expiry", &b.max_session_expiry, "Longest session expiry granted; 0s: as asked."},
        {"limits.outbox", size(b.outbox_bytes_max), "Unsent bytes of a connection; beyond it QoS 0 is dropped."},
        {"limits.slow_consumer_timeout", &b.slow_consumer_timeout, "A full socket without progress is closed after this."},
        {"limits.max_deliveries", &b.max_deliveries, "Deliveries of one message before it is given up; 0: no bound."},
        {"limits.session.queue_messages", count(b.session_queue_messages_max), "Messages waiting for one session."},
        {"limits.session.queue_bytes", size(b.session_queue_bytes_max), "Bytes waiting for one session."},
        {"limits.session.queue_policy", choice_value{&b.session_queue_policy, "drop-oldest|drop-new"},
         "What a session with too much waiting drops."},
        {"limits.session.memory_messages", count(b.session_memory_messages_max), "Of these in memory; the rest on disk."},
        {"limits.session.memory_bytes", size(b.session_memory_bytes_max), "Of these in memory; the rest on disk."},
        {"limits.queue.messages", count(b.queue_messages_max), "Messages in one queue."},
        {"limits.queue.bytes", size(b.queue_bytes_max), "Bytes in one queue."},
        {"limits.queue.ttl", &b.queue_ttl, "Age at which a queue's messages expire; 0s: never."},
        {"limits.queue.policy", &b.queue_policy, "Of a full queue: reject, drop-oldest or dead-letter."},
        {"limits.queue.dead_letter", &b.queue_dead_letter, "Dead-letter queues; * is the queue's name; empty: none."},
        {"limits.retained.messages", count(b.retained_messages_max), "Retained messages."},
        {"limits.retained.bytes", size(b.retained_bytes_max), "Bytes of retained messages."},
        {"limits.mailbox_items", count(b.mailbox_items_max), "Hand-overs waiting for another thread before publishers wait."},
        {"limits.disk_free", size(b.disk_free_min), "Durable publications are refused when less room than this, or a tenth of the disk, is left."},
        {"limits.store_pending", size(b.store_pending_bytes_max), "Bytes waiting for the disk before publishers wait."},
        {"ws.idle_timeout", &b.idle_timeout, "A silent peer is pinged at half of it and closed at it; 0s: never."},
        {"ws.allowed_origins", &o.allowed_origins,
         "Pages that may connect: same-origin, https://app.example.com, https://*.example.com, or * for all."},
        {"ws.allow_missing_origin", &o.allow_missing_origin, "Requests without Origin are let in: programs that are no browsers."},
        {"ws.compression.enabled", &o.compression.enabled, "permessage-deflate with clients that offer it."},
        {"ws.compression.min_size", size(o.compression.min_size), "Smaller packets are sent as they are."},
        {"ws.compression.context_takeover", &o.compression.context_takeover,
         "Messages may refer to earlier ones: better for small ones, and memory for each connection."},
        {"mqtt.receive_maximum", &b.mqtt_receive_maximum, "Unacknowledged QoS 1 and 2 publications of a client."},
        {"mqtt.max_inflight", &b.mqtt_max_inflight, "Unacknowledged QoS 1 and 2 deliveries to a client."},
        {"mqtt.topic_alias_maximum", &b.mqtt_topic_alias_maximum, "Topic aliases a client may use."},
        {"mqtt.shared_error", choice_value{&b.mqtt_shared_error, "discard|redeliver"},
         "What becomes of a shared group's message that a member answers with an error."},
        {"mqtt.outbound_topic_aliases", &b.mqtt_outbound_topic_alias_maximum, "Topic aliases used towards a client that allows them."},
        {"mqtt.response_information", &b.mqtt_response_information, "Told to MQTT 5 clients that ask, their id behind it: a topic for responses; empty: nothing."},
        {"mqtt.max_keep_alive", &b.mqtt_max_keep_alive, "Longest keep alive granted to MQTT 5 clients; 0s: as asked."},
        {"stomp.prefetch", &b.stomp_prefetch, "Unacknowledged messages of a subscription."},
        {"stomp.heart_beat", &b.stomp_heart_beat, "Heart-beats the server offers; 0ms: none."},
        {"stomp.client_heart_beat", &b.stomp_client_heart_beat, "Heart-beats asked of clients; 0ms: none."},
        {"stomp.heart_beat_grace", &b.stomp_heart_beat_grace, "How much longer than promised a client may be silent."},
        {"stomp.separator", choice_value{&o.stomp_separator, "slash|dot"}, "What also separates levels in /topic/ names."},
        {"stomp.header_line", size(b.stomp_header_line_max), "Length of a header line."},
        {"stomp.max_headers", count(b.stomp_headers_max), "Headers of a frame."},
        {"stomp.max_transactions", count(b.stomp_transactions_max), "Open transactions of a connection."},
        {"stomp.transaction_frames", count(b.stomp_transaction_frames_max), "Frames in a connection's open transactions."},
        {"stomp.transaction_bytes", size(b.stomp_transaction_bytes_max), "Bytes in a connection's open transactions."},
        {"stomp.transaction_age", &b.stomp_transaction_age_max, "How long a transaction may stay open."},
    };
}

namespace {

std::string size_text(std::size_t bytes) {
    constexpr std::size_t ki = 1024;
    if (bytes != 0 && bytes % (ki * ki * ki) == 0) return fmt::format("{}GiB", bytes / (ki * ki * ki));
    if (bytes != 0 && bytes % (ki * ki) == 0) return fmt::format("{}MiB", bytes / (ki * ki));
    if (bytes != 0 && bytes % ki == 0) return fmt::format("{}KiB", bytes / ki);
    return fmt::format("{}B", bytes);
}

struct writer {
    std::string operator()(const bool* v) const { return *v ? "true" : "false"; }
    std::string operator()(const std::uint16_t* v) const { return fmt::to_string(*v); }
    std::string operator()(const std::uint32_t* v) const { return fmt::to_string(*v); }
    std::string operator()(const count_value& v) const { return fmt::to_string(*v.to); }
    std::string operator()(const size_value& v) const { return fmt::format("\"{}\"", size_text(*v.to)); }
    std::string operator()(const rate_value& v) const {
        const auto& r = *v.to;
        const auto unit = r.per == milliseconds{1'000} ? "s" : r.per == milliseconds{60'000} ? "m" : "h";
        return fmt::format("\"{}/{}\"", v.of_bytes && r.bounded() ? size_text(r.amount) : fmt::to_string(r.amount), unit);
    }
    std::string operator()(const seconds* v) const { return fmt::format("\"{}s\"", v->count()); }
    std::string operator()(const milliseconds* v) const { return fmt::format("\"{}ms\"", v->count()); }
    std::string operator()(const std::string* v) const { return fmt::format("\"{}\"", *v); }
    std::string operator()(const std::vector<std::string>* v) const {
        std::string text = "[";
        for (const auto& one : *v) text += fmt::format("{}\"{}\"", text.size() == 1 ? "" : ", ", one);
        return text + "]";
    }
    std::string operator()(const choice_value& v) const { return fmt::format("\"{}\"", *v.to); }
    std::string operator()(const overflow_policy* v) const { return fmt::format("\"{}\"", word(*v)); }
    std::string operator()(const storage::durability* v) const {
        return *v == storage::durability::sync ? "\"sync\"" : *v == storage::durability::async ? "\"async\"" : "\"none\"";
    }
};

} // namespace

std::string value_text(const option& o) { return std::visit(writer{}, o.to); }

} // namespace broker::config
