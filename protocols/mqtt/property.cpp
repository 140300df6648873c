#include "protocols/mqtt/property.hpp"

#include "core/topic.hpp"
#include "core/utf8.hpp"

namespace broker::mqtt {

namespace {

enum class kind : std::uint8_t { unknown, byte, two_bytes, four_bytes, variable, utf8, binary, pair };

constexpr unsigned in_connect = 1U << static_cast<unsigned>(property_place::connect);
constexpr unsigned in_will = 1U << static_cast<unsigned>(property_place::will);
constexpr unsigned in_publish = 1U << static_cast<unsigned>(property_place::publish);
constexpr unsigned in_ack = 1U << static_cast<unsigned>(property_place::ack);
constexpr unsigned in_subscribe = 1U << static_cast<unsigned>(property_place::subscribe);
constexpr unsigned in_disconnect = 1U << static_cast<unsigned>(property_place::disconnect);
constexpr unsigned in_auth = 1U << static_cast<unsigned>(property_place::auth);
constexpr unsigned everywhere = ~0U;

struct rule {
    kind type = kind::unknown;
    unsigned places = 0;      // of packets a client sends (MQTT 5 table 2-4)
    unsigned servers = 0;     // of packets that may carry it only when a server sends them
    bool passed_on = false;   // kept with the message
};

constexpr std::array<rule, 0x2B> rules = [] {
    std::array<rule, 0x2B> r{};
    const auto set = [&r](property_id id, kind type, unsigned places, bool passed_on = false) {
        r[static_cast<std::size_t>(id)] = {.type = type, .places = places, .passed_on = passed_on};
    };
    set(property_id::payload_format_indicator, kind::byte, in_publish | in_will, true);
    set(property_id::message_expiry_interval, kind::four_bytes, in_publish | in_will);
    set(property_id::content_type, kind::utf8, in_publish | in_will, true);
    set(property_id::response_topic, kind::utf8, in_publish | in_will, true);
    set(property_id::correlation_data, kind::binary, in_publish | in_will, true);
    set(property_id::subscription_identifier, kind::variable, in_subscribe);
    set(property_id::session_expiry_interval, kind::four_bytes, in_connect | in_disconnect);
    set(property_id::authentication_method, kind::utf8, in_connect | in_auth);
    set(property_id::authentication_data, kind::binary, in_connect | in_auth);
    set(property_id::request_problem_information, kind::byte, in_connect);
    set(property_id::will_delay_interval, kind::four_bytes, in_will);
    set(property_id::request_response_information, kind::byte, in_connect);
    set(property_id::reason_string, kind::utf8, in_ack | in_disconnect | in_auth);
    set(property_id::receive_maximum, kind::two_bytes, in_connect);
    set(property_id::topic_alias_maximum, kind::two_bytes, in_connect);
    set(property_id::topic_alias, kind::two_bytes, in_publish);
    set(property_id::user_property, kind::pair, everywhere, true);
    set(property_id::maximum_packet_size, kind::four_bytes, in_connect);
    r[static_cast<std::size_t>(property_id::subscription_identifier)].servers = in_publish; // [MQTT-3.3.4-6]
    r[static_cast<std::size_t>(property_id::server_reference)] = {.type = kind::utf8, .servers = in_disconnect};
    return r;
}();

// Takes over what a broker acts on. The broken rule, if the value is not a legal one.
std::optional<std::string_view> keep(properties& found, property_id id, std::uint32_t number, std::string_view text) {
    switch (id) {
    case property_id::payload_format_indicator:
        if (number > 1) return "§3.3.2.3.2: payload format indicator is 0 or 1";
        found.payload_format_indicator = static_cast<std::uint8_t>(number);
        break;
    case property_id::message_expiry_interval: found.message_expiry_interval = number; break;
    case property_id::response_topic:
        if (text.empty() || has_wildcard(text)) {
            return "[MQTT-3.3.2-14] a response topic is a topic name";
        }
        found.response_topic = text;
        break;
    case property_id::subscription_identifier:
        if (number == 0) return "§3.8.2.1.2: subscription identifier 0";
        found.subscription_identifier = number;
        break;
    case property_id::session_expiry_interval: found.session_expiry_interval = number; break;
    case property_id::authentication_method: found.authentication_method = text; break;
    case property_id::authentication_data: found.authentication_data = as_bytes(text); break;
    case property_id::request_problem_information:
        if (number > 1) return "§3.1.2.11.7: request problem information is 0 or 1";
        found.request_problem_information = number == 1;
        break;
    case property_id::request_response_information:
        if (number > 1) return "§3.1.2.11.6: request response information is 0 or 1";
        found.request_response_information = number == 1;
        break;
    case property_id::will_delay_interval: found.will_delay_interval = number; break;
    case property_id::receive_maximum:
        if (number == 0) return "§3.1.2.11.3: receive maximum 0";
        found.receive_maximum = static_cast<std::uint16_t>(number);
        break;
    case property_id::topic_alias_maximum: found.topic_alias_maximum = static_cast<std::uint16_t>(number); break;
    case property_id::topic_alias: found.topic_alias = static_cast<std::uint16_t>(number); break;
    case property_id::maximum_packet_size:
        if (number == 0) return "§3.1.2.11.4: maximum packet size 0";
        found.maximum_packet_size = number;
        break;
    default: break;
    }
    return std::nullopt;
}

std::unexpected<property_error> malformed(std::string_view what) {
    return fail(property_error{reason_code::malformed_packet, what});
}
std::unexpected<property_error> violation(std::string_view what) {
    return fail(property_error{reason_code::protocol_error, what});
}

} // namespace

std::uint32_t read_variable_integer(byte_reader& in) {
    std::uint32_t value = 0;
    for (unsigned shift = 0; shift != 28; shift += 7) {
        const auto byte = in.u8();
        value |= static_cast<std::uint32_t>(byte & 0x7F) << shift;
        if ((byte & 0x80) != 0) continue;
        if (byte == 0 && shift != 0) break; // not the shortest form [MQTT-1.5.5-1]
        return value;
    }
    in.fail();
    return 0;
}

std::string_view read_utf8(byte_reader& in) {
    const auto text = in.text16();
    // Well-formed, without surrogates [MQTT-1.5.4-1] and U+0000 [MQTT-1.5.4-2]; a byte order mark is a character like any
    // other [MQTT-1.5.4-3], and so are the non-characters. [MQTT3-1.5.3-1, MQTT3-1.5.3-2, MQTT3-1.5.3-3]
    if (text.find('\0') != std::string_view::npos || !is_utf8(text)) in.fail();
    return text;
}

result<properties, property_error> read_properties(byte_reader& in, property_place at) {
    properties found;
    const auto size = read_variable_integer(in); // there even when it is 0 [MQTT-2.2.2-1]
    found.raw = in.take(size);
    if (in.failed()) return malformed("§2.2.2: property length");
    byte_reader block{found.raw};
    std::uint64_t seen = 0;
    while (!block.empty()) {
        const auto id = block.u8();
        const rule& r = id < rules.size() ? rules[id] : rules[0];
        if (r.type == kind::unknown) return malformed("§2.2.2.2: unknown property");
        const auto here = 1U << static_cast<unsigned>(at);
        if ((r.servers & here) != 0) return violation("§2.2.2.2: a property only servers send here [MQTT-3.3.4-6]");
        if ((r.places & here) == 0) return malformed("§2.2.2.2: property not valid for this packet");
        if (r.type != kind::pair) {
            if ((seen >> id & 1) != 0) return violation("§2.2.2: property given twice");
            seen |= std::uint64_t{1} << id;
        }
        found.only_passed_on &= r.passed_on;
        std::uint32_t number = 0;
        std::string_view text;
        switch (r.type) {
        case kind::byte: number = block.u8(); break;
        case kind::two_bytes: number = block.u16(); break;
        case kind::four_bytes: number = block.u32(); break;
        case kind::variable: number = read_variable_integer(block); break;
        case kind::utf8: text = read_utf8(block); break; // [MQTT-3.3.2-13, MQTT-3.3.2-19]
        case kind::binary: text = block.text16(); break;
        case kind::pair:
            text = read_utf8(block);
            (void)read_utf8(block); // [MQTT-1.5.7-1]
            break;
        case kind::unknown: break;
        }
        if (block.failed()) return malformed("§2.2.2: malformed property");
        if (const auto broken = keep(found, static_cast<property_id>(id), number, text)) return violation(*broken);
    }
    return found;
}

// Unchanged and in their order [MQTT-3.3.2-4, MQTT-3.3.2-15, MQTT-3.3.2-16, MQTT-3.3.2-17, MQTT-3.3.2-18, MQTT-3.3.2-20,
// MQTT-3.1.3-10].
void copy_passed_on(byte_view block, std::string& to) {
    byte_reader in{block};
    while (!in.empty()) {
        const auto before = block.size() - in.remaining();
        const auto& r = rules[in.u8()]; // the block was validated by read_properties
        switch (r.type) {
        case kind::byte: (void)in.u8(); break;
        case kind::two_bytes: (void)in.u16(); break;
        case kind::four_bytes: (void)in.u32(); break;
        case kind::variable: (void)read_variable_integer(in); break;
        case kind::utf8:
        case kind::binary: (void)in.text16(); break;
        case kind::pair:
            (void)in.text16();
            (void)in.text16();
            break;
        case kind::unknown: break;
        }
        const auto after = block.size() - in.remaining();
        if (r.passed_on) to += as_text(block.subspan(before, after - before));
    }
}

} // namespace broker::mqtt
