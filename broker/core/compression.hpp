// Compression of WebSocket messages: how it is set, and what came of it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace broker {

// Of a listener, as an operator writes it: keys ws.compression.*, listener key ws.compression.
struct compression_settings {
    bool enabled = false;
    std::size_t min_size = 1024;   // smaller packets are sent as they are
    bool context_takeover = false; // messages may refer to what earlier ones held: better for small ones, and memory for each connection
};

// Bytes of messages that were compressed, on the wire and as they are without it; frame headers not counted.
struct compression_traffic {
    std::uint64_t received_compressed = 0;
    std::uint64_t received_plain = 0;
    std::uint64_t sent_compressed = 0;
    std::uint64_t sent_plain = 0;

    void add(const compression_traffic& other) {
        received_compressed += other.received_compressed;
        received_plain += other.received_plain;
        sent_compressed += other.sent_compressed;
        sent_plain += other.sent_plain;
    }
};

} // namespace broker
