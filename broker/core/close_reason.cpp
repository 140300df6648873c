#include "core/close_reason.hpp"

namespace broker {

std::string_view token(close_cause cause) {
    switch (cause) {
    case close_cause::normal: return "normal";
    case close_cause::peer_gone: return "peer_gone";
    case close_cause::server_drain: return "server_drain";
    case close_cause::protocol_error: return "protocol_error";
    case close_cause::unsupported_data: return "unsupported_data";
    case close_cause::bad_utf8: return "bad_utf8";
    case close_cause::policy: return "policy";
    case close_cause::too_big: return "too_big";
    case close_cause::internal: return "internal";
    case close_cause::overload: return "overload";
    case close_cause::not_authenticated: return "token_invalid";
    case close_cause::token_expired: return "token_expired";
    case close_cause::forbidden: return "forbidden";
    case close_cause::keepalive: return "keepalive";
    case close_cause::taken_over: return "taken_over";
    case close_cause::kicked: return "kicked";
    case close_cause::rate_limited: return "rate_limited";
    case close_cause::slow_consumer: return "slow_consumer";
    case close_cause::use_another_server: return "use_another_server";
    case close_cause::server_moved: return "server_moved";
    case close_cause::banned: return "banned";
    }
    return "internal";
}

} // namespace broker
