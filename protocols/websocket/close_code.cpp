#include "protocols/websocket/close_code.hpp"

namespace broker::websocket {

std::uint16_t close_code_of(close_cause cause) {
    switch (cause) {
    case close_cause::normal: return 1000;
    case close_cause::peer_gone: return 1000;
    case close_cause::server_drain: return 1001;
    case close_cause::protocol_error: return 1002;
    case close_cause::unsupported_data: return 1003;
    case close_cause::bad_utf8: return 1007;
    case close_cause::policy: return 1008;
    case close_cause::too_big: return 1009;
    case close_cause::internal: return 1011;
    case close_cause::overload: return 1013;
    case close_cause::not_authenticated:
    case close_cause::token_expired: return 4401;
    case close_cause::forbidden: return 4403;
    case close_cause::keepalive: return 4408;
    case close_cause::taken_over: return 4409;
    case close_cause::kicked:
    case close_cause::banned: return 4410;
    case close_cause::rate_limited: return 4429;
    case close_cause::use_another_server:
    case close_cause::server_moved: return 1001;
    case close_cause::slow_consumer: return 1008; // it broke the policy of taking what it asked for
    }
    return 1011;
}

std::string close_text_of(const close_reason& why) { return std::string{token(why.cause)}; }

bool is_valid_close_code(std::uint16_t code) {
    if (code >= 3000 && code <= 4999) return true;
    return code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006;
}

} // namespace broker::websocket
