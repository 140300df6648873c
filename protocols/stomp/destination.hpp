// STOMP destinations and MQTT topics: one name space, two spellings (docs/mapping.md).
//   /topic/NAME ↔ NAME          /queue/NAME ↔ $queue/NAME          NAME without a leading slash: an MQTT name as it stands
//   /temp-queue/ID-CODE/NAME ↔ $temp/ID-CODE/NAME: how everybody calls the temporary queue that its owner calls /temp-queue/NAME
#pragma once

#include "core/result.hpp"
#include "core/topic.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace broker::stomp {

// NAME of "/temp-queue/NAME", which means one of the connection's own; nothing for every other destination.
[[nodiscard]] std::optional<std::string_view> own_temporary(std::string_view destination);

class destinations {
public:
    // `dotted`: levels of /topic/ names are separated by '.' (and by '/'), as ActiveMQ and RabbitMQ have it.
    destinations(const limits& bounds, bool dotted) : bounds_{bounds}, dotted_{dotted} {}

    // The topic name SEND publishes to, valid while `destination` and `scratch` are. Errors say what is wrong with it.
    [[nodiscard]] result<std::string_view, std::string> topic_of(std::string_view destination, std::string& scratch) const;
    // The filter SUBSCRIBE subscribes with. `group` not empty: a shared subscription.
    [[nodiscard]] result<topic_filter, std::string> filter_of(std::string_view destination, std::string_view group) const;
    // What a MESSAGE's destination and reply-to headers say.
    [[nodiscard]] std::string destination_of(std::string_view topic) const;

    // The limit on topics that one which is not accepted is over.
    [[nodiscard]] std::optional<limit_kind> over(std::string_view destination) const;

    [[nodiscard]] bool dotted() const { return dotted_; }

private:
    [[nodiscard]] result<std::string_view, std::string> name_of(std::string_view destination, std::string& scratch) const;

    const limits& bounds_;
    bool dotted_;
};

} // namespace broker::stomp
