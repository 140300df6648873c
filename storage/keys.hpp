// Keys: big-endian, so that byte order is meaning. Sessions and queues share one id space.
//   meta           "format" | "id_lease" | "exact_counts" | "revoked/t" token id | "revoked/u" user | "revoked/a" |
//                  "ban/" kind whom | "apikey/" name | "user/" name
//   sessions       session id (8)            queues, wills: the same
//   subscriptions  session id (8) filter text
//   messages       message id (8)
//   entries        session id (8) message id (8)       outbound_qos2: the same
//   inbound_qos2   session id (8) packet id (2)
//   retained       topic
//   queue_entries  queue id (8) 9 - priority (1) message id (8), and behind it with one more byte (1) its redelivery count
//   queues         queue id (8), and behind it with one more byte its state (1) and its declared settings (2)
#pragma once

#include "core/ids.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace broker::storage {

// What the keys of a session's or queue's rows begin with: its id.
inline constexpr std::size_t owner_size = 8;

inline constexpr std::uint8_t priority_max = 9;

[[nodiscard]] std::string_view format_key();
[[nodiscard]] std::string_view id_lease_key();
[[nodiscard]] std::string_view exact_counts_key(); // there after a clean stop: queues' states hold exact counts
// What is revoked: one token, by its id; those of a user, or of everybody (no name).
enum class revoked : char { token = 't', user = 'u', all = 'a' };
inline constexpr std::string_view revocation_prefix = "revoked/";
[[nodiscard]] std::string revocation_key(revoked what, std::string_view name);
inline constexpr std::string_view api_key_prefix = "apikey/";
[[nodiscard]] std::string api_key_key(std::string_view name);
inline constexpr std::string_view user_prefix = "user/";
[[nodiscard]] std::string user_key(std::string_view name);
[[nodiscard]] std::string session_key(session_id id);
[[nodiscard]] std::string session_prefix(session_id id); // of subscriptions, entries, inbound_qos2, outbound_qos2
[[nodiscard]] std::string queue_key(session_id id);
[[nodiscard]] std::string queue_state_key(session_id id);
[[nodiscard]] std::string queue_settings_key(session_id id);
[[nodiscard]] std::string queue_prefix(session_id id);
[[nodiscard]] std::string queue_prefix(session_id id, std::uint8_t priority);
[[nodiscard]] std::string queue_entry_key(session_id of, std::uint8_t priority, message_id message);
[[nodiscard]] std::string redelivery_key(session_id of, std::uint8_t priority, message_id message);
[[nodiscard]] std::string will_key(session_id id);
[[nodiscard]] std::string subscription_key(session_id id, std::string_view filter);
[[nodiscard]] std::string message_key(message_id id);
[[nodiscard]] std::string entry_key(session_id of, message_id message);
[[nodiscard]] std::string outbound_qos2_key(session_id of, message_id message);
[[nodiscard]] std::string inbound_qos2_key(session_id of, packet_id packet);
[[nodiscard]] std::string_view retained_key(std::string_view topic);

struct entry_key_parts {
    session_id of{};
    message_id message{};
};
// Nothing when the key has not the form above.
[[nodiscard]] std::optional<session_id> decode_session_key(std::string_view key);
[[nodiscard]] std::optional<entry_key_parts> decode_entry_key(std::string_view key);
[[nodiscard]] std::optional<session_id> decode_queue_state_key(std::string_view key);
[[nodiscard]] std::optional<session_id> decode_queue_settings_key(std::string_view key);
struct queue_entry_key_parts {
    session_id of{};
    std::uint8_t priority = 0;
    message_id message{};
    bool redelivery = false; // the key of a redelivery count
};
[[nodiscard]] std::optional<queue_entry_key_parts> decode_queue_entry_key(std::string_view key);
struct subscription_key_parts {
    session_id of{};
    std::string_view filter{};
};
[[nodiscard]] std::optional<subscription_key_parts> decode_subscription_key(std::string_view key);
struct inbound_key_parts {
    session_id of{};
    packet_id packet{};
};
[[nodiscard]] std::optional<inbound_key_parts> decode_inbound_qos2_key(std::string_view key);

// Who is banned: an address or network, a user, a client id.
inline constexpr std::string_view ban_prefix = "ban/";
[[nodiscard]] std::string ban_key(char kind, std::string_view whom); // 'a', 'u', 'c'
struct ban_key_parts {
    char kind = 0;
    std::string_view whom{};
};
[[nodiscard]] std::optional<ban_key_parts> decode_ban_key(std::string_view key);

struct revocation_key_parts {
    revoked what{};
    std::string_view name{};
};
[[nodiscard]] std::optional<revocation_key_parts> decode_revocation_key(std::string_view key);

[[nodiscard]] std::optional<std::string_view> decode_api_key_key(std::string_view key); // the name
[[nodiscard]] std::optional<std::string_view> decode_user_key(std::string_view key);    // the name

[[nodiscard]] std::string to_hex(std::string_view key); // for people

} // namespace broker::storage
