#include "sim/stomp_wire.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace broker::sim::stomp_wire {

std::string frame_in::get(const std::string& key) const {
    const auto it = headers.find(key);
    return it == headers.end() ? "" : it->second;
}

std::vector<frame_in> take_frames(std::string& bytes) {
    std::vector<frame_in> all;
    for (;;) {
        bytes.erase(0, std::min(bytes.find_first_not_of('\n'), bytes.size()));
        const auto head_end = bytes.find("\n\n");
        if (head_end == std::string::npos) return all;
        frame_in f;
        std::size_t at = bytes.find('\n');
        f.command = bytes.substr(0, at);
        while (at < head_end) {
            const auto line_end = bytes.find('\n', at + 1);
            const auto line = bytes.substr(at + 1, line_end - at - 1);
            const auto colon = line.find(':');
            f.headers.emplace(line.substr(0, colon), line.substr(colon + 1));
            at = line_end;
        }
        const auto body = head_end + 2;
        const auto length = f.get("content-length");
        const auto end = length.empty() ? bytes.find('\0', body) : body + std::stoul(length);
        if (end == std::string::npos || end >= bytes.size()) return all;
        f.body = bytes.substr(body, end - body);
        bytes.erase(0, end + 1);
        all.push_back(std::move(f));
    }
}

checker::given_out job_of(const frame_in& message, std::string queue) {
    const auto priority = message.get("priority");
    return {.what = std::stoul(message.body),
            .queue = std::move(queue),
            .reason = message.get("dlq-reason"),
            .origin = message.get("dlq-original-destination"),
            .priority = priority.empty() ? default_priority : static_cast<unsigned>(std::stoul(priority))};
}

std::string frame(std::string_view command, std::string_view headers, std::string_view body) {
    auto bytes = fmt::format("{}\n{}\n{}", command, headers, body);
    bytes.push_back('\0');
    return bytes;
}

} // namespace broker::sim::stomp_wire
