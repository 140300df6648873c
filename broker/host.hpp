// What the process says to its surroundings: log lines as JSON, states to systemd.
#pragma once

#include <spdlog/formatter.h>

#include <memory>
#include <string_view>

namespace broker {

// One JSON object per line: ts (RFC 3339, UTC), level, msg.
[[nodiscard]] std::unique_ptr<spdlog::formatter> json_log_formatter();

// sd_notify: a datagram to $NOTIFY_SOCKET; nothing without it.
void notify_service_manager(std::string_view state);

} // namespace broker
