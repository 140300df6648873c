// AUTH (MQTT 5 §3.15) and the exchanges of enhanced authentication (§4.12), before CONNACK and after.
#include "protocols/mqtt/engine.hpp"

#include "core/assert.hpp"

namespace broker::mqtt {

namespace {

// One step: the client's data is a token, the server has nothing to ask.
constexpr std::string_view token_method = "token";

} // namespace

void engine::begin_authentication(const connect& c, byte_view body, time_point now) {
    const auto method = *c.with.authentication_method;
    if (method == token_method && with_.admit != nullptr) {
        enhanced_ = std::make_unique<enhanced>();
        enhanced_->method = method;
        enhanced_->is_token = true;
        return seek_admission(c, body, now);
    }
    auto exchange = with_.authenticate == nullptr ? nullptr : with_.authenticate->begin(method, info());
    if (!exchange) { // [MQTT-4.12.0-1]
        return refuse_connect(0, reason_code::bad_authentication_method, "this authentication method is not offered");
    }
    enhanced_ = std::make_unique<enhanced>();
    enhanced_->method = method;
    enhanced_->connect_body = as_text(body);
    enhanced_->exchange = std::move(exchange);
    phase_ = phase::authenticating;
    authenticate(c.with.authentication_data, now);
}

void engine::on_auth(const auth& a, time_point now) {
    if (*a.with.authentication_method != enhanced_->method) { // [MQTT-4.12.0-5, MQTT-4.12.1-1]
        return fail_with(reason_code::protocol_error, "[MQTT-4.12.0-5] the authentication method cannot change");
    }
    if (enhanced_->is_token) return renew_token(a, now);
    if (a.reason == reason_code::re_authenticate) {
        if (!connack_sent_ || enhanced_->exchange) { // [MQTT-4.12.0-3]
            return fail_with(reason_code::protocol_error, "§4.12.1: an authentication is under way");
        }
        enhanced_->exchange = with_.authenticate->begin(enhanced_->method, info());
        if (!enhanced_->exchange) {
            return fail_with(reason_code::not_authorized, "this authentication method is not offered any more");
        }
    } else if (!enhanced_->exchange) {
        return fail_with(reason_code::protocol_error, "§4.12: no authentication is under way");
    }
    authenticate(a.with.authentication_data, now);
}

void engine::renew_token(const auth& a, time_point now) {
    if (a.reason != reason_code::re_authenticate || !connack_sent_) {
        return fail_with(reason_code::protocol_error, "§4.12: no authentication is under way");
    }
    auto given = with_.admit->renew(as_text(a.with.authentication_data.value_or(byte_view{})));
    if (auto* const why = std::get_if<close_reason>(&given)) { // [MQTT-4.12.1-2]
        return end_with(reason_code::not_authorized, reason_code::not_authorized, std::move(*why));
    }
    send(encode_auth(reason_code::success, enhanced_->method, std::nullopt));
    on_rights(std::get<welcome>(std::move(given)), now);
}

void engine::authenticate(std::optional<byte_view> data, time_point now) {
    auto step = enhanced_->exchange->next(data);
    switch (step.what) {
    case authentication::verdict::go_on: // [MQTT-4.12.0-2]
        return send(encode_auth(reason_code::continue_authentication, enhanced_->method, step.data));
    case authentication::verdict::refused: { // CONNACK [MQTT-4.12.0-4] or DISCONNECT [MQTT-4.12.1-2]
        close_reason why{.cause = cause_of(step.reason), .detail = std::move(step.reason_string)};
        // DISCONNECT has no code for credentials.
        const auto after = why.cause == close_cause::not_authenticated ? reason_code::not_authorized : step.reason;
        return end_with(step.reason, after, std::move(why));
    }
    case authentication::verdict::accepted: break;
    }
    enhanced_->exchange.reset();
    if (!step.user.empty()) user_ = std::move(step.user);
    if (connack_sent_) return send(encode_auth(reason_code::success, enhanced_->method, step.data));
    enhanced_->last_data = std::move(step.data);
    authenticated(now);
}

void engine::authenticated(time_point now) {
    const auto body = std::move(enhanced_->connect_body);
    const auto c = decode_connect(byte_reader{as_bytes(body)});
    BROKER_ASSERT(c.has_value()); // it was, before the exchange began
    seek_admission(*c, as_bytes(body), now);
}

} // namespace broker::mqtt
