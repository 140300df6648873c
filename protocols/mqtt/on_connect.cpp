// CONNECT (MQTT 5 §3.1) and CONNACK (§3.2).
#include "protocols/mqtt/engine.hpp"

#include "core/topic.hpp"

#include <algorithm>

namespace broker::mqtt {

namespace {

constexpr std::uint32_t never_expires = 0xFFFF'FFFF; // §3.1.2.11.2

} // namespace

void engine::refuse_connect(std::uint8_t v3_code, reason_code v5_code, std::string_view why) {
    const auto code = v5() ? static_cast<std::uint8_t>(v5_code) : v3_code;
    with_.out.append(as_bytes(encode_connack({.code = code}, level_)));
    ++with_.route.count().connect_rejected[static_cast<std::size_t>(cause_of(v5_code))];
    closing_ = close_reason{.cause = cause_of(v5_code), .detail = std::string{why}};
    with_.out.touch();
}

std::optional<will> engine::will_of(const connect& c, time_point now) {
    if (!c.will) return std::nullopt;
    const auto& w = *c.will;
    std::string passed_on;
    copy_passed_on(w.with.raw, passed_on);
    message_fields fields{.topic = w.topic,
                          .properties = as_bytes(passed_on),
                          .payload = w.payload,
                          .level = w.level,
                          .retain = w.retain,
                          .received_at = now};
    if (w.with.message_expiry_interval) fields.expires_at = now + seconds{*w.with.message_expiry_interval};
    return will{.message = make_message(fields), .delay = seconds{w.with.will_delay_interval.value_or(0)}};
}

void engine::on_connect(const connect& c, time_point now) {
    level_ = c.level;
    const auto& bounds = with_.bounds;
    if (c.client_id.size() > bounds.max_client_id_bytes) {
        return refuse_connect(0x02, reason_code::client_identifier_not_valid, "client identifier over the limit");
    }
    if (c.with.authentication_method) {
        return refuse_connect(0x05, reason_code::bad_authentication_method, "§4.12: no authentication method is offered");
    }
    if (c.will && !is_topic_name(c.will->topic, bounds)) {
        if (!v5()) return fail_with(reason_code::topic_name_invalid, "§4.7: will topic"); // no code says so [MQTT3-3.2.2-6]
        return refuse_connect(0, reason_code::topic_name_invalid, "§4.7: will topic");
    }
    if (c.will && c.will->topic.starts_with('$') && !queue_name(c.will->topic)) {
        return refuse_connect(0x05, reason_code::topic_name_invalid, "§4.7.2: will topic of the server");
    }
    if (c.will && c.will->with.response_topic && !is_topic_name(*c.will->with.response_topic, bounds)) {
        return refuse_connect(0, reason_code::protocol_error, "[MQTT-3.3.2-14] response topic of the will");
    }
    if (c.client_id.empty()) {
        if (!v5() && (!c.clean || c.level == protocol_level::v3_1)) { // [MQTT3-3.1.3-8]
            return refuse_connect(0x02, reason_code::client_identifier_not_valid,
                                  "an empty client identifier needs a clean session");
        }
        client_id_ = with_.new_client_id();
        if (v5()) assigned_client_id_ = client_id_; // [MQTT-3.2.2-16]
    } else {
        client_id_ = c.client_id;
    }
    user_ = c.user.value_or("");
    keep_alive_s_ = c.keep_alive_s;
    if (bounds.mqtt_max_keep_alive.count() != 0 && v5() &&
        (keep_alive_s_ == 0 || keep_alive_s_ > bounds.mqtt_max_keep_alive.count())) {
        keep_alive_s_ = static_cast<std::uint16_t>(bounds.mqtt_max_keep_alive.count());
        keep_alive_changed_ = true; // [MQTT-3.2.2-21]
    }
    packet_size_max_ = c.with.maximum_packet_size.value_or(~std::uint32_t{0});

    attachment with{.who = this,
                    .window = std::min(c.with.receive_maximum.value_or(0xFFFF), bounds.mqtt_max_inflight),
                    .last_will = will_of(c, now)};
    if (v5()) {
        session_expiry_ = c.with.session_expiry_interval.value_or(0);
        const auto allowed = static_cast<std::uint32_t>(bounds.max_session_expiry.count());
        if (allowed != 0 && session_expiry_ > allowed) {
            session_expiry_ = allowed;
            expiry_changed_ = allowed;
        }
    } else {
        session_expiry_ = c.clean ? 0 : never_expires;
    }
    with.expires = session_expiry_ != never_expires;
    with.expiry = seconds{with.expires ? session_expiry_ : 0};

    const auto claimed = with_.sessions.claim(client_id_, c.clean, std::move(with), now);
    if (claimed.refused) return refuse_connect(0x03, reason_code::quota_exceeded, "limits.max_sessions reached");
    if (claimed.now == nullptr) {
        phase_ = phase::claiming;
        return;
    }
    session_ = claimed.now;
    accept(claimed.present, now);
}

void engine::on_session(session& claimed, bool present, time_point now) {
    session_ = &claimed;
    accept(present, now);
    // What came meanwhile.
    const auto used = process(as_bytes(buffer_), now);
    buffer_.erase(0, used);
    with_.out.touch();
}

void engine::accept(bool present, time_point now) {
    phase_ = phase::connected;
    ++with_.route.count().clients[static_cast<std::size_t>(protocol_kind::mqtt)];
    connack answer{.session_present = present && level_ != protocol_level::v3_1}; // 3.1 has no such flag
    if (v5()) {
        const auto& bounds = with_.bounds;
        answer.assigned_client_id = assigned_client_id_;
        answer.receive_maximum = bounds.mqtt_receive_maximum;
        answer.topic_alias_maximum = bounds.mqtt_topic_alias_maximum;
        answer.maximum_packet_size = static_cast<std::uint32_t>(bounds.max_message_bytes);
        if (keep_alive_changed_) answer.server_keep_alive = keep_alive_s_;
        answer.session_expiry_interval = expiry_changed_;
    }
    with_.out.append(as_bytes(encode_connack(answer, level_))); // first of all [MQTT-3.2.0-1]
    connack_sent_ = true;
    session_->resume(now);
}

} // namespace broker::mqtt
