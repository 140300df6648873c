#include "protocols/mqtt/decode.hpp"

namespace broker::mqtt {

namespace {

std::unexpected<decode_error> malformed(std::string_view what) {
    return fail(decode_error{reason_code::malformed_packet, what});
}
std::unexpected<decode_error> violation(std::string_view what) {
    return fail(decode_error{reason_code::protocol_error, what});
}
std::unexpected<decode_error> passed(const property_error& e) { return fail(decode_error{e.reason, e.what}); }

// PUBLISH has its own flags, PUBREL, SUBSCRIBE and UNSUBSCRIBE have 0010 [MQTT-3.6.1-1, MQTT-3.8.1-1, MQTT-3.10.1-1], all
// others 0000 [MQTT-2.1.3-1, MQTT-3.14.1-1, MQTT-3.15.1-1]. 3.1 has DUP and QoS in some headers and says of the others
// that they are not used.
bool flags_valid(packet_type type, std::uint8_t flags, protocol_level level) {
    if (level == protocol_level::v3_1) return true;
    switch (type) {
    case packet_type::publish: return true;
    case packet_type::pubrel:
    case packet_type::subscribe:
    case packet_type::unsubscribe: return flags == 2;
    default: return flags == 0;
    }
}

// The reason codes each acknowledgement has [MQTT-3.4.2-1, MQTT-3.5.2-1, MQTT-3.6.2-1, MQTT-3.7.2-1].
bool reason_valid(packet_type type, reason_code reason) {
    switch (reason) {
    case reason_code::success: return true;
    case reason_code::packet_identifier_not_found: return type == packet_type::pubrel || type == packet_type::pubcomp;
    case reason_code::no_matching_subscribers:
    case reason_code::unspecified_error:
    case reason_code::implementation_specific_error:
    case reason_code::not_authorized:
    case reason_code::topic_name_invalid:
    case reason_code::packet_identifier_in_use:
    case reason_code::quota_exceeded:
    case reason_code::payload_format_invalid: return type == packet_type::puback || type == packet_type::pubrec;
    default: return false;
    }
}

// The reason codes a client may end with [MQTT-3.14.2-1].
bool reason_of_a_client(reason_code reason) {
    switch (reason) {
    case reason_code::success:
    case reason_code::disconnect_with_will:
    case reason_code::unspecified_error:
    case reason_code::malformed_packet:
    case reason_code::protocol_error:
    case reason_code::implementation_specific_error:
    case reason_code::topic_name_invalid:
    case reason_code::receive_maximum_exceeded:
    case reason_code::topic_alias_invalid:
    case reason_code::packet_too_large:
    case reason_code::message_rate_too_high:
    case reason_code::quota_exceeded:
    case reason_code::administrative_action:
    case reason_code::payload_format_invalid: return true;
    default: return false;
    }
}

} // namespace

decoded<std::optional<fixed_header>> decode_fixed_header(byte_view bytes, protocol_level level) {
    if (bytes.empty()) return std::nullopt;
    fixed_header h{.type = static_cast<packet_type>(bytes[0] >> 4), .flags = static_cast<std::uint8_t>(bytes[0] & 0x0F)};
    if (bytes[0] >> 4 == 0) return malformed("§2.1.2: packet type 0");
    if (!flags_valid(h.type, h.flags, level)) return malformed("[MQTT-2.1.3-1] reserved flags");
    for (std::size_t i = 1; i != 5; ++i) {
        if (i == bytes.size()) return std::nullopt;
        h.remaining |= static_cast<std::size_t>(bytes[i] & 0x7F) << (7 * (i - 1));
        if ((bytes[i] & 0x80) == 0) {
            h.header_size = i + 1;
            h.minimal = i == 1 || bytes[i] != 0;
            return h;
        }
    }
    return malformed("[MQTT-1.5.5-1] remaining length over four bytes");
}

protocol_level level_to_answer(byte_view connect_body) {
    byte_reader in{connect_body};
    const auto name = in.text16();
    const auto level = in.u8();
    // Levels with the highest bit are those of bridges that fall back to 3.1.1 when they are told 0x01.
    return name == "MQTT" && level >= 5 && level < 0x80 ? protocol_level::v5 : protocol_level::v3_1_1;
}

decoded<connect> decode_connect(byte_reader in) {
    connect c;
    const auto name = in.text16();
    const auto level = in.u8();
    if (in.failed()) return malformed("§3.1.2: CONNECT is too short");
    const bool known = (name == "MQIsdp" && level == 3) || (name == "MQTT" && (level == 4 || level == 5));
    if (!known) {
        if (name != "MQTT" && name != "MQIsdp") return violation("[MQTT-3.1.2-1] protocol name");
        return fail(decode_error{reason_code::unsupported_protocol_version, "[MQTT-3.1.2-2] protocol version"});
    }
    c.level = static_cast<protocol_level>(level);
    const auto flags = in.u8();
    c.keep_alive_s = in.u16();
    if (in.failed()) return malformed("§3.1.2: CONNECT is too short");
    if ((flags & 0x01) != 0) return malformed("[MQTT-3.1.2-3] reserved connect flag");
    c.clean = (flags & 0x02) != 0;
    const bool has_will = (flags & 0x04) != 0;
    const auto will_level = static_cast<std::uint8_t>(flags >> 3 & 3);
    const bool will_retain = (flags & 0x20) != 0;
    if (will_level == 3) return malformed("[MQTT-3.1.2-12] will QoS 3"); // [MQTT3-3.1.2-14]
    if (!has_will && will_level != 0) return malformed("[MQTT-3.1.2-11] will QoS without a will"); // [MQTT3-3.1.2-13]
    if (!has_will && will_retain) return malformed("[MQTT-3.1.2-13] will retain without a will");  // [MQTT3-3.1.2-15]
    if (c.level != protocol_level::v5 && (flags & 0x40) != 0 && (flags & 0x80) == 0) {
        return malformed("[MQTT3-3.1.2-22] password without user name");
    }
    if (c.level == protocol_level::v5) {
        auto with = read_properties(in, property_place::connect);
        if (!with) return passed(with.error());
        c.with = *with;
        if (c.with.authentication_data && !c.with.authentication_method) {
            return violation("§3.1.2.11.10: authentication data without a method");
        }
    }
    // In this order, each there exactly when its flag says so [MQTT-3.1.3-1, MQTT-3.1.2-9, MQTT-3.1.2-16, MQTT-3.1.2-17,
    // MQTT-3.1.2-18, MQTT-3.1.2-19].
    c.client_id = read_utf8(in); // [MQTT-3.1.3-3, MQTT-3.1.3-4]
    if (has_will) {
        will_part w{.level = static_cast<qos>(will_level), .retain = will_retain};
        if (c.level == protocol_level::v5) {
            auto with = read_properties(in, property_place::will);
            if (!with) return passed(with.error());
            w.with = *with;
        }
        w.topic = read_utf8(in); // [MQTT-3.1.3-11]
        w.payload = as_bytes(in.text16());
        c.will = w;
    }
    // In 3.1 the remaining length decides whether what the flags announce is there.
    const auto present = [&](std::uint8_t flag) {
        return (flags & flag) != 0 && !(c.level == protocol_level::v3_1 && in.empty());
    };
    if (present(0x80)) c.user = read_utf8(in); // [MQTT-3.1.3-12]
    if (present(0x40)) c.password = as_bytes(in.text16());
    if (!in.finished()) return malformed("§3.1.3: CONNECT payload");
    return c;
}

decoded<publish> decode_publish(byte_reader in, std::uint8_t flags, protocol_level level) {
    publish p{.level = static_cast<qos>(flags >> 1 & 3), .retain = (flags & 1) != 0, .dup = (flags & 8) != 0};
    if ((flags >> 1 & 3) == 3) return malformed("[MQTT-3.3.1-4] QoS 3");
    if (p.dup && p.level == qos::at_most_once && level != protocol_level::v3_1) return malformed("[MQTT-3.3.1-2] DUP with QoS 0");
    p.topic = read_utf8(in); // [MQTT-3.3.2-1]
    if (p.level != qos::at_most_once) {
        p.id = packet_id{in.u16()};
        if (!in.failed() && p.id == packet_id{}) return violation("[MQTT-2.2.1-3] packet identifier 0");
    }
    if (level == protocol_level::v5) {
        auto with = read_properties(in, property_place::publish);
        if (!with) return passed(with.error());
        p.with = *with;
    }
    p.payload = in.rest();
    if (in.failed()) return malformed("§3.3: malformed PUBLISH");
    return p;
}

decoded<ack> decode_ack(byte_reader in, packet_type type, protocol_level level) {
    ack a{.id = packet_id{in.u16()}};
    if (in.failed()) return malformed("§3.4: acknowledgement is too short");
    if (a.id == packet_id{}) return violation("[MQTT-2.2.1-5] packet identifier 0");
    if (level == protocol_level::v5 && !in.empty()) {
        a.reason = static_cast<reason_code>(in.u8());
        if (!in.empty()) {
            auto with = read_properties(in, property_place::ack);
            if (!with) return passed(with.error());
        }
    }
    if (!in.finished()) return malformed("§3.4: bytes behind an acknowledgement");
    if (!reason_valid(type, a.reason)) return violation("§2.4: a reason code that this acknowledgement does not have");
    return a;
}

decoded<subscribe> decode_subscribe(byte_reader in, protocol_level level) {
    subscribe s{.id = packet_id{in.u16()}};
    if (!in.failed() && s.id == packet_id{}) return violation("[MQTT-2.2.1-3] packet identifier 0");
    if (level == protocol_level::v5) {
        auto with = read_properties(in, property_place::subscribe);
        if (!with) return passed(with.error());
        s.with = *with;
    }
    if (in.empty()) return violation("[MQTT-3.8.3-2] SUBSCRIBE without a topic filter");
    while (!in.empty()) {
        subscribe::item item{.filter = read_utf8(in)}; // [MQTT-3.8.3-1]
        const auto bits = in.u8();
        if (in.failed()) return malformed("§3.8.3: malformed SUBSCRIBE payload");
        if ((bits & 3) == 3) return violation("§3.8.3.1: QoS 3"); // [MQTT3-3.8.3-4]
        const auto reserved = level == protocol_level::v5 ? 0xC0 : 0xFC;
        if ((bits & reserved) != 0) return malformed("[MQTT-3.8.3-5] reserved subscription option bits"); // [MQTT3-3.8.3-4]
        item.options.maximum_qos = static_cast<qos>(bits & 3);
        if (level == protocol_level::v5) {
            if ((bits >> 4 & 3) == 3) return violation("§3.8.3.1: retain handling 3");
            item.options.no_local = (bits & 4) != 0;
            item.options.retain_as_published = (bits & 8) != 0;
            item.options.retained = static_cast<retain_handling>(bits >> 4 & 3);
            item.options.identifier = s.with.subscription_identifier.value_or(0);
        }
        s.items.push_back(item);
    }
    return s;
}

decoded<unsubscribe> decode_unsubscribe(byte_reader in, protocol_level level) {
    unsubscribe u{.id = packet_id{in.u16()}};
    if (!in.failed() && u.id == packet_id{}) return violation("[MQTT-2.2.1-3] packet identifier 0");
    if (level == protocol_level::v5) {
        auto with = read_properties(in, property_place::unsubscribe);
        if (!with) return passed(with.error());
    }
    if (in.empty()) return violation("[MQTT-3.10.3-2] UNSUBSCRIBE without a topic filter");
    while (!in.empty()) u.filters.push_back(read_utf8(in)); // [MQTT-3.10.3-1]
    if (in.failed()) return malformed("§3.10.3: malformed UNSUBSCRIBE payload");
    return u;
}

decoded<disconnect> decode_disconnect(byte_reader in, protocol_level level) {
    disconnect d;
    if (level == protocol_level::v5 && !in.empty()) {
        d.reason = static_cast<reason_code>(in.u8());
        if (!in.empty()) {
            auto with = read_properties(in, property_place::disconnect);
            if (!with) return passed(with.error());
            d.with = *with;
        }
    }
    if (!in.finished()) return malformed("§3.14: bytes behind DISCONNECT");
    if (!reason_of_a_client(d.reason)) return violation("[MQTT-3.14.2-1] a reason code that clients do not have");
    return d;
}

decoded<auth> decode_auth(byte_reader in) {
    auth a;
    if (!in.empty()) { // §3.15.2.1: nothing at all stands for success without properties
        a.reason = static_cast<reason_code>(in.u8());
        if (!in.empty()) {
            auto with = read_properties(in, property_place::auth);
            if (!with) return passed(with.error());
            a.with = *with;
        }
    }
    if (!in.finished()) return malformed("§3.15: bytes behind AUTH");
    if (a.reason != reason_code::continue_authentication && a.reason != reason_code::re_authenticate) {
        return violation("[MQTT-3.15.2-1] a reason code that clients do not have");
    }
    if (!a.with.authentication_method) return violation("§3.15.2.2.2: AUTH without an authentication method");
    return a;
}

} // namespace broker::mqtt
