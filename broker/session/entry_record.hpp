// entry_record: an entry that is one receiver's own, in the store: its message inside it, its key the receiver and the message.
#pragma once

#include "routing/desk.hpp"

namespace broker {

// The same message under an id of its own: entries are keyed by it, and the receiver may be owed the original as well.
[[nodiscard]] message_ptr own_copy(shard_desk& desk, const message& m);

// Writes what the store has of `holder`'s own entry, message included. e.stored is the caller's to set.
void put_entry(shard_desk& desk, const entry& e, session_id holder);

// Erases it, and the shared message with its last entry.
// `answered`: its receiver has it.
void erase_entry(shard_desk& desk, const entry& e, session_id holder, bool answered = false);

} // namespace broker
