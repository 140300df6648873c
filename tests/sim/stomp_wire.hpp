// STOMP frames as a client reads them.
#pragma once

#include "sim/checker.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace broker::sim::stomp_wire {

struct frame_in {
    std::string command{};
    std::map<std::string, std::string> headers{};
    std::string body{};
    [[nodiscard]] std::string get(const std::string& key) const;
};
// Takes the whole frames off the front of `bytes`.
[[nodiscard]] std::vector<frame_in> take_frames(std::string& bytes);
// A MESSAGE from a queue.
[[nodiscard]] checker::given_out job_of(const frame_in& message, std::string queue);
[[nodiscard]] std::string frame(std::string_view command, std::string_view headers, std::string_view body = "");

} // namespace broker::sim::stomp_wire
