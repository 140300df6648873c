// CONNECT (MQTT 5 §3.1) and CONNACK (§3.2).
#include "protocols/mqtt/engine.hpp"

#include "core/assert.hpp"
#include "core/topic.hpp"
#include "core/utf8.hpp"

#include <algorithm>

namespace broker::mqtt {

namespace {

constexpr std::uint32_t never_expires = 0xFFFF'FFFF; // §3.1.2.11.2

} // namespace

// Nothing the client sends after a refused CONNECT is looked at [MQTT-3.1.4-6]: closing_ is set.
void engine::refuse_connect(std::uint8_t v3_code, reason_code v5_code, const close_reason& why) {
    const auto code = v5() ? static_cast<std::uint8_t>(v5_code) : v3_code; // session present 0 [MQTT-3.2.2-6]
    send(encode_connack({.code = code, .server_reference = why.server_reference, .reason_string = why.detail}, level_,
                        packet_size_max_));
    ++with_.route.count().connect_rejected[static_cast<std::size_t>(why.cause)];
    closing_ = std::make_unique<close_reason>(why); // [MQTT-3.2.2-7]
    held_.clear();
    with_.out.touch();
}

void engine::refuse_connect(std::uint8_t v3_code, reason_code v5_code, std::string_view why) {
    refuse_connect(v3_code, v5_code, close_reason{.cause = cause_of(v5_code), .detail = std::string{why}});
}

// Only what its flags and properties say [MQTT-3.1.2-12, MQTT-3.1.2-14, MQTT-3.1.2-15].
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

// What CONNECT must conform to beyond its form [MQTT-3.1.4-2].
bool engine::admissible(const connect& c) {
    const auto& bounds = with_.bounds;
    if (c.client_id.size() > bounds.max_client_id_bytes) { // 23 bytes and more are fine [MQTT-3.1.3-5]
        count_refused(limit_kind::client_id);
        // [MQTT-3.1.3-8, MQTT3-3.1.3-9]
        refuse_connect(0x02, reason_code::client_identifier_not_valid, "client identifier over limits.max_client_id");
    } else if (c.client_id.empty() && !v5() && (!c.clean || c.level == protocol_level::v3_1)) {
        refuse_connect(0x02, reason_code::client_identifier_not_valid,
                       "an empty client identifier needs a clean session"); // [MQTT3-3.1.3-8]
    } else if (c.will && !is_topic_name(c.will->topic, bounds)) {
        count_refused(c.will->topic);
        if (v5()) {
            refuse_connect(0, reason_code::topic_name_invalid, "§4.7: will topic");
        } else {
            fail_with(reason_code::topic_name_invalid, "§4.7: will topic"); // no code says so [MQTT3-3.2.2-6]
        }
    } else if (c.will && is_server_topic(c.will->topic)) {
        refuse_connect(0x05, reason_code::topic_name_invalid, "§4.7.2: will topic of the server");
    } else if (c.will && c.will->with.payload_format_indicator == 1 && !is_utf8(as_text(c.will->payload))) {
        refuse_connect(0, reason_code::payload_format_invalid, "§3.1.3.2.3: will payload is not UTF-8");
    } else if (c.will && c.will->retain && !bounds.keeps_retained()) {
        refuse_connect(0x03, reason_code::retain_not_supported, "retained messages are off"); // [MQTT-3.2.2-13]
    }
    return !closing_;
}

std::uint32_t engine::granted_expiry(std::uint32_t wanted_s) const {
    const auto allowed = with_.bounds.max_session_expiry.count();
    return allowed == 0 ? wanted_s : static_cast<std::uint32_t>(std::min<std::int64_t>(wanted_s, allowed));
}

void engine::take_wishes(const connect& c) {
    const auto& bounds = with_.bounds;
    user_ = c.user.value_or("");
    keep_alive_s_ = c.keep_alive_s; // [MQTT-3.2.2-22]
    if (bounds.mqtt_max_keep_alive.count() != 0 && v5() &&
        (keep_alive_s_ == 0 || keep_alive_s_ > bounds.mqtt_max_keep_alive.count())) {
        keep_alive_s_ = static_cast<std::uint16_t>(bounds.mqtt_max_keep_alive.count());
        keep_alive_changed_ = true; // [MQTT-3.2.2-21]
    }
    response_information_ = c.with.request_response_information;
    const auto aliases = std::min(c.with.topic_alias_maximum.value_or(0), bounds.mqtt_outbound_topic_alias_maximum);
    if (aliases != 0) sent_aliases_ = std::make_unique<sent_topic_aliases>(aliases); // else none [MQTT-3.1.2-27]
    // 3.x: with the connection [MQTT3-3.1.2-6] or never [MQTT3-3.1.2-4].
    const auto wanted = v5() ? c.with.session_expiry_interval.value_or(0) : c.clean ? 0 : never_expires;
    session_expiry_ = granted_expiry(wanted);
    if (session_expiry_ != wanted) expiry_changed_ = session_expiry_;
    if (!c.client_id.empty()) {
        client_id_ = c.client_id;
        return;
    }
    do { // not one that somebody else chose for himself [MQTT-3.2.2-16]
        client_id_ = with_.new_ids.new_client_id();
    } while (with_.sessions.known(client_id_));
    client_id_is_ours_ = true; // [MQTT-3.1.3-6, MQTT-3.1.3-7, MQTT3-3.1.3-6]
}

void engine::on_connect(const connect& c, byte_view body, time_point now) {
    level_ = c.level;
    packet_size_max_ = c.with.maximum_packet_size.value_or(~std::uint32_t{0});
    problem_information_ = c.with.request_problem_information;
    if (!admissible(c)) return;
    take_wishes(c);
    if (c.with.authentication_method) return begin_authentication(c, body, now);
    seek_admission(c, body, now);
}

void engine::seek_admission(const connect& c, byte_view body, time_point now) {
    if (with_.admit == nullptr) return claim_session(c, {}, now);
    newcomer who{.client_id = client_id_, .user = user_, .protocol = "mqtt"};
    if (c.password) who.password = as_text(*c.password);
    if (enhanced_ && enhanced_->is_token) who.token = as_text(c.with.authentication_data.value_or(byte_view{}));
    auto given = with_.admit->ask(who, [this](admission::answer later, time_point then) { on_admission(std::move(later), then); });
    if (given) return enter(c, std::move(*given), now);
    phase_ = phase::admitting;
    connect_body_ = std::make_unique<std::string>(as_text(body));
}

void engine::on_admission(admission::answer given, time_point now) {
    if (closing_) return;
    const auto body = std::exchange(connect_body_, nullptr);
    const auto c = decode_connect(byte_reader{as_bytes(*body)});
    BROKER_ASSERT(c.has_value()); // it was, before it was asked about
    enter(*c, std::move(given), now);
    process_buffered(now);
    with_.out.touch();
}

void engine::enter(const connect& c, admission::answer given, time_point now) {
    if (const auto* const why = std::get_if<close_reason>(&given)) {
        return refuse_connect(return_code_of(why->cause), connect_reason_of(why->cause), *why);
    }
    auto& may = std::get<welcome>(given);
    if (!may.user.empty()) user_ = may.user;
    until_ = may.until;
    may_.grant(std::move(may.may), with_.admit, with_.bounds.partial_subscriptions == "refuse");
    // A will that will not be published must not look accepted.
    if (c.will && !may_.publish(c.will->topic, c.will->retain)) {
        return refuse_connect(0x05, reason_code::not_authorized, close_reason{.cause = close_cause::forbidden});
    }
    claim_session(c, std::move(may.user), now);
}

void engine::claim_session(const connect& c, std::string owner, time_point now) {
    attachment with{.who = this,
                    .user = std::move(owner),
                    .window = std::min(c.with.receive_maximum.value_or(0xFFFF), with_.bounds.mqtt_max_inflight), // [MQTT-4.9.0-1]
                    .expiry = seconds{session_expiry_ == never_expires ? 0 : session_expiry_},
                    .expires = session_expiry_ != never_expires,
                    .last_will = will_of(c, now)};
    // By client identifier and nothing else [MQTT-3.1.3-2]; discarded first with Clean Start [MQTT-3.1.2-4, MQTT-3.1.4-4].
    const auto claimed = with_.sessions.claim(client_id_, c.clean, std::move(with), now);
    // The same words as for a client id that may not connect: nobody learns whose sessions there are.
    if (claimed.forbidden) return refuse_connect(0x05, reason_code::not_authorized, close_reason{.cause = close_cause::forbidden});
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
    if (closing_) return; // on_disconnected() lets go of it
    accept(present, now);
    process_buffered(now);
    with_.out.touch();
}

// What came while paused.
void engine::process_buffered(time_point now) {
    const auto used = process(as_bytes(buffer_), now);
    buffer_.erase(0, used);
}

void engine::accept(bool present, time_point now) {
    const auto& bounds = with_.bounds;
    // Present is never true with Clean Start [MQTT-3.2.2-2, MQTT-3.2.2-3]; 3.1 has no such flag.
    connack answer{.session_present = present && level_ != protocol_level::v3_1};
    std::string response;
    if (v5()) {
        if (client_id_is_ours_) answer.assigned_client_id = client_id_;
        if (bounds.mqtt_receive_maximum != 0xFFFF) answer.receive_maximum = bounds.mqtt_receive_maximum;
        answer.topic_alias_maximum = bounds.mqtt_topic_alias_maximum;
        answer.maximum_packet_size = static_cast<std::uint32_t>(bounds.max_message_bytes);
        answer.retain_available = bounds.keeps_retained();
        if (keep_alive_changed_) answer.server_keep_alive = keep_alive_s_;
        answer.session_expiry_interval = expiry_changed_;
        if (enhanced_) { // [MQTT-4.12.0-5], else neither this nor AUTH [MQTT-4.12.0-6]
            answer.authentication_method = enhanced_->method;
            answer.authentication_data = enhanced_->last_data;
        }
        if (response_information_ && !bounds.mqtt_response_information.empty()) { // [MQTT-3.1.2-28]
            response = bounds.mqtt_response_information + client_id_;
            if (is_topic_name(response, bounds)) answer.response_information = response;
        }
    }
    if (present) review_subscriptions(now);
    auto packet = encode_connack(answer, level_, packet_size_max_);
    if (packet.size() > packet_size_max_) { // it must be told these things and cannot be
        return refuse_connect(0, reason_code::packet_too_large, "the client's maximum packet size is below that of CONNACK");
    }
    // CONNACK says that the session is there, and from now on does not expire: not before a power cut cannot change that
    // [MQTT-3.1.2-23], nor before its will is stored [MQTT-3.1.2-7].
    if (!with_.route.is_durable(session_->recorded_at())) {
        phase_ = phase::recording;
        held_.push_back({session_->recorded_at(), std::move(packet)});
        return;
    }
    begin(packet, now);
}

// What the session subscribed to under other rules: a filter that is not allowed any more ends as by UNSUBSCRIBE.
void engine::review_subscriptions(time_point now) {
    filtered_ = false;
    std::vector<std::string> over;
    for (const auto& [text, options] : session_->subscriptions()) {
        const auto covered = may_.subscribe(text);
        filtered_ |= covered == security::coverage::part;
        if (covered == security::coverage::none) over.push_back(text);
    }
    for (const auto& text : over) {
        if (const auto filter = topic_filter::parse(text, with_.bounds)) (void)with_.route.unsubscribe(*session_, *filter, now);
    }
}

void engine::begin(std::string_view connack, time_point now) {
    phase_ = phase::connected;
    ++with_.route.count().clients[static_cast<std::size_t>(protocol_kind::mqtt)];
    send(connack); // first of all [MQTT-3.2.0-1, MQTT-3.1.4-5], and only once [MQTT-3.2.0-2]
    connack_sent_ = true;
    session_->resume(now);
}

} // namespace broker::mqtt
