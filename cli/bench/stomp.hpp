// stomp: the frames of STOMP 1.2 a load generator sends and reads. It shares no code with the broker, so that no mistake is made on
// both sides.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace broker::cli::bench::stomp {

// Views into what was received.
struct frame {
    std::string_view command{};
    std::string_view headers{}; // lines with their ends
    std::string_view body{};
    // As it is on the wire; empty: not there.
    [[nodiscard]] std::string_view get(std::string_view name) const;
};

[[nodiscard]] std::string connect(std::string_view host, std::string_view user, std::string_view passcode);
[[nodiscard]] std::string subscribe(std::string_view destination, bool acknowledges);
// All of a SEND up to its receipt's value (at QoS 0: up to the body).
[[nodiscard]] std::string send_head(std::string_view destination, bool receipt, std::size_t body_size);
[[nodiscard]] std::string ack(std::string_view id);
// /topic/NAME unless it begins with a slash already.
[[nodiscard]] std::string destination_of(std::string_view topic);

// Takes a whole frame off the front; nothing: it is not whole yet.
[[nodiscard]] std::optional<frame> take(std::string_view& bytes);

} // namespace broker::cli::bench::stomp
