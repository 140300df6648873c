// stored_access: what the store says about who comes in, as it is now: administrators change it while the server runs and the
// configuration (access_control) stays as it is.
#pragma once

#include "security/api_key.hpp"
#include "security/revocations.hpp"
#include "security/users.hpp"

namespace broker::security {

struct stored_access {
    revocations revoked{};
    api_keys keys{};
    stored_users users{};
};

} // namespace broker::security
