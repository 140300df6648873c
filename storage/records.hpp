// Records: the values of the store. Each is version byte, fields, CRC-32 of everything before it (4 bytes, big-endian). A
// record that fails its checksum or does not fill its form is not decoded; the reader says why and goes on.
// Decoded views borrow from the input. encode_* appends to `to`.
#pragma once

#include "core/message.hpp"
#include "core/result.hpp"
#include "routing/subscription.hpp"
#include "storage/store.hpp"

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

struct will_record {
    message_fields message{};
    std::uint32_t delay_s = 0;
    std::int64_t due_at_ms = 0; // epoch; 0 while connected
};

void encode_session(const session_record& r, std::string& to);
void encode_subscription(const subscription_record& r, std::string& to);
void encode_message(const message_fields& m, std::string& to);
// With `body` the message is stored inside, else the entry refers to `messages`.
void encode_entry(const entry_record& r, const message_fields* body, std::string& to);
void encode_inbound_qos2(const inbound_qos2_record& r, std::string& to);
void encode_outbound_qos2(const outbound_qos2_record& r, std::string& to);
void encode_queue(const queue_record& r, std::string& to);
void encode_will(const will_record& r, std::string& to);
[[nodiscard]] std::string encode_id_lease(std::uint64_t next_id);

[[nodiscard]] result<session_record, storage_error> decode_session(std::string_view value);
[[nodiscard]] result<subscription_record, storage_error> decode_subscription(std::string_view value);
[[nodiscard]] result<message_fields, storage_error> decode_message(std::string_view value); // id is in the key
[[nodiscard]] result<entry_record, storage_error> decode_entry(std::string_view value);
[[nodiscard]] result<outbound_qos2_record, storage_error> decode_outbound_qos2(std::string_view value);
[[nodiscard]] result<queue_record, storage_error> decode_queue(std::string_view value);
[[nodiscard]] result<will_record, storage_error> decode_will(std::string_view value);
[[nodiscard]] result<std::uint64_t, storage_error> decode_id_lease(std::string_view value);

} // namespace broker::storage
