// DISCONNECT from a client (MQTT 5 §3.14).
#include "protocols/mqtt/engine.hpp"

namespace broker::mqtt {

void engine::on_disconnect(const disconnect& d, time_point) {
    if (d.with.session_expiry_interval) {
        if (session_expiry_ == 0 && *d.with.session_expiry_interval != 0) { // §3.14.2.2.2
            return fail_with(reason_code::protocol_error, "session expiry was 0 at CONNECT and cannot be raised");
        }
        // On disk when the session is let go of, in on_disconnected().
        const auto expiry = granted_expiry(*d.with.session_expiry_interval);
        if (session_ != nullptr) session_->set_expiry(seconds{expiry}, expiry != 0xFFFF'FFFF);
    }
    clean_end_ = d.reason == reason_code::success; // [MQTT-3.14.4-3]; every other reason publishes the will
    closing_ = std::make_unique<close_reason>(close_reason{.cause = close_cause::normal});
    held_.clear();
    with_.out.touch();
}

} // namespace broker::mqtt
