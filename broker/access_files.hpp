// access_files: the [auth] and [[role]] sections with the files they name, as an access_control. Read at start and at every reload.
#pragma once

#include "config/options.hpp"
#include "core/result.hpp"
#include "net/gate.hpp"

#include <memory>
#include <string>
#include <vector>

namespace broker {

struct loaded_access {
    std::shared_ptr<const security::access_control> control{}; // null: nothing is configured, everybody is let in
    access_desk::settings desk{};
    std::vector<std::string> notes{}; // for the log: what was left out, what others may read
};

// Error: one line: which key or file, what, what to do.
[[nodiscard]] result<loaded_access, std::string> load_access(const config::auth_options& from);

} // namespace broker
