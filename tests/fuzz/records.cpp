// Stored values and keys, arbitrary: the first byte says as what to read them, the second whether the checksum is put
// right first, so that damage behind a matching checksum is met too. What decodes encodes to a record that decodes to the
// same.
#include "core/assert.hpp"
#include "core/byte_writer.hpp"
#include "storage/crc32c.hpp"
#include "storage/keys.hpp"
#include "storage/records.hpp"

#include <zlib.h>

using namespace broker;
using namespace broker::storage;

namespace {

template <class Decode, class Encode>
void round_trip(std::string_view value, Decode decode, Encode encode) {
    const auto first = decode(value);
    if (!first) {
        BROKER_ASSERT(!first.error().what.empty());
        return;
    }
    std::string once;
    encode(*first, once);
    const auto second = decode(std::string_view{once});
    BROKER_ASSERT(second.has_value());
    std::string twice;
    encode(*second, twice);
    BROKER_ASSERT(once == twice);
}

void entry(std::string_view value) {
    round_trip(value, decode_entry, [](const entry_record& r, std::string& to) {
        if (r.shared) return encode_entry(r, nullptr, to);
        // The inner record is looked at only when the entry is loaded.
        if (const auto inner = decode_message(r.inline_message)) encode_entry(r, &*inner, to);
        else encode_entry({.level = r.level, .shared = true}, nullptr, to);
    });
}

void keys(std::string_view key) {
    if (const auto id = decode_session_key(key)) BROKER_ASSERT(session_key(*id) == key);
    if (const auto parts = decode_entry_key(key)) BROKER_ASSERT(entry_key(parts->of, parts->message) == key);
    if (const auto parts = decode_subscription_key(key)) BROKER_ASSERT(subscription_key(parts->of, parts->filter) == key);
    if (const auto id = decode_queue_state_key(key)) BROKER_ASSERT(queue_state_key(*id) == key);
    if (const auto parts = decode_queue_entry_key(key)) {
        BROKER_ASSERT((parts->redelivery ? redelivery_key : queue_entry_key)(parts->of, parts->priority, parts->message) == key);
    }
    if (const auto parts = decode_revocation_key(key)) BROKER_ASSERT(revocation_key(parts->what, parts->name) == key);
    if (const auto parts = decode_ban_key(key)) BROKER_ASSERT(ban_key(parts->kind, parts->whom) == key);
    if (const auto name = decode_user_key(key)) BROKER_ASSERT(user_key(*name) == key);
    if (const auto name = decode_api_key_key(key)) BROKER_ASSERT(api_key_key(*name) == key);
    if (const auto parts = decode_inbound_qos2_key(key)) BROKER_ASSERT(inbound_qos2_key(parts->of, parts->packet) == key);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    std::string value{as_text(byte_view{data + 2, size - 2})};
    if (data[1] % 2 == 1) {
        const bool is_new = !value.empty() && (value.front() & 0x80) != 0;
        const auto crc = is_new ? crc32c(value) : crc32_z(0, reinterpret_cast<const unsigned char*>(value.data()), value.size());
        byte_writer{value}.u32(static_cast<std::uint32_t>(crc));
    }
    switch (data[0] % 16) {
    case 0: round_trip(value, decode_session, encode_session); break;
    case 1: round_trip(value, decode_subscription, encode_subscription); break;
    case 2: round_trip(value, decode_message, encode_message); break;
    case 3: entry(value); break;
    case 4: round_trip(value, decode_outbound_qos2, encode_outbound_qos2); break;
    case 5: round_trip(value, decode_queue, encode_queue); break;
    case 6: round_trip(value, decode_will, encode_will); break;
    case 7: round_trip(value, decode_id_lease, [](std::uint64_t id, std::string& to) { to = encode_id_lease(id); }); break;
    case 12: round_trip(value, decode_api_key, encode_api_key); break;
    case 13: round_trip(value, decode_revocation, [](std::int64_t at, std::string& to) { to = encode_revocation(at); }); break;
    case 14: round_trip(value, decode_user, encode_user); break;
    case 15: round_trip(value, decode_ban, [](const ban_record& r, std::string& to) { to = encode_ban(r); }); break;
    case 8: keys(value); break;
    case 11: round_trip(value, decode_queue_settings, encode_queue_settings); break;
    case 9: round_trip(value, decode_queue_state, encode_queue_state); break;
    case 10: round_trip(value, decode_redelivery_count, encode_redelivery_count); break;
    }
    return 0;
}
