// sessions: one shard's sessions: who may have them, how long they live, how they move here from another shard.
// Threading: its shard's thread only.
#pragma once

#include "session/session.hpp"

#include <string_view>

namespace broker {

class sessions {
public:
    struct claimed {
        session* now = nullptr; // the session; null: it is on its way, or the end of the one before it is on its way to the
                                // disk; the subscriber's on_session() will be called
        bool present = false;   // it existed before (never true with `clean`)
        bool refused = false;   // max_sessions reached: nothing will come
        bool forbidden = false; // it is another user's: nothing will come
    };

    virtual ~sessions() = default;

    // Attaches `who` to the session of this client id, taking it over from whoever has it (who is evicted with
    // taken_over), creating it when there is none. One that belongs to another user than attachment::user is left alone, with
    // `clean` too; who has to wait for that is evicted with forbidden. `clean`: an existing session is deleted first. Call resume() on the
    // session after the protocol's answer has been written. Between a claim and its answer the caller must be alive or
    // call abandon().
    [[nodiscard]] virtual claimed claim(std::string_view client_id, bool clean, attachment with, time_point now) = 0;

    // A session nobody can claim: lives until detached. `label` is for listings. Null: max_sessions reached.
    [[nodiscard]] virtual session* open_transient(std::string_view label, attachment with, time_point now) = 0;

    // The subscriber leaves. `publish_will`: the connection ended without the protocol's goodbye. The session lives on
    // for its expiry, or ends here: never use the reference afterwards.
    virtual void detach(session& s, bool publish_will, time_point now) = 0;

    // Deletes the session and everything stored for it, attached or not. The subscriber is not told. (STOMP:
    // UNSUBSCRIBE of a durable subscription.) The deletion is on disk with the returned ticket.
    virtual ticket end(session& s, time_point now) = 0;

    // A claim not yet answered is given up.
    virtual void abandon(subscriber& who) = 0;

    // Does any shard have a session of this client id?
    [[nodiscard]] virtual bool known(std::string_view client_id) const = 0;
};

} // namespace broker
