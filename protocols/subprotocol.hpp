// The table of what may be spoken inside a WebSocket: Sec-WebSocket-Protocol token → engine. Adding a protocol means
// adding a folder and a row.
#pragma once

#include "protocols/engine.hpp"

#include <memory>
#include <string_view>
#include <vector>

namespace broker {

using engine_maker = std::unique_ptr<engine> (*)(const engine_context&, time_point);

struct subprotocol {
    std::string_view token{};
    engine_maker make = nullptr;
};

[[nodiscard]] const subprotocol* find_subprotocol(std::string_view token); // null: not served
[[nodiscard]] std::vector<std::string_view> supported_tokens();

} // namespace broker
