// Enhanced authentication (MQTT 5 §4.12): the seam behind which methods like SCRAM live. Without an authenticator every
// method is refused with 0x8C.
//
//   CONNECT method, data  →  begin(), next(data)  →  go_on: AUTH 0x18 to the client, whose answer goes to next() again
//                                                 →  accepted: CONNACK 0x00, or AUTH 0x00 when it re-authenticated
//                                                 →  refused: CONNACK or DISCONNECT with the reason
//
// Threading: called on the connection's shard; never blocks.
#pragma once

#include "protocols/engine.hpp"
#include "protocols/mqtt/reason_code.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace broker::mqtt {

// One exchange of one connection.
class authentication {
public:
    enum class verdict : std::uint8_t { go_on, accepted, refused };
    struct step {
        verdict what = verdict::refused;
        std::optional<std::string> data{};                  // for the client
        std::string user{};                                 // accepted: who it is; empty: whom CONNECT named
        reason_code reason = reason_code::not_authorized;   // refused: one that CONNACK and DISCONNECT have
        std::string reason_string{};                        // refused: for the client's log
    };

    virtual ~authentication() = default;
    // The client's data; nothing: it sent none.
    [[nodiscard]] virtual step next(std::optional<byte_view> data) = 0;
};

class authenticator {
public:
    virtual ~authenticator() = default;
    // Null: this method is not offered.
    [[nodiscard]] virtual std::unique_ptr<authentication> begin(std::string_view method, const client_info& who) = 0;
};

} // namespace broker::mqtt
