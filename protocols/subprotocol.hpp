// The table of what may be spoken inside a WebSocket: Sec-WebSocket-Protocol token → engine. Adding a protocol means
// adding a folder and a row.
#pragma once

#include "protocols/engine.hpp"

#include <memory>
#include <string_view>
#include <vector>

namespace broker {

struct subprotocol {
    std::string_view token{};
    std::unique_ptr<engine> (*make)(const engine_context&, time_point) = nullptr;
};

[[nodiscard]] const subprotocol* find_subprotocol(std::string_view token); // null: not served
[[nodiscard]] std::vector<std::string_view> supported_tokens();

} // namespace broker
