// Records: the values of the store. Each is version byte, fields, CRC-32 of everything before it (4 bytes, big-endian). A
// record that fails its checksum or does not fill its form is not decoded; the reader says why and goes on.
// Decoded views borrow from the input. encode_* appends to `to`.
#pragma once

#include "core/message.hpp"
#include "core/queue_settings.hpp"
#include "core/result.hpp"
#include "routing/subscription.hpp"
#include "storage/store.hpp"

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace broker::storage {

struct session_record {
    std::string client_id{};
    std::uint64_t expiry_s = 0;
    bool expires = true;
    std::int64_t disconnected_at_ms = 0; // epoch; 0 while connected
    message_id sent_below{}; // offline: QoS 1 entries with lower ids may have been sent, though no handle is stored
    std::string user{};      // whose it is; empty: nobody's in particular
};

struct subscription_record {
    subscription_options options{};
};

struct entry_record {
    qos level{};
    bool retain = false;
    std::uint32_t redelivery_count = 0;
    std::vector<std::uint32_t> identifiers{};
    std::string_view share{};            // got as a member of this shared group; empty: not
    bool shared = false;                 // the message is in `messages`
    std::string_view inline_message{};   // else: a message record
};

struct inbound_qos2_record {};

struct outbound_qos2_record {
    std::uint16_t handle = 0;
    bool released = false;
    qos level{};
};

struct queue_record {
    std::string name{};
};

// What spares a start to read a queue's entries.
struct queue_state_record {
    std::uint64_t messages = 0; // right only after a clean stop
    std::uint64_t bytes = 0;
    struct mark {
        std::uint8_t priority = 0;
        message_id first{};     // no entry has a lower id: where a scan begins
        message_id delivered{}; // no entry with a higher id was handed to a consumer
    };
    std::vector<mark> marks{};
};

struct will_record {
    message_fields message{};
    std::uint32_t delay_s = 0;
    std::int64_t due_at_ms = 0; // epoch; 0 while connected
};

struct api_key_record {
    std::array<std::uint8_t, 32> digest{}; // SHA-256 of its secret
    std::int64_t created_ms = 0;           // epoch
    std::int64_t expires_ms = 0;           // epoch; 0: never
    std::vector<std::string> scopes{};
};

struct user_record {
    bool disabled = false;
    std::int64_t set_at_ms = 0; // its password, epoch
    std::string hash{};         // of its password, as text
};

void encode_session(const session_record& r, std::string& to);
void encode_subscription(const subscription_record& r, std::string& to);
void encode_message(const message_fields& m, std::string& to);
// With `body` the message is stored inside, else the entry refers to `messages`.
void encode_entry(const entry_record& r, const message_fields* body, std::string& to);
void encode_inbound_qos2(const inbound_qos2_record& r, std::string& to);
void encode_outbound_qos2(const outbound_qos2_record& r, std::string& to);
void encode_queue(const queue_record& r, std::string& to);
void encode_queue_settings(const queue_settings& s, std::string& to); // declared by an administrator
void encode_queue_state(const queue_state_record& r, std::string& to);
void encode_redelivery_count(std::uint32_t count, std::string& to);
void encode_will(const will_record& r, std::string& to);
[[nodiscard]] std::string encode_id_lease(std::uint64_t next_id);
[[nodiscard]] std::string encode_revocation(std::int64_t at_ms);
struct ban_record {
    std::int64_t until_ms = 0; // epoch; 0: for ever
    std::string why{};
};
[[nodiscard]] std::string encode_ban(const ban_record& r);
void encode_api_key(const api_key_record& r, std::string& to);
void encode_user(const user_record& r, std::string& to);

[[nodiscard]] result<session_record, storage_error> decode_session(std::string_view value);
[[nodiscard]] result<subscription_record, storage_error> decode_subscription(std::string_view value);
[[nodiscard]] result<message_fields, storage_error> decode_message(std::string_view value); // id is in the key
[[nodiscard]] result<entry_record, storage_error> decode_entry(std::string_view value);
[[nodiscard]] result<outbound_qos2_record, storage_error> decode_outbound_qos2(std::string_view value);
[[nodiscard]] result<queue_record, storage_error> decode_queue(std::string_view value);
[[nodiscard]] result<queue_settings, storage_error> decode_queue_settings(std::string_view value);
[[nodiscard]] result<queue_state_record, storage_error> decode_queue_state(std::string_view value);
[[nodiscard]] result<std::uint32_t, storage_error> decode_redelivery_count(std::string_view value);
// message::footprint() of the message inside a queue's entry, from the record's size.
[[nodiscard]] std::size_t queue_entry_footprint(std::string_view value);
[[nodiscard]] result<will_record, storage_error> decode_will(std::string_view value);
[[nodiscard]] result<std::uint64_t, storage_error> decode_id_lease(std::string_view value);
[[nodiscard]] result<std::int64_t, storage_error> decode_revocation(std::string_view value);
[[nodiscard]] result<ban_record, storage_error> decode_ban(std::string_view value);
[[nodiscard]] result<api_key_record, storage_error> decode_api_key(std::string_view value);
[[nodiscard]] result<user_record, storage_error> decode_user(std::string_view value);

} // namespace broker::storage
