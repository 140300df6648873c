#include "protocols/stomp/reserved.hpp"

#include <algorithm>
#include <array>

namespace broker::stomp {

namespace {

constexpr std::array<std::string_view, 19> reserved{
    "destination", "receipt", "transaction", "content-length", "message-id",  "subscription",
    "ack",         "expires", "expiration",  "ttl",            "persistent",  "retain",
    "content-type", "correlation-id", correlation_encoding, "reply-to", "redelivered", "redelivery-count",
    "browser"};

} // namespace

bool is_reserved(std::string_view header) { return std::ranges::find(reserved, header) != reserved.end(); }

} // namespace broker::stomp
