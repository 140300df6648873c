#include "protocols/mqtt/reason_code.hpp"

namespace broker::mqtt {

reason_code reason_of(close_cause cause) {
    switch (cause) {
    case close_cause::normal:
    case close_cause::peer_gone: return reason_code::success;
    case close_cause::server_drain: return reason_code::server_shutting_down;
    case close_cause::protocol_error:
    case close_cause::unsupported_data: return reason_code::protocol_error;
    case close_cause::bad_utf8: return reason_code::malformed_packet;
    case close_cause::policy: return reason_code::not_authorized;
    case close_cause::too_big: return reason_code::packet_too_large;
    case close_cause::internal: return reason_code::unspecified_error;
    case close_cause::overload:
    case close_cause::slow_consumer: return reason_code::quota_exceeded;
    case close_cause::not_authenticated:
    case close_cause::token_expired:
    case close_cause::forbidden: return reason_code::not_authorized;
    case close_cause::keepalive: return reason_code::keep_alive_timeout;
    case close_cause::taken_over: return reason_code::session_taken_over;
    case close_cause::kicked:
    case close_cause::banned: return reason_code::administrative_action; // 0x8A is CONNACK's alone (§3.14.2.1)
    case close_cause::rate_limited: return reason_code::message_rate_too_high;
    case close_cause::use_another_server: return reason_code::use_another_server;
    case close_cause::server_moved: return reason_code::server_moved;
    }
    return reason_code::unspecified_error;
}

// What only a connection that was accepted can run into is unspecified here.
reason_code connect_reason_of(close_cause cause) {
    switch (cause) {
    case close_cause::server_drain: return reason_code::server_unavailable;
    case close_cause::not_authenticated: return reason_code::bad_user_name_or_password;
    case close_cause::kicked:
    case close_cause::banned: return reason_code::banned;
    case close_cause::rate_limited: return reason_code::connection_rate_exceeded;
    case close_cause::normal:
    case close_cause::peer_gone:
    case close_cause::keepalive:
    case close_cause::taken_over: return reason_code::unspecified_error;
    default: return reason_of(cause);
    }
}

std::uint8_t return_code_of(close_cause cause) {
    switch (cause) {
    case close_cause::not_authenticated: return 0x04;
    case close_cause::policy:
    case close_cause::token_expired:
    case close_cause::forbidden:
    case close_cause::kicked:
    case close_cause::banned: return 0x05;
    default: return 0x03; // server unavailable
    }
}

close_cause cause_of(reason_code reason) {
    switch (reason) {
    case reason_code::packet_too_large: return close_cause::too_big;
    case reason_code::keep_alive_timeout: return close_cause::keepalive;
    case reason_code::session_taken_over: return close_cause::taken_over;
    case reason_code::quota_exceeded:
    case reason_code::server_busy: return close_cause::overload;
    case reason_code::bad_user_name_or_password:
    case reason_code::bad_authentication_method: return close_cause::not_authenticated;
    case reason_code::not_authorized: return close_cause::policy;
    case reason_code::banned: return close_cause::banned;
    case reason_code::administrative_action: return close_cause::kicked;
    case reason_code::server_unavailable:
    case reason_code::server_shutting_down: return close_cause::server_drain;
    case reason_code::message_rate_too_high:
    case reason_code::connection_rate_exceeded: return close_cause::rate_limited;
    case reason_code::use_another_server: return close_cause::use_another_server;
    case reason_code::server_moved: return close_cause::server_moved;
    case reason_code::unspecified_error:
    case reason_code::implementation_specific_error: return close_cause::internal;
    default: return close_cause::protocol_error;
    }
}

} // namespace broker::mqtt
