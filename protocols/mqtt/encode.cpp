#include "protocols/mqtt/encode.hpp"

#include "core/byte_writer.hpp"

#include <array>
#include <charconv>
#include <cstring>

namespace broker::mqtt {

namespace {

std::size_t variable_integer_size(std::size_t value) {
    return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x20'0000 ? 3 : 4;
}

std::uint8_t* put_variable_integer(std::uint8_t* to, std::size_t value) {
    do {
        *to++ = static_cast<std::uint8_t>((value & 0x7F) | (value >= 0x80 ? 0x80 : 0));
        value >>= 7;
    } while (value != 0);
    return to;
}

void append_variable_integer(std::string& to, std::size_t value) {
    std::array<std::uint8_t, 4> bytes{};
    const auto* const end = put_variable_integer(bytes.data(), value);
    to.append(reinterpret_cast<const char*>(bytes.data()), static_cast<std::size_t>(end - bytes.data()));
}

std::string packet(packet_type type, std::uint8_t flags, std::string_view body) {
    std::string bytes;
    bytes.push_back(static_cast<char>(static_cast<unsigned>(type) << 4 | flags));
    append_variable_integer(bytes, body.size());
    return bytes.append(body);
}

void append_block(std::string& to, std::string_view block) {
    append_variable_integer(to, block.size());
    to.append(block);
}

std::uint8_t* put_u16(std::uint8_t* to, std::size_t value) {
    *to++ = static_cast<std::uint8_t>(value >> 8);
    *to++ = static_cast<std::uint8_t>(value & 0xFF);
    return to;
}

std::uint8_t* put(std::uint8_t* to, const void* from, std::size_t size) {
    if (size != 0) std::memcpy(to, from, size);
    return to + size;
}

constexpr std::string_view redelivery_name = "x-redelivery";

} // namespace

std::string encode_connack(const connack& c, protocol_level level, std::size_t size_max) {
    std::string body;
    byte_writer out{body};
    out.u8(c.session_present ? 1 : 0).u8(c.code); // the other flags are reserved [MQTT-3.2.2-1]
    if (level != protocol_level::v5) return packet(packet_type::connack, 0, body);
    std::string block;
    byte_writer with{block};
    const auto id = [&](property_id p) -> byte_writer& { return with.u8(static_cast<std::uint8_t>(p)); };
    // Maximum QoS and what is available are left out where there is no limit [MQTT-3.2.2-9].
    if (c.session_expiry_interval) id(property_id::session_expiry_interval).u32(*c.session_expiry_interval);
    if (c.receive_maximum != 0) id(property_id::receive_maximum).u16(c.receive_maximum);
    if (!c.retain_available) id(property_id::retain_available).u8(0);
    if (c.maximum_packet_size != 0) id(property_id::maximum_packet_size).u32(c.maximum_packet_size);
    if (!c.assigned_client_id.empty()) id(property_id::assigned_client_identifier).text16(c.assigned_client_id);
    if (c.topic_alias_maximum != 0) id(property_id::topic_alias_maximum).u16(c.topic_alias_maximum);
    if (c.server_keep_alive) id(property_id::server_keep_alive).u16(*c.server_keep_alive);
    if (c.authentication_method) id(property_id::authentication_method).text16(*c.authentication_method);
    if (c.authentication_data) id(property_id::authentication_data).text16(*c.authentication_data);
    const auto whole = [&] {
        std::string all = body;
        append_block(all, block);
        return packet(packet_type::connack, 0, all);
    };
    std::string bytes = whole();
    // What helps, as long as it fits [MQTT-3.2.2-19].
    const auto add = [&](property_id p, std::string_view text) {
        if (text.empty()) return;
        const auto before = block.size();
        id(p).text16(text);
        auto longer = whole();
        if (longer.size() > size_max) {
            block.resize(before);
        } else {
            bytes = std::move(longer);
        }
    };
    add(property_id::server_reference, c.server_reference);
    add(property_id::response_information, c.response_information);
    add(property_id::reason_string, c.reason_string);
    return bytes;
}

namespace {

// Server reference and reason string as a block, each only if the packet around it still fits.
std::string block_of(const wording& more, std::size_t others) {
    std::string block;
    const auto add = [&](property_id p, std::string_view text) {
        constexpr std::size_t headers_max = 5 + 4; // of the packet and of the block
        if (text.empty() || text.size() > 0xFFFF || others + headers_max + block.size() + 3 + text.size() > more.size_max) return;
        byte_writer{block}.u8(static_cast<std::uint8_t>(p)).text16(text);
    };
    add(property_id::server_reference, more.server_reference);
    add(property_id::reason_string, more.reason_string);
    return block;
}

} // namespace

std::string encode_ack(packet_type type, packet_id id, reason_code reason, protocol_level level, const wording& more) {
    std::string body;
    byte_writer{body}.u16(id.value()); // [MQTT-2.2.1-5]
    if (level == protocol_level::v5 && reason != reason_code::success) {
        body.push_back(static_cast<char>(reason));
        // §3.4.2.2.1: without properties their length may be left out.
        if (const auto block = block_of(more, body.size()); !block.empty()) append_block(body, block);
    }
    return packet(type, type == packet_type::pubrel ? 2 : 0, body);
}

std::string encode_suback(packet_type type, packet_id id, const std::vector<std::uint8_t>& codes,
                          protocol_level level, const wording& more) {
    std::string body;
    byte_writer out{body};
    out.u16(id.value()); // [MQTT-2.2.1-6]
    if (level == protocol_level::v5) append_block(body, block_of(more, body.size() + codes.size()));
    if (level == protocol_level::v5 || type == packet_type::suback) {
        for (const auto code : codes) out.u8(code);
    }
    return packet(type, 0, body);
}

std::string encode_disconnect(reason_code reason, const wording& more) {
    std::string body;
    const auto block = block_of(more, 1);
    if (reason != reason_code::success || !block.empty()) body.push_back(static_cast<char>(reason));
    if (!block.empty()) append_block(body, block); // no session expiry interval [MQTT-3.14.2-2]
    return packet(packet_type::disconnect, 0, body);
}

std::string encode_auth(reason_code reason, std::string_view method, std::optional<std::string_view> data) {
    std::string body{static_cast<char>(reason)};
    std::string block;
    byte_writer with{block};
    with.u8(static_cast<std::uint8_t>(property_id::authentication_method)).text16(method);
    if (data) with.u8(static_cast<std::uint8_t>(property_id::authentication_data)).text16(*data);
    append_block(body, block);
    return packet(packet_type::auth, 0, body);
}

byte_view pingresp() {
    static constexpr std::array<std::uint8_t, 2> bytes{0xD0, 0x00};
    return bytes;
}

std::size_t append_publish(outbox& out, const delivery& d, const publish_form& form, time_point now) {
    const auto& m = *d.message;
    const auto topic = form.topic_known ? std::string_view{} : m.topic();
    const auto payload = m.payload();
    const bool v5 = form.level == protocol_level::v5;

    std::size_t block = 0; // size of the property block
    std::array<char, 10> count{};
    std::size_t count_size = 0;
    const bool expires = v5 && m.expires_at() != never;
    if (v5) {
        block = m.properties().size() + (expires ? 5 : 0) + (form.topic_alias != 0 ? 3 : 0);
        for (const auto id : d.subscription_identifiers) block += 1 + variable_integer_size(id);
        if (d.redelivery_count != 0) {
            count_size = static_cast<std::size_t>(
                std::to_chars(count.data(), count.data() + count.size(), d.redelivery_count).ptr - count.data());
            block += 1 + 2 + redelivery_name.size() + 2 + count_size;
        }
    }
    const bool with_id = d.level != qos::at_most_once; // nor DUP without QoS [MQTT-2.2.1-2, MQTT-4.3.1-1]
    const auto remaining = 2 + topic.size() + (with_id ? 2 : 0) + (v5 ? variable_integer_size(block) + block : 0) +
                           payload.size();
    const auto head_size = 1 + variable_integer_size(remaining) + remaining - payload.size();
    const auto size = head_size + payload.size();
    if (size > form.size_max) return 0;

    const auto put_head = [&](std::uint8_t* to) {
        *to++ = static_cast<std::uint8_t>(static_cast<unsigned>(packet_type::publish) << 4 |
                                          (d.redelivered && with_id ? 8U : 0U) | static_cast<unsigned>(d.level) << 1 |
                                          (d.retain ? 1U : 0U));
        to = put_variable_integer(to, remaining);
        to = put(put_u16(to, topic.size()), topic.data(), topic.size());
        if (with_id) to = put_u16(to, d.handle);
        if (!v5) return to;
        to = put_variable_integer(to, block);
        // Unaltered and in order [MQTT-3.3.2-4, MQTT-3.3.2-15, MQTT-3.3.2-16, MQTT-3.3.2-17, MQTT-3.3.2-18,
        // MQTT-3.3.2-20].
        to = put(to, m.properties().data(), m.properties().size());
        if (form.topic_alias != 0) { // never more than the client's maximum [MQTT-3.3.2-11, MQTT-3.1.2-26]
            *to++ = static_cast<std::uint8_t>(property_id::topic_alias);
            to = put_u16(to, form.topic_alias);
        }
        if (expires) { // what is left of it [MQTT-3.3.2-6]
            constexpr std::int64_t most = 0xFFFF'FFFF; // STOMP's may be longer
            const auto left = std::min(std::chrono::ceil<seconds>(std::max(m.expires_at() - now, nanoseconds{0})).count(), most);
            *to++ = static_cast<std::uint8_t>(property_id::message_expiry_interval);
            to = put_u16(put_u16(to, static_cast<std::size_t>(left >> 16 & 0xFFFF)), static_cast<std::size_t>(left & 0xFFFF));
        }
        for (const auto id : d.subscription_identifiers) { // [MQTT-3.3.4-3]
            *to++ = static_cast<std::uint8_t>(property_id::subscription_identifier);
            to = put_variable_integer(to, id);
        }
        if (count_size != 0) {
            *to++ = static_cast<std::uint8_t>(property_id::user_property);
            to = put(put_u16(to, redelivery_name.size()), redelivery_name.data(), redelivery_name.size());
            to = put(put_u16(to, count_size), count.data(), count_size);
        }
        return to;
    };
    constexpr std::size_t referenced_from = 4096; // outbox: larger payloads are not copied
    if (payload.size() < referenced_from && !out.compresses(size)) {
        put(put_head(out.append(size)), payload.data(), payload.size());
        return size;
    }
    std::string head(head_size, '\0');
    put_head(reinterpret_cast<std::uint8_t*>(head.data()));
    out.append(as_bytes(head), d.message, {});
    return size;
}

} // namespace broker::mqtt
