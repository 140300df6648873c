// held_message: one message a session holds, as administrators see it. A copy: it stays what it was when the session was asked.
#pragma once

#include "core/ids.hpp"
#include "core/message.hpp"
#include "core/time.hpp"

#include <cstdint>
#include <string>

namespace broker {

struct held_message {
    // How much of a payload is shown.
    static constexpr std::size_t preview_bytes = 128;

    enum class state : std::uint8_t {
        queued,   // waits for its turn
        sent,     // its receiver has not acknowledged it, connected or not
        received, // QoS 2: its receiver has it (PUBREC) and has not confirmed the end of it (PUBCOMP)
    };
    message_id id{}; // of the session's messages each has another; they are in the order of arrival
    std::string topic{};
    qos level{};
    bool retain = false;
    std::size_t bytes = 0; // of the payload
    std::string payload{}; // its first preview_bytes; of text no half characters
    time_point received_at{};
    time_point expires_at = never;
    std::uint32_t redelivery_count = 0;
    state at = state::queued;
    std::uint16_t handle = 0; // while it is in flight. MQTT: the packet identifier
};

// What became of the wish that a session drops one of its messages.
enum class drop_outcome : std::uint8_t {
    dropped,
    unknown,         // it holds no such message
    in_flight,       // sent to the client that is connected and not acknowledged
    sent_earlier,    // sent at QoS 1 to the client that is away now: only who knows that may drop it
    sent_for_good,   // sent at QoS 2: its receiver knows it by its packet identifier, which must stay its own
    of_queue,        // a queue's: given to the session, which gives it back
    unreadable,      // its record is damaged, or the disk is
    not_here,        // the session is, or goes, elsewhere
};

} // namespace broker
