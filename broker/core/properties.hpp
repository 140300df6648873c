// What accompanies a payload: content type, correlation, reply address, free headers.
// Kept in one byte string, encoded with the identifiers and types of MQTT 5 §2.2.2.2, so that an MQTT 5 delivery and a
// stored record copy it as it is. Only the five kinds below occur; STOMP headers map onto them (docs/mapping.md).
#pragma once

#include "core/bytes.hpp"

#include <optional>

namespace broker {

enum class property_kind : std::uint8_t {
    payload_format = 0x01,   // one byte: 1 = the payload is UTF-8 text
    content_type = 0x03,     // UTF-8
    response_topic = 0x08,   // UTF-8
    correlation_data = 0x09, // bytes
    user_property = 0x26,    // UTF-8 pair; order and duplicates are kept
};

struct property_view {
    property_kind kind{};
    std::string_view name{};     // user_property only
    std::string_view value{};    // everything except payload_format
    std::uint8_t byte = 0;       // payload_format only
};

// Walks a property string. Stops at the end or at the first malformed byte (`intact()` tells which).
class property_reader {
public:
    explicit property_reader(byte_view encoded) : rest_{encoded} {}
    [[nodiscard]] std::optional<property_view> next();
    [[nodiscard]] bool intact() const { return intact_; }

private:
    [[nodiscard]] std::optional<std::string_view> text();

    byte_view rest_;
    bool intact_ = true;
};

// Appends to `to`. Names and values longer than 65,535 bytes are refused (false, nothing appended).
[[nodiscard]] bool append_property(std::string& to, const property_view& property);

// The first value of a kind, if any.
[[nodiscard]] std::optional<std::string_view> find_property(byte_view encoded, property_kind kind);

} // namespace broker
