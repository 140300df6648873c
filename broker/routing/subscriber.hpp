// subscriber: who can receive. Implemented by protocol engines (MQTT: the engine; STOMP: one per subscription) and by
// the admin API's listeners.
#pragma once

#include "core/close_reason.hpp"
#include "core/message.hpp"

#include <cstdint>
#include <span>

namespace broker {

class session;

// One message on its way to one subscriber.
struct delivery {
    const message_ptr& message;
    qos level = qos::at_most_once;   // min(published, subscribed)
    bool retain = false;             // the flag as it goes out
    bool redelivered = false;        // sent before on this or an earlier connection
    std::uint32_t redelivery_count = 0;
    std::uint16_t handle = 0;        // 1..65535, unique among the session's outstanding; 0 for QoS 0. MQTT: the packet id
    std::span<const std::uint32_t> subscription_identifiers{}; // borrowed for the call
};

// Threading: called on the shard that owns the session. No callee may call back into router, session or sessions from
// within these calls, except reading accessors: they append to an outbox or set a flag, never block, never throw.
class subscriber {
public:
    virtual ~subscriber() = default;

    // May another QoS > 0 delivery be handed over now? (Outbox below its limit.) QoS 0 is delivered regardless; the
    // subscriber drops and counts it when its outbox is full.
    [[nodiscard]] virtual bool has_room() const = 0;

    // May one more of many that can wait be handed over (a walk through retained messages)? It stops far enough below the
    // limit to leave room for what is published meanwhile.
    [[nodiscard]] virtual bool has_room_to_spare() const { return has_room(); }

    virtual void deliver(const delivery& d, time_point now) = 0;

    // QoS 2, after reconnecting: the receiver had confirmed this handle; tell it again that it may release it (PUBREL).
    virtual void release(std::uint16_t handle, time_point now) {
        (void)handle;
        (void)now;
    }

    // A claim that could not be answered at once is answered now (sessions::claim). `present`: the session existed.
    virtual void on_session(session& claimed, bool present, time_point now) {
        (void)claimed;
        (void)present;
        (void)now;
    }

    // The session is no longer this subscriber's: taken over, kicked, deleted, shutting down. The subscriber forgets it
    // and says goodbye; it must not detach.
    virtual void evict(const close_reason& why, time_point now) = 0;
};

} // namespace broker
