// STOMP destinations and MQTT topics: one name space, two spellings (docs/mapping.md).
//   /topic/NAME ↔ NAME          /queue/NAME ↔ $queue/NAME          NAME without a leading slash: an MQTT name as it stands
#pragma once

#include "core/result.hpp"
#include "core/topic.hpp"

#include <string>
#include <string_view>

namespace broker::stomp {

// The topic name SEND publishes to. Errors say what is wrong with the destination.
[[nodiscard]] result<std::string, std::string> topic_of(std::string_view destination, const limits& bounds);
// The filter SUBSCRIBE subscribes with. `group` not empty: a shared subscription.
[[nodiscard]] result<topic_filter, std::string> filter_of(std::string_view destination, std::string_view group,
                                                          const limits& bounds);
// What a MESSAGE's destination header says.
[[nodiscard]] std::string destination_of(std::string_view topic);

} // namespace broker::stomp
