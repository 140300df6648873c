#include "storage/records.hpp"

#include "core/byte_reader.hpp"
#include "core/byte_writer.hpp"
#include "storage/crc32c.hpp"
#include "storage/keys.hpp"

#include <zlib.h>

namespace broker::storage {

namespace {

constexpr std::uint8_t version = 1;
constexpr std::uint8_t session_version = 3; // 1: without sent_below; 2: without user
constexpr std::uint8_t crc32c_bit = 0x80;   // beside the version; without it the checksum is CRC-32: formats 1 and 2
constexpr std::uint64_t ttl_max_s = 100ULL * 365 * 24 * 3600; // beyond it time points would overflow

std::uint32_t checksum(std::string_view record) {
    if ((static_cast<std::uint8_t>(record.front()) & crc32c_bit) != 0) return crc32c(record);
    return static_cast<std::uint32_t>(
        crc32_z(0, reinterpret_cast<const unsigned char*>(record.data()), record.size()));
}

std::uint8_t version_of(std::string_view value) {
    return value.empty() ? 0 : static_cast<std::uint8_t>(static_cast<std::uint8_t>(value.front()) & ~crc32c_bit);
}

// Everything appended between construction and destruction becomes one record.
class record_writer : public byte_writer {
public:
    explicit record_writer(std::string& to, std::uint8_t as = version) : byte_writer{to}, to_{to}, begin_{to.size()} {
        u8(as | crc32c_bit);
    }
    record_writer(const record_writer&) = delete;
    record_writer& operator=(const record_writer&) = delete;
    ~record_writer() { u32(checksum(std::string_view{to_}.substr(begin_))); }

private:
    std::string& to_;
    std::size_t begin_;
};

result<byte_reader, storage_error> open(std::string_view value, std::uint8_t as = version) {
    if (value.size() < 5) return fail(storage_error{"record is too short"});
    const auto body = value.substr(0, value.size() - 4);
    if (byte_reader{as_bytes(value.substr(body.size()))}.u32() != checksum(body)) {
        return fail(storage_error{"record fails its checksum"});
    }
    byte_reader in{as_bytes(body)};
    if (version_of(body) != as) return fail(storage_error{"record has an unknown version"});
    (void)in.u8();
    return in;
}

template <class T>
result<T, storage_error> closed(const byte_reader& in, T value) {
    if (!in.finished()) return fail(storage_error{"record does not have its form"});
    return value;
}

qos read_qos(byte_reader& in) {
    const auto level = in.u8();
    if (level > 2) in.fail();
    return static_cast<qos>(level & 3);
}

void write_body(byte_writer& out, const message_fields& m) {
    out.u8(static_cast<std::uint8_t>(m.level))
        .u8(static_cast<std::uint8_t>((m.retain ? 1 : 0) | (m.persistent ? 2 : 0)))
        .u64(m.publisher.value())
        .u64(static_cast<std::uint64_t>(m.received_at.time_since_epoch().count()))
        .u64(static_cast<std::uint64_t>(m.expires_at.time_since_epoch().count()))
        .text16(m.topic)
        .text32(as_text(m.properties))
        .text32(as_text(m.payload));
}

message_fields read_body(byte_reader& in) {
    message_fields m;
    m.level = read_qos(in);
    const auto flags = in.u8();
    m.retain = (flags & 1) != 0;
    m.persistent = (flags & 2) != 0;
    m.publisher = session_id{in.u64()};
    m.received_at = time_point{nanoseconds{static_cast<std::int64_t>(in.u64())}};
    m.expires_at = time_point{nanoseconds{static_cast<std::int64_t>(in.u64())}};
    m.topic = in.text16();
    m.properties = as_bytes(in.text32());
    m.payload = as_bytes(in.text32());
    if (m.topic.empty()) in.fail();
    return m;
}

} // namespace

void encode_session(const session_record& r, std::string& to) {
    record_writer out{to, session_version};
    out.text16(r.client_id).u64(r.expiry_s).u8(r.expires ? 1 : 0);
    out.u64(static_cast<std::uint64_t>(r.disconnected_at_ms)).u64(r.sent_below.value()).text16(r.user);
}

result<session_record, storage_error> decode_session(std::string_view value) {
    const auto as = std::clamp(version_of(value), version, session_version);
    auto in = open(value, as);
    if (!in) return fail(in.error());
    session_record r;
    r.client_id = in->text16();
    r.expiry_s = in->u64();
    r.expires = in->u8() != 0;
    r.disconnected_at_ms = static_cast<std::int64_t>(in->u64());
    if (as >= 2) r.sent_below = message_id{in->u64()};
    if (as >= 3) r.user = in->text16();
    return closed(*in, std::move(r));
}

void encode_subscription(const subscription_record& r, std::string& to) {
    const auto& o = r.options;
    record_writer out{to};
    out.u32(o.identifier).u8(static_cast<std::uint8_t>(o.maximum_qos));
    out.u8(static_cast<std::uint8_t>((o.no_local ? 1 : 0) | (o.retain_as_published ? 2 : 0) | (o.acknowledges_all ? 4 : 0)));
    out.u8(static_cast<std::uint8_t>(o.retained));
}

result<subscription_record, storage_error> decode_subscription(std::string_view value) {
    auto in = open(value);
    if (!in) return fail(in.error());
    subscription_record r;
    r.options.identifier = in->u32();
    r.options.maximum_qos = read_qos(*in);
    const auto flags = in->u8();
    r.options.no_local = (flags & 1) != 0;
    r.options.retain_as_published = (flags & 2) != 0;
    r.options.acknowledges_all = (flags & 4) != 0;
    const auto handling = in->u8();
    if (handling > 2) in->fail();
    r.options.retained = static_cast<retain_handling>(handling);
    return closed(*in, r);
}

void encode_message(const message_fields& m, std::string& to) {
    record_writer out{to};
    write_body(out, m);
}

result<message_fields, storage_error> decode_message(std::string_view value) {
    auto in = open(value);
    if (!in) return fail(in.error());
    const auto m = read_body(*in);
    return closed(*in, m);
}

void encode_entry(const entry_record& r, const message_fields* body, std::string& to) {
    record_writer out{to};
    out.u8(static_cast<std::uint8_t>(r.level))
        .u8(static_cast<std::uint8_t>((r.retain ? 1 : 0) | (body == nullptr ? 2 : 0) | (r.share.empty() ? 0 : 4)))
        .u32(r.redelivery_count)
        .u16(static_cast<std::uint16_t>(r.identifiers.size()));
    for (const auto id : r.identifiers) out.u32(id);
    if (!r.share.empty()) out.text16(r.share);
    if (body != nullptr) {
        std::string inside;
        encode_message(*body, inside);
        out.raw(inside);
    }
}

result<entry_record, storage_error> decode_entry(std::string_view value) {
    auto in = open(value);
    if (!in) return fail(in.error());
    entry_record r;
    r.level = read_qos(*in);
    const auto flags = in->u8();
    r.retain = (flags & 1) != 0;
    r.shared = (flags & 2) != 0;
    r.redelivery_count = in->u32();
    const std::size_t count = in->u16();
    if (count * 4 > in->remaining()) return fail(storage_error{"record does not have its form"});
    for (std::size_t i = 0; i != count; ++i) r.identifiers.push_back(in->u32());
    if ((flags & 4) != 0) r.share = in->text16();
    if (!r.shared) r.inline_message = as_text(in->rest());
    return closed(*in, std::move(r));
}

void encode_inbound_qos2(const inbound_qos2_record&, std::string& to) { const record_writer out{to}; }

void encode_outbound_qos2(const outbound_qos2_record& r, std::string& to) {
    record_writer out{to};
    out.u16(r.handle).u8(r.released ? 1 : 0).u8(static_cast<std::uint8_t>(r.level));
}

result<outbound_qos2_record, storage_error> decode_outbound_qos2(std::string_view value) {
    auto in = open(value);
    if (!in) return fail(in.error());
    outbound_qos2_record r;
    r.handle = in->u16();
    r.released = in->u8() != 0;
    r.level = read_qos(*in);
    return closed(*in, r);
}

void encode_queue(const queue_record& r, std::string& to) { record_writer{to}.text16(r.name); }

result<queue_record, storage_error> decode_queue(std::string_view value) {
    auto in = open(value);
    if (!in) return fail(in.error());
    queue_record r{.name = std::string{in->text16()}};
    if (r.name.empty()) in->fail();
    return closed(*in, std::move(r));
}

void encode_queue_settings(const queue_settings& s, std::string& to) {
    record_writer out{to};
    std::uint8_t set = 0;
    const auto bit = [&set](bool there, unsigned at) { set = static_cast<std::uint8_t>(set | (there ? 1U << at : 0U)); };
    bit(s.messages_max.has_value(), 0);
    bit(s.bytes_max.has_value(), 1);
    bit(s.ttl.has_value(), 2);
    bit(s.policy.has_value(), 3);
    bit(s.dead_letter.has_value(), 4);
    bit(s.max_deliveries.has_value(), 5);
    bit(s.priority.has_value(), 6);
    out.u8(set);
    if (s.messages_max) out.u64(*s.messages_max);
    if (s.bytes_max) out.u64(*s.bytes_max);
    if (s.ttl) out.u64(static_cast<std::uint64_t>(s.ttl->count()));
    if (s.policy) out.u8(static_cast<std::uint8_t>(*s.policy));
    if (s.dead_letter) out.text16(*s.dead_letter);
    if (s.max_deliveries) out.u32(*s.max_deliveries);
    if (s.priority) out.u8(*s.priority ? 1 : 0);
}

result<queue_settings, storage_error> decode_queue_settings(std::string_view value) {
    auto in = open(value);
    if (!in) return fail(in.error());
    queue_settings s;
    const auto set = in->u8();
    if ((set & 128) != 0) in->fail();
    if ((set & 1) != 0) s.messages_max = in->u64();
    if ((set & 2) != 0) s.bytes_max = in->u64();
    if ((set & 4) != 0) {
        const auto ttl_s = in->u64();
        if (ttl_s > ttl_max_s) in->fail();
        s.ttl = seconds{static_cast<std::int64_t>(ttl_s % (ttl_max_s + 1))};
    }
    if ((set & 8) != 0) {
        const auto policy = in->u8();
        if (policy >= policy_words.size()) in->fail();
        s.policy = static_cast<overflow_policy>(policy % policy_words.size());
    }
    if ((set & 16) != 0) s.dead_letter = std::string{in->text16()};
    if ((set & 32) != 0) s.max_deliveries = in->u32();
    if ((set & 64) != 0) s.priority = in->u8() != 0;
    return closed(*in, std::move(s));
}

void encode_queue_state(const queue_state_record& r, std::string& to) {
    record_writer out{to};
    out.u64(r.messages).u64(r.bytes).u8(static_cast<std::uint8_t>(r.marks.size()));
    for (const auto& m : r.marks) out.u8(m.priority).u64(m.first.value()).u64(m.delivered.value());
}

result<queue_state_record, storage_error> decode_queue_state(std::string_view value) {
    auto in = open(value);
    if (!in) return fail(in.error());
    queue_state_record r{.messages = in->u64(), .bytes = in->u64()};
    const std::size_t count = in->u8();
    if (count > priority_max + 1U) in->fail();
    for (std::size_t i = 0; i != count && !in->failed(); ++i) {
        queue_state_record::mark m{.priority = in->u8()};
        if (m.priority > priority_max) in->fail();
        m.first = message_id{in->u64()};
        m.delivered = message_id{in->u64()};
        r.marks.push_back(m);
    }
    return closed(*in, std::move(r));
}

void encode_redelivery_count(std::uint32_t count, std::string& to) { record_writer{to}.u32(count); }

result<std::uint32_t, storage_error> decode_redelivery_count(std::string_view value) {
    auto in = open(value);
    if (!in) return fail(in.error());
    const auto count = in->u32();
    return closed(*in, count);
}

std::size_t queue_entry_footprint(std::string_view value) {
    // The entry's own fields and both checksums, then the message record's fixed fields and lengths.
    constexpr std::size_t entry_fixed = 1 + 1 + 1 + 4 + 2 + 4;
    constexpr std::size_t message_fixed = 1 + 1 + 1 + 8 + 8 + 8 + 2 + 4 + 4 + 4;
    const auto fixed = entry_fixed + message_fixed;
    return sizeof(message) + (value.size() > fixed ? value.size() - fixed : 0);
}

void encode_will(const will_record& r, std::string& to) {
    record_writer out{to};
    out.u32(r.delay_s).u64(static_cast<std::uint64_t>(r.due_at_ms));
    write_body(out, r.message);
}

result<will_record, storage_error> decode_will(std::string_view value) {
    auto in = open(value);
    if (!in) return fail(in.error());
    will_record r;
    r.delay_s = in->u32();
    r.due_at_ms = static_cast<std::int64_t>(in->u64());
    r.message = read_body(*in);
    return closed(*in, r);
}

std::string encode_id_lease(std::uint64_t next_id) {
    std::string value;
    record_writer{value}.u64(next_id);
    return value;
}

result<std::uint64_t, storage_error> decode_id_lease(std::string_view value) {
    auto in = open(value);
    if (!in) return fail(in.error());
    const auto id = in->u64();
    return closed(*in, id);
}

std::string encode_revocation(std::int64_t at_ms) {
    std::string value;
    record_writer{value}.u64(static_cast<std::uint64_t>(at_ms));
    return value;
}

result<std::int64_t, storage_error> decode_revocation(std::string_view value) {
    auto in = open(value);
    if (!in) return fail(in.error());
    const auto at = static_cast<std::int64_t>(in->u64());
    return closed(*in, at);
}

std::string encode_ban(const ban_record& r) {
    std::string value;
    record_writer{value}.u64(static_cast<std::uint64_t>(r.until_ms)).text16(r.why);
    return value;
}

result<ban_record, storage_error> decode_ban(std::string_view value) {
    auto in = open(value);
    if (!in) return fail(in.error());
    ban_record r;
    r.until_ms = static_cast<std::int64_t>(in->u64());
    r.why = in->text16();
    return closed(*in, r);
}

void encode_api_key(const api_key_record& r, std::string& to) {
    record_writer out{to};
    for (const auto b : r.digest) out.u8(b);
    out.u64(static_cast<std::uint64_t>(r.created_ms)).u64(static_cast<std::uint64_t>(r.expires_ms));
    out.u16(static_cast<std::uint16_t>(r.scopes.size()));
    for (const auto& scope : r.scopes) out.text16(scope);
}

result<api_key_record, storage_error> decode_api_key(std::string_view value) {
    auto in = open(value);
    if (!in) return fail(in.error());
    api_key_record r;
    for (auto& b : r.digest) b = in->u8();
    r.created_ms = static_cast<std::int64_t>(in->u64());
    r.expires_ms = static_cast<std::int64_t>(in->u64());
    for (auto left = in->u16(); left != 0 && !in->failed(); --left) r.scopes.emplace_back(in->text16());
    return closed(*in, r);
}

void encode_user(const user_record& r, std::string& to) {
    record_writer out{to};
    out.u8(r.disabled ? 1 : 0).u64(static_cast<std::uint64_t>(r.set_at_ms)).text16(r.hash);
}

result<user_record, storage_error> decode_user(std::string_view value) {
    auto in = open(value);
    if (!in) return fail(in.error());
    user_record r;
    r.disabled = in->u8() != 0;
    r.set_at_ms = static_cast<std::int64_t>(in->u64());
    r.hash = in->text16();
    return closed(*in, r);
}

} // namespace broker::storage
