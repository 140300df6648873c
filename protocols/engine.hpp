// engine: one connection's protocol state, without I/O: no sockets, clocks, threads, logging.
// Threading: called only on the owning shard. Not re-entrant: no callee may call back into the same engine.
// Time:      every entry point takes `now`; an engine never reads a clock.
#pragma once

#include "core/bytes.hpp"
#include "core/close_reason.hpp"
#include "core/counters.hpp"
#include "core/limits.hpp"
#include "core/outbox.hpp"
#include "core/publish_meter.hpp"
#include "core/wire_cache.hpp"
#include "protocols/permissions.hpp"
#include "routing/router.hpp"
#include "session/sessions.hpp"

#include <memory>
#include <optional>
#include <string>

namespace broker {

namespace mqtt {
class authenticator;
}

// Of client ids for those that leave them to the server.
class client_id_source {
public:
    virtual ~client_id_source() = default;
    [[nodiscard]] virtual std::string new_client_id() = 0; // never repeats
};

// What an engine works with. All references outlive it.
struct engine_context {
    router& route;
    broker::sessions& sessions;
    outbox& out;
    const limits& bounds;
    wire_cache& wire;                           // this shard's
    client_id_source& new_ids;
    bool dotted = false;                        // the listener's STOMP destinations separate levels by '.'
    mqtt::authenticator* authenticate = nullptr; // enhanced authentication (MQTT 5 §4.12); null: not offered
    admission* admit = nullptr;                  // null: everybody
    publish_meter* meter = nullptr;              // null: as much as it likes
};

// For listings and logs.
struct client_info {
    std::string protocol;  // "mqtt", "stomp"
    std::string version;   // "3.1", "3.1.1", "5.0", "1.2"
    std::string client_id; // empty until known
    std::string user;
    std::uint32_t keep_alive_s = 0;
    std::size_t subscriptions = 0;
    std::size_t inflight = 0; // deliveries not yet acknowledged
    std::size_t waiting = 0;  // deliveries not yet sent
};

class engine {
public:
    virtual ~engine() = default;

    // Consumes all of `input`, which may hold part of a packet or several [MQTT-6.0.0-2]. Bytes are copied if they must
    // outlive the call. Protocol violations are not returned: they end in closing(). Ignored once closing() is set.
    virtual void on_bytes(byte_view input, time_point now) = 0;

    // Tickets up to and including `upto` are durable; acknowledgements held for them leave.
    virtual void on_durable(ticket upto, time_point now) = 0;

    // The highest ticket an acknowledgement is held for; ticket 0: none.
    [[nodiscard]] virtual ticket awaiting() const = 0;

    // After the turn's output was written, with room in the outbox: what waited for that may go on.
    virtual void on_writable(time_point now) = 0;

    // next_deadline() has passed (keep alive, heart-beat, first packet). Early calls are harmless.
    virtual void on_deadline(time_point now) = 0;
    [[nodiscard]] virtual time_point next_deadline() const = 0;

    // The transport is gone or about to close: the engine detaches its sessions (publishing the will unless the protocol
    // said goodbye) and sends nothing any more. Called exactly once, before destruction.
    virtual void on_disconnected(time_point now) = 0;

    // The server ends the connection: the protocol's goodbye with this cause goes to the outbox, closing() becomes set.
    virtual void close(const close_reason& why, time_point now) = 0;

    // The rules have changed, or the client has proved itself anew: what it may not do any more ends.
    virtual void on_rights(welcome again, time_point now) = 0;

    // Null, then set once. After it, the transport drains the outbox, closes, calls on_disconnected and destroys the engine.
    [[nodiscard]] virtual const close_reason* closing() const = 0;

    // True while the engine cannot take more (it waits to be admitted, a claim is under way, it has published more than its
    // rates allow, or the turn has left enough to the store, router::full()): the transport stops reading. Bytes handed over meanwhile are kept, within max_message_bytes.
    [[nodiscard]] virtual bool paused() const = 0;

    // In a later turn than the one that had left enough to the store, or when the meter allows more: what was kept is processed.
    virtual void go_on(time_point now) = 0;

    // The transport stopped reading (back-pressure, paused()), or reads on. While it does not read, silence is not the
    // peer's: keep alive and heart-beats do not run out, and begin anew when it reads on.
    virtual void on_reading(bool reads, time_point now) = 0;

    // May a WebSocket text message carry this protocol? (MQTT: no [MQTT-6.0.0-1], closed with 1003.)
    [[nodiscard]] virtual bool accepts_text() const = 0;

    [[nodiscard]] virtual client_info info() const = 0;
    [[nodiscard]] virtual protocol_kind kind() const = 0;
};

} // namespace broker
