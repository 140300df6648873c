// sharing: what a member of a shared group does not keep goes to another member (MQTT 5 §4.8.2).
//
// The other member gets a copy with an id of its own: entries are keyed by it, and that member may be owed the original as
// well. The old entry's erasure and the new one's record are operations of one batch, so a crash finds exactly one.
#pragma once

#include "routing/desk.hpp"

namespace broker {

enum class takers : std::uint8_t {
    online, // members with a connection; those with room first
    any,    // else a member that will get it from the store
};

// `e` was got as a member of a group by `holder`, in whose window or backlog it has no place any more when this returns
// true. False: nobody but `except` would take it, nothing was done.
[[nodiscard]] bool pass_on(shard_desk& desk, const entry& e, session_id holder, const slot* except, takers who);

} // namespace broker
