#include "protocols/subprotocol.hpp"

#include "protocols/mqtt/engine.hpp"
#include "protocols/stomp/engine.hpp"

#include <algorithm>
#include <array>

namespace broker {

namespace {

constexpr std::array<subprotocol, 6> table{{
    {"mqtt", mqtt::make_engine},      // [MQTT-6.0.0-3]; what was found is echoed [MQTT-6.0.0-4]
    {"mqttv3.1", mqtt::make_engine},  // what clients of MQTT 3.1 offer
    {"v12.stomp", stomp::make_engine},
    {"v11.stomp", stomp::make_engine},
    {"v10.stomp", stomp::make_engine},
    {"stomp", stomp::make_engine},
}};

} // namespace

const subprotocol* find_subprotocol(std::string_view token) {
    const auto it = std::ranges::find(table, token, &subprotocol::token);
    return it == table.end() ? nullptr : &*it;
}

std::vector<std::string_view> supported_tokens() {
    std::vector<std::string_view> tokens;
    for (const auto& row : table) tokens.push_back(row.token);
    return tokens;
}

} // namespace broker
