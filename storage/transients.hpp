// transients: what is put and erased in one group never goes to the disk. Most of a durable delivery to a receiver that is there: its
// answer arrives while the group before is being written.
#pragma once

#include "storage/store.hpp"

#include <span>

namespace broker::storage {

// The group without new keys that are erased again in it, in `into`, which is empty. False: there are none, and `into` stays empty.
// The store is the same after both.
[[nodiscard]] bool without_transients(std::span<const batch* const> group, batch& into);

} // namespace broker::storage
