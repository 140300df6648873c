// node: what the admin API may ask of the running broker. Implemented over the shards' mailboxes.
// Threading: the admin thread; calls wait for the shards' answers (at most `patience`; a shard that does not answer in
// time makes the call fail with admin_error::timeout).
#pragma once

#include "core/alarms.hpp"
#include "core/compression.hpp"
#include "core/counters.hpp"
#include "core/message.hpp"
#include "core/queue_settings.hpp"
#include "core/result.hpp"
#include "core/time.hpp"
#include "protocols/engine.hpp"
#include "routing/subscription.hpp"
#include "security/revocations.hpp"
#include "security/ruling.hpp"
#include "session/held_message.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace broker::admin {

struct admin_error {
    enum class kind : std::uint8_t { not_found, invalid, forbidden, refused, timeout } what = kind::refused;
    std::string detail;
};

struct connection_row {
    connection_id id;
    std::string listener; // "web"
    std::string address;  // "127.0.0.1:40312"
    std::string transport; // "ws", "tcp"
    std::string identity{}; // of its TLS certificate, shown to us or to a proxy we believe; may be empty
    time_point connected_at{};
    client_info client;
    std::size_t outbox_bytes = 0;
    std::uint16_t shard = 0;
};

struct session_row {
    std::string id; // client id
    bool online = false;
    bool durable = false;
    std::size_t subscriptions = 0;
    std::size_t inflight = 0;
    std::size_t queued = 0;
    time_point expires_at = never; // offline sessions
    std::uint16_t shard = 0;
};

struct session_subscription {
    std::string filter; // as subscribed with
    subscription_options options{};
};

struct session_details {
    session_row row;
    std::size_t queued_bytes = 0;
    std::size_t queued_in_memory = 0;
    std::size_t inbound_qos2 = 0; // packets its client has not released
    std::uint16_t receive_maximum = 1;
    std::optional<seconds> expiry{}; // nothing: it never ends by itself
    std::string will_topic{};        // empty: no will
    time_point will_due = never;
    std::vector<session_subscription> subscriptions{};
};

struct held_messages {
    time_point now{};
    std::vector<held_message> messages{};
};

struct queue_row {
    std::string name;
    std::size_t messages = 0;
    std::size_t unacknowledged = 0;
    std::size_t consumers = 0;
    std::size_t bytes = 0;
    std::uint16_t shard = 0;
    std::string declared_by{}; // "configuration", "administrator", or empty: made by its first use
    // In effect.
    std::size_t messages_max = 0;
    std::size_t bytes_max = 0;
    seconds ttl{0};
    overflow_policy policy{};
    std::string dead_letter{};
    std::uint32_t max_deliveries = 0;
    bool priority = true;
    // Since the process started.
    std::uint64_t arrived = 0;
    std::uint64_t delivered = 0;
    std::uint64_t redelivered = 0;
    std::uint64_t expired = 0;
    std::uint64_t dropped = 0;
    std::uint64_t dead_lettered = 0;
    std::size_t in_memory = 0; // messages
};

struct queue_message {
    message_ptr message;
    std::uint32_t redelivery_count = 0;
};

struct queue_removed {
    std::size_t messages = 0;
    bool more = false;        // only as many as were asked for
    bool target_full = false; // the other queue took no more
};

struct store_status {
    std::string data_dir{};
    std::string durability{};
    std::string trouble{}; // empty: none
    std::string format{};
    std::uint64_t data_files = 0;
    std::uint64_t data_bytes = 0;
    std::uint64_t log_bytes = 0;    // write-ahead logs
    std::uint64_t memory_bytes = 0; // memtables
    std::uint64_t to_compact = 0;   // bytes, estimated
    std::uint64_t disk_free = 0;    // bytes
    std::uint64_t disk_total = 0;
    struct column_row {
        std::string column{};
        std::uint64_t rows = 0; // estimated
        std::uint64_t bytes = 0;
    };
    std::vector<column_row> columns{};
};

// One token by its id, or those of a user, or of everybody, issued before a moment.
struct token_revocation {
    std::string token_id{}; // jti
    time_point until = never; // it may be forgotten then
    std::string user{};
    std::optional<time_point> issued_before{}; // nothing: now
};

struct token_renewal {
    std::string user{};
    time_point expires = never;
};

struct api_key_request {
    std::string name{};
    std::vector<std::string> scopes{}; // security/api_key.hpp
    seconds ttl{0};                    // 0: for ever
};

struct api_key_row {
    std::string name{};
    std::vector<std::string> scopes{};
    time_point created{};
    time_point expires = never;
    bool expired = false;
};

struct new_api_key {
    std::string text{}; // not to be had again
    api_key_row row{};
};

struct user_row {
    std::string name{};
    bool from_file = false; // of auth.password_file
    bool disabled = false;
    std::string hash_kind{}; // "argon2id", "mosquitto"
    time_point set_at{};     // its password; the epoch: nobody knows
};

struct user_to_import {
    std::string name{};
    std::string hash{}; // as in a password file
    bool disabled = false;
};

struct store_backup {
    std::uint64_t files = 0;
    std::uint64_t bytes = 0;
};

struct row_count {
    std::string column{};
    std::uint64_t rows = 0;
};
using store_rows = std::vector<row_count>;

struct store_check {
    std::vector<std::string> wrong{}; // one line each
    std::vector<std::string> notes{};
    std::uint64_t files = 0;
    std::uint64_t bytes = 0;
    store_rows rows{};
};

struct ban_row {
    std::string kind{}; // "address", "user", "client_id"
    std::string whom{}; // "192.0.2.0/24", "olga"
    time_point until = never;
    std::string why{};
    bool by_itself = false; // of failed logins or flapping: gone with the process
};

struct listener_row {
    std::string name;
    std::string url; // "ws://127.0.0.1:8083"
    std::size_t connections = 0;
    std::size_t connections_max = 0; // 0: as many as in all
    struct certificate_row {
        std::string file{};
        std::string subject{};
        std::string issuer{};
        std::vector<std::string> names{}; // that it is for
        std::string fingerprint{};        // SHA-256, hexadecimal
        time_point not_before{};
        time_point not_after{};
    };
    std::vector<certificate_row> certificates{}; // empty: it speaks plain
    std::size_t handshakes_under_way = 0;
    std::uint64_t handshakes = 0;
    std::uint64_t handshakes_resumed = 0;
    std::uint64_t handshakes_failed = 0;
};

struct histogram { // seconds
    std::vector<double> bounds;
    std::vector<std::uint64_t> counts; // one more than bounds
    double sum = 0;
};

struct login_count {
    std::string_view method; // "jwt"
    std::string_view result; // "allowed"
    std::uint64_t times = 0;
};

struct status {
    std::string version;
    std::string node_name;
    std::string data_dir;
    std::string durability;
    time_point started_at{};
    time_point now{};
    std::size_t shards = 0;
    counters sums;
    compression_traffic compressed{};
    std::size_t sessions_online = 0;
    std::size_t sessions_offline = 0;
    std::size_t subscriptions = 0;
    std::size_t shared_subscriptions = 0;
    std::size_t retained_messages = 0;
    std::size_t retained_bytes = 0;
    std::size_t queues = 0;
    std::size_t session_queue_messages = 0;
    bool store_failed = false;
    std::vector<alarm> alarms;
    std::vector<login_count> logins; // empty: everybody is let in
    std::uint64_t jwks_fetched = 0; // auth.jwt.jwks_url
    std::uint64_t jwks_failed = 0;
    std::vector<std::pair<std::string_view, std::uint64_t>> auth_hook; // what came of its requests, and how often
    histogram auth_hook_seconds;
    std::size_t store_pending_bytes = 0;
    histogram store_commit_seconds;
    histogram store_fsync_seconds;
    histogram store_batch_messages;
    std::vector<listener_row> listeners;
    std::size_t bans = 0;
    std::vector<std::pair<std::string, std::size_t>> declared_queues; // and their messages
};

// A running subscription of an admin client. Destroying it ends the subscription.
class subscription_stream {
public:
    virtual ~subscription_stream() = default;
    // Waits up to `patience` for messages; empty on timeout. Bounded: what does not fit is dropped and counted.
    [[nodiscard]] virtual std::vector<message_ptr> take(milliseconds patience) = 0;
};

class node {
public:
    virtual ~node() = default;
    [[nodiscard]] virtual result<status, admin_error> get_status() = 0;
    [[nodiscard]] virtual bool ready() const = 0; // listeners are open, the store acknowledges
    [[nodiscard]] virtual result<std::vector<connection_row>, admin_error> connections() = 0;
    [[nodiscard]] virtual result<std::size_t, admin_error> kick(const std::string& client_id) = 0; // connections closed
    // A new token or API key of the same user for a connected client, as if it had brought it itself: what is not good (forbidden) ends
    // its connection.
    [[nodiscard]] virtual result<token_renewal, admin_error> renew_token(const std::string& client_id, const std::string& token) = 0;
    [[nodiscard]] virtual result<std::vector<session_row>, admin_error> list_sessions() = 0;
    [[nodiscard]] virtual result<session_details, admin_error> show_session(const std::string& id) = 0;
    // What the session holds behind `after`, in the order of message ids. Fewer than `count_max`: that was all.
    [[nodiscard]] virtual result<held_messages, admin_error> session_messages(const std::string& id, message_id after,
                                                                              std::size_t count_max, bool in_flight_only) = 0;
    // Refused while it is in flight; `though_sent`: not for that, if its client is away and it is of QoS 1. On disk when it
    // returns.
    [[nodiscard]] virtual result<bool, admin_error> drop_session_message(const std::string& id, message_id which,
                                                                         bool though_sent) = 0;
    // Ends it, as if its expiry had passed; a client that is connected is told. Nothing is left of it on disk when it returns.
    [[nodiscard]] virtual result<bool, admin_error> expire_session(const std::string& id) = 0;
    [[nodiscard]] virtual result<std::vector<queue_row>, admin_error> list_queues() = 0;
    // Made when there is none. Its settings are replaced, and kept over restarts.
    [[nodiscard]] virtual result<bool, admin_error> declare_queue(const std::string& name, const queue_settings& settings) = 0;
    // Copies of its first messages, unacknowledged ones included, in the order of delivery.
    [[nodiscard]] virtual result<std::vector<queue_message>, admin_error> peek_queue(const std::string& name,
                                                                                     std::size_t count_max) = 0;
    // Ready messages, in the order of delivery: erased, or with `to` moved to that queue, each in one batch. On disk when
    // it returns.
    [[nodiscard]] virtual result<queue_removed, admin_error> remove_from_queue(const std::string& name, std::size_t count_max,
                                                                               const std::string& to) = 0;
    [[nodiscard]] virtual result<bool, admin_error> delete_queue(const std::string& name, bool force) = 0;
    // Who is banned now. Added: who is connected is closed. Both on disk when they return, those by themselves apart.
    [[nodiscard]] virtual result<std::vector<ban_row>, admin_error> list_bans() = 0;
    [[nodiscard]] virtual result<std::size_t, admin_error> add_ban(const ban_row& who, seconds lasts) = 0; // connections closed; 0: for ever
    [[nodiscard]] virtual result<bool, admin_error> remove_ban(const std::string& kind, const std::string& whom) = 0;
    // Certificates, keys, authorities and revocation lists are read again: of this listener, or of all when it is empty. One line for each
    // that could not be, whose listener goes on with what it has.
    [[nodiscard]] virtual result<std::vector<std::string>, admin_error> reload_tls(const std::string& listener) = 0;
    // Connections that came with them are ended. On disk when it returns.
    [[nodiscard]] virtual result<bool, admin_error> revoke_tokens(const token_revocation& what) = 0;
    // What is revoked now, as revocations::list() has it.
    [[nodiscard]] virtual result<std::vector<security::revocations::entry>, admin_error> list_revoked(
        const std::optional<security::revocations::entry>& after, std::size_t count_max) = 0;
    // May he? With the roles that the configuration gives him, besides those he is said to have.
    [[nodiscard]] virtual result<security::ruling, admin_error> test_rights(const security::identity& who, security::action what, const std::string& topic) = 0;
    // What the store keeps of who comes in. In effect at once, and on disk when it returns; connections that came with what is gone are ended.
    [[nodiscard]] virtual result<new_api_key, admin_error> create_api_key(const api_key_request& wanted) = 0;
    [[nodiscard]] virtual result<std::vector<api_key_row>, admin_error> list_api_keys() = 0;
    [[nodiscard]] virtual result<bool, admin_error> delete_api_key(const std::string& name) = 0;
    [[nodiscard]] virtual result<bool, admin_error> add_user(const std::string& name, const std::string& password) = 0;
    // All of them or none; those that are there are changed. Their number.
    [[nodiscard]] virtual result<std::size_t, admin_error> import_users(const std::vector<user_to_import>& all) = 0;
    [[nodiscard]] virtual result<bool, admin_error> change_user(const std::string& name, const std::optional<std::string>& password,
                                                                std::optional<bool> disabled) = 0;
    [[nodiscard]] virtual result<bool, admin_error> delete_user(const std::string& name) = 0;
    [[nodiscard]] virtual result<std::vector<user_row>, admin_error> list_users() = 0; // those of the file too
    // These three work on the caller's thread for as long as it takes.
    [[nodiscard]] virtual result<store_status, admin_error> show_store() = 0;
    [[nodiscard]] virtual result<store_check, admin_error> verify_store() = 0;
    [[nodiscard]] virtual result<store_backup, admin_error> back_up_store(const std::string& to) = 0;
    // Retained messages whose topic matches the filter, at most `count_max`.
    [[nodiscard]] virtual result<std::vector<message_ptr>, admin_error> retained(const std::string& filter,
                                                                                std::size_t count_max) = 0;
    [[nodiscard]] virtual result<std::size_t, admin_error> delete_retained(const std::string& filter) = 0;
    // Returns when the message is as durable as its receivers need. The topic may be "$queue/NAME". True: somebody
    // was subscribed.
    [[nodiscard]] virtual result<bool, admin_error> publish(const message_fields& fields) = 0;
    [[nodiscard]] virtual result<std::unique_ptr<subscription_stream>, admin_error> subscribe(
        const std::vector<std::string>& filters, qos maximum) = 0;
};

} // namespace broker::admin
