// mosquitto_acl: Mosquitto's acl_file as a policy (mosquitto.conf(5)).
//
//   topic [read|write|readwrite|deny] TOPIC     before any user line: anonymous clients; after it: that user
//   user NAME
//   pattern [read|write|readwrite|deny] TOPIC   everybody, with %u and %c
//   # comment
//
// read is subscribe, write is publish and retain. Mosquitto too tries deny first. Where a client id or user with a '/' meets a
// pattern that grants, it gives nothing here (placeholder.hpp).
#pragma once

#include "security/rule.hpp"

namespace broker::security {

// Roles "mosquitto:anonymous", "mosquitto:everybody" and "mosquitto:user:NAME". Denies by default, as Mosquitto does once
// there is a file. Error: "FILE:LINE: what, what to write".
[[nodiscard]] result<policy, std::string> import_mosquitto_acl(std::string_view text, std::string_view file);

} // namespace broker::security
