#include "storage/record_check.hpp"

#include "storage/keys.hpp"
#include "storage/records.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace broker::storage {

namespace {

template <class Decoded>
std::optional<std::string> said(bool key_is_right, const result<Decoded, storage_error>& value) {
    if (!key_is_right) return "its key has not the form of the column's";
    if (!value) return value.error().what;
    return std::nullopt;
}

std::optional<std::string> said(bool key_is_right) {
    return key_is_right ? std::nullopt : std::optional<std::string>{"its key has not the form of the column's"};
}

std::optional<std::string> meta_defect(std::string_view key, std::string_view value) {
    if (key == id_lease_key()) return said(true, decode_id_lease(value));
    if (key.starts_with(revocation_prefix)) return said(decode_revocation_key(key).has_value(), decode_revocation(value));
    if (key.starts_with(ban_prefix)) return said(decode_ban_key(key).has_value(), decode_ban(value));
    if (key.starts_with(api_key_prefix)) return said(decode_api_key_key(key).has_value(), decode_api_key(value));
    if (key.starts_with(user_prefix)) return said(decode_user_key(key).has_value(), decode_user(value));
    return said(key == format_key() || key == exact_counts_key());
}

std::optional<std::string> entry_defect(bool key_is_right, std::string_view value) {
    const auto entry = decode_entry(value);
    if (auto wrong = said(key_is_right, entry)) return wrong;
    if (entry->shared) return std::nullopt;
    return said(true, decode_message(entry->inline_message));
}

std::optional<std::string> queue_defect(std::string_view key, std::string_view value) {
    if (decode_queue_state_key(key)) return said(true, decode_queue_state(value));
    if (decode_queue_settings_key(key)) return said(true, decode_queue_settings(value));
    return said(decode_session_key(key).has_value(), decode_queue(value));
}

std::optional<std::string> queue_entry_defect(std::string_view key, std::string_view value) {
    const auto parts = decode_queue_entry_key(key);
    if (parts && parts->redelivery) return said(true, decode_redelivery_count(value));
    return entry_defect(parts.has_value(), value);
}

} // namespace

std::optional<std::string> defect_of(column in, std::string_view key, std::string_view value) {
    switch (in) {
    case column::meta: return meta_defect(key, value);
    case column::sessions: return said(decode_session_key(key).has_value(), decode_session(value));
    case column::subscriptions: return said(decode_subscription_key(key).has_value(), decode_subscription(value));
    case column::messages: return said(decode_session_key(key).has_value(), decode_message(value));
    case column::entries: return entry_defect(decode_entry_key(key).has_value(), value);
    case column::inbound_qos2: return said(decode_inbound_qos2_key(key).has_value());
    case column::outbound_qos2: return said(decode_entry_key(key).has_value(), decode_outbound_qos2(value));
    case column::retained: return said(!key.empty(), decode_message(value));
    case column::queues: return queue_defect(key, value);
    case column::wills: return said(decode_session_key(key).has_value(), decode_will(value));
    case column::queue_entries: return queue_entry_defect(key, value);
    }
    return std::nullopt;
}

std::string row_name(column in, std::string_view key) {
    const bool text = in == column::meta || in == column::retained;
    if (text && std::ranges::none_of(key, [](unsigned char c) { return c < ' ' || c == 0x7F; })) return fmt::format("{} {}", name(in), key);
    return fmt::format("{} {}", name(in), to_hex(key));
}

} // namespace broker::storage
