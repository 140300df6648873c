// permission: what may be asked by whoever brings rights instead of opening the socket.
//
//   manage on the path behind /api/v1/    everything there: "manage clients/#"; "manage #" is all of the interface
//   publish, retain, queue_write          POST /api/v1/publish, to those topics
//   subscribe, queue_read                 GET /api/v1/stream, for filters that are allowed wholly
#pragma once

#include "admin/registry.hpp"

namespace broker::admin {

// Why it may not be asked, or nothing; then r.may is set when the command itself has to look.
[[nodiscard]] std::optional<response> refusal_of(request& r, const security::rights& may);

} // namespace broker::admin
