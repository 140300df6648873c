#include "storage/keys.hpp"

#include "core/byte_reader.hpp"
#include "core/byte_writer.hpp"

#include <fmt/format.h>

#include <iterator>

namespace broker::storage {

namespace {

std::string id_key(std::uint64_t id) {
    std::string key;
    byte_writer{key}.u64(id);
    return key;
}

std::optional<std::string_view> name_behind(std::string_view prefix, std::string_view key) {
    if (!key.starts_with(prefix) || key.size() == prefix.size()) return std::nullopt;
    return key.substr(prefix.size());
}

constexpr char appendix = 1; // of keys that follow another's
constexpr char second_appendix = 2;

} // namespace

std::string_view format_key() { return "format"; }
std::string_view id_lease_key() { return "id_lease"; }
std::string_view exact_counts_key() { return "exact_counts"; }

std::string revocation_key(revoked what, std::string_view name) {
    std::string key{revocation_prefix};
    key += static_cast<char>(what);
    return key += name;
}

std::string ban_key(char kind, std::string_view whom) {
    std::string key{ban_prefix};
    key += kind;
    return key.append(whom);
}

std::optional<ban_key_parts> decode_ban_key(std::string_view key) {
    if (!key.starts_with(ban_prefix) || key.size() < ban_prefix.size() + 2) return std::nullopt;
    const auto kind = key[ban_prefix.size()];
    if (kind != 'a' && kind != 'u' && kind != 'c') return std::nullopt;
    return ban_key_parts{kind, key.substr(ban_prefix.size() + 1)};
}

std::optional<revocation_key_parts> decode_revocation_key(std::string_view key) {
    if (!key.starts_with(revocation_prefix) || key.size() == revocation_prefix.size()) return std::nullopt;
    const auto what = static_cast<revoked>(key[revocation_prefix.size()]);
    const auto name = key.substr(revocation_prefix.size() + 1);
    const bool named = what == revoked::token || what == revoked::user;
    if ((!named && what != revoked::all) || name.empty() == named) return std::nullopt;
    return revocation_key_parts{what, name};
}

std::string api_key_key(std::string_view name) { return std::string{api_key_prefix}.append(name); }
std::string user_key(std::string_view name) { return std::string{user_prefix}.append(name); }
std::optional<std::string_view> decode_api_key_key(std::string_view key) { return name_behind(api_key_prefix, key); }
std::optional<std::string_view> decode_user_key(std::string_view key) { return name_behind(user_prefix, key); }

std::string session_key(session_id id) { return id_key(id.value()); }
std::string session_prefix(session_id id) { return id_key(id.value()); }
std::string queue_key(session_id id) { return id_key(id.value()); }
std::string will_key(session_id id) { return id_key(id.value()); }
std::string message_key(message_id id) { return id_key(id.value()); }

std::string subscription_key(session_id id, std::string_view filter) {
    auto key = id_key(id.value());
    key.append(filter);
    return key;
}

std::string entry_key(session_id of, message_id message) {
    std::string key;
    key.reserve(16);
    byte_writer{key}.u64(of.value()).u64(message.value());
    return key;
}

std::string queue_state_key(session_id id) { return id_key(id.value()) + appendix; }
std::string queue_settings_key(session_id id) { return id_key(id.value()) + second_appendix; }
std::string queue_prefix(session_id id) { return id_key(id.value()); }

std::string queue_prefix(session_id id, std::uint8_t priority) {
    std::string key;
    byte_writer{key}.u64(id.value()).u8(static_cast<std::uint8_t>(priority_max - priority));
    return key;
}

std::string queue_entry_key(session_id of, std::uint8_t priority, message_id message) {
    std::string key;
    key.reserve(18);
    byte_writer{key}.u64(of.value()).u8(static_cast<std::uint8_t>(priority_max - priority)).u64(message.value());
    return key;
}

std::string redelivery_key(session_id of, std::uint8_t priority, message_id message) {
    return queue_entry_key(of, priority, message) + appendix;
}

std::string outbound_qos2_key(session_id of, message_id message) { return entry_key(of, message); }

std::string inbound_qos2_key(session_id of, packet_id packet) {
    std::string key;
    byte_writer{key}.u64(of.value()).u16(packet.value());
    return key;
}

std::string_view retained_key(std::string_view topic) { return topic; }

std::optional<session_id> decode_session_key(std::string_view key) {
    if (key.size() != 8) return std::nullopt;
    return session_id{byte_reader{as_bytes(key)}.u64()};
}

std::optional<entry_key_parts> decode_entry_key(std::string_view key) {
    if (key.size() != 16) return std::nullopt;
    byte_reader in{as_bytes(key)};
    const session_id of{in.u64()};
    return entry_key_parts{of, message_id{in.u64()}};
}

std::optional<session_id> decode_queue_state_key(std::string_view key) {
    if (key.size() != 9 || key.back() != appendix) return std::nullopt;
    return decode_session_key(key.substr(0, 8));
}

std::optional<session_id> decode_queue_settings_key(std::string_view key) {
    if (key.size() != 9 || key.back() != second_appendix) return std::nullopt;
    return decode_session_key(key.substr(0, 8));
}

std::optional<queue_entry_key_parts> decode_queue_entry_key(std::string_view key) {
    if (key.size() != 17 && (key.size() != 18 || key.back() != appendix)) return std::nullopt;
    byte_reader in{as_bytes(key)};
    queue_entry_key_parts parts{.of = session_id{in.u64()}};
    const auto rank = in.u8();
    if (rank > priority_max) return std::nullopt;
    parts.priority = static_cast<std::uint8_t>(priority_max - rank);
    parts.message = message_id{in.u64()};
    parts.redelivery = key.size() == 18;
    return parts;
}

std::optional<subscription_key_parts> decode_subscription_key(std::string_view key) {
    if (key.size() < 9) return std::nullopt;
    return subscription_key_parts{session_id{byte_reader{as_bytes(key)}.u64()}, key.substr(8)};
}

std::optional<inbound_key_parts> decode_inbound_qos2_key(std::string_view key) {
    if (key.size() != 10) return std::nullopt;
    byte_reader in{as_bytes(key)};
    const session_id of{in.u64()};
    return inbound_key_parts{of, packet_id{in.u16()}};
}

std::string to_hex(std::string_view key) {
    std::string hex;
    for (const char c : key) fmt::format_to(std::back_inserter(hex), "{:02x}", static_cast<unsigned char>(c));
    return hex;
}

} // namespace broker::storage
