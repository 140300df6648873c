#include "protocols/mqtt/engine.hpp"

#include "core/topic.hpp"

namespace broker::mqtt {

std::unique_ptr<broker::engine> make_engine(const engine_context& with, time_point now) {
    return std::make_unique<engine>(with, now);
}

engine::engine(const engine_context& with, time_point now)
    : with_{with}, aliases_{with.bounds.mqtt_topic_alias_maximum}, last_packet_{now}, opened_at_{now} {}

// --- bytes ---

// Any piece of the stream: packets and what they come in share no boundaries [MQTT-6.0.0-2].
void engine::on_bytes(byte_view input, time_point now) {
    if (closing_) return;
    if (buffer_.empty() && !is_unanswered()) {
        const auto used = process(input, now);
        if (!closing_) buffer_.append(as_text(input.subspan(used)));
    } else {
        buffer_.append(as_text(input));
        if (is_unanswered() && buffer_.size() > with_.bounds.max_message_bytes) {
            count_refused(limit_kind::message_bytes);
            fail_with(reason_code::packet_too_large, "limits.max_message: too much sent before CONNACK");
        }
        if (paused()) return;
        process_buffered(now);
    }
    if (buffer_.empty() && buffer_.capacity() > 4096) std::string{}.swap(buffer_);
    settle_deferred(now);
}

void engine::go_on(time_point now) {
    if (closing_ || paused()) return;
    process_buffered(now);
    settle_deferred(now);
}

std::size_t engine::process(byte_view bytes, time_point now) {
    std::size_t used = 0;
    while (!closing_ && !paused()) {
        const auto header = decode_fixed_header(bytes.subspan(used), level_);
        if (!header) {
            fail_with(header.error().reason, header.error().what);
            break;
        }
        if (!*header) break;
        const auto& h = **header;
        // Decided before the packet is buffered. [MQTT-3.2.2-15]
        const bool accepted = phase_ == phase::connected;
        const auto size_max = accepted ? with_.bounds.max_message_bytes : with_.bounds.connect_bytes_max;
        if (h.packet_size() > size_max) {
            if (phase_ == phase::waiting && h.type == packet_type::connect) level_ = level_to_answer(bytes.subspan(used + h.header_size));
            count_refused(accepted ? limit_kind::message_bytes : limit_kind::connect_bytes);
            fail_with(reason_code::packet_too_large, accepted ? "packet larger than limits.max_message" : "packet larger than limits.connect_bytes");
            break;
        }
        if (v5() && !h.minimal) {
            fail_with(reason_code::malformed_packet, "[MQTT-1.5.5-1] remaining length is not in its shortest form");
            break;
        }
        if (bytes.size() - used < h.packet_size()) break;
        last_packet_ = now;
        dispatch(h, bytes.subspan(used + h.header_size, h.remaining), now);
        used += h.packet_size();
    }
    return used;
}

void engine::dispatch(const fixed_header& h, byte_view body, time_point now) {
    constexpr auto mine = static_cast<std::size_t>(protocol_kind::mqtt);
    ++with_.route.count().packets_received[mine];
    const byte_reader in{body};
    const auto handle = [&](auto decoded, auto handler) {
        if (!decoded) return fail_with(decoded.error().reason, decoded.error().what);
        (this->*handler)(*decoded, now);
    };
    if (phase_ == phase::waiting) {
        if (h.type != packet_type::connect) {
            return fail_with(reason_code::protocol_error, "[MQTT-3.1.0-1] the first packet must be CONNECT");
        }
        ++with_.route.count().connects_received[mine];
        auto decoded = decode_connect(in);
        if (decoded && decoded->level == protocol_level::v5 && !h.minimal) {
            decoded = fail(decode_error{.what = "[MQTT-1.5.5-1] remaining length is not in its shortest form"});
        }
        if (decoded) return on_connect(*decoded, body, now);
        const auto& e = decoded.error();
        level_ = level_to_answer(body);
        // Version 5 is told what is wrong [MQTT-3.1.4-1]; 3.x only that its level is unknown [MQTT3-3.1.2-2], else nothing
        // [MQTT3-3.1.4-1].
        if (v5() || e.reason == reason_code::unsupported_protocol_version) return refuse_connect(0x01, e.reason, e.what);
        return fail_with(e.reason, e.what);
    }
    if (phase_ == phase::authenticating && h.type != packet_type::auth && h.type != packet_type::disconnect) {
        return fail_with(reason_code::protocol_error, "[MQTT-3.1.2-30] only AUTH and DISCONNECT before CONNACK");
    }
    switch (h.type) {
    case packet_type::publish: return handle(decode_publish(in, h.flags, level_), &engine::on_publish);
    case packet_type::puback: return handle(decode_ack(in, h.type, level_), &engine::on_puback);
    case packet_type::pubrec: return handle(decode_ack(in, h.type, level_), &engine::on_pubrec);
    case packet_type::pubrel: return handle(decode_ack(in, h.type, level_), &engine::on_pubrel);
    case packet_type::pubcomp: return handle(decode_ack(in, h.type, level_), &engine::on_pubcomp);
    case packet_type::subscribe: return handle(decode_subscribe(in, level_), &engine::on_subscribe);
    case packet_type::unsubscribe: return handle(decode_unsubscribe(in, level_), &engine::on_unsubscribe);
    case packet_type::disconnect: return handle(decode_disconnect(in, level_), &engine::on_disconnect);
    case packet_type::pingreq:
        if (!body.empty()) return fail_with(reason_code::malformed_packet, "§3.12: PINGREQ has no payload");
        return send(as_text(pingresp())); // [MQTT-3.12.4-1]
    case packet_type::connect:
        return fail_with(reason_code::protocol_error, "[MQTT-3.1.0-2] a second CONNECT");
    case packet_type::auth:
        if (!v5()) return fail_with(reason_code::protocol_error, "[MQTT3-2.2.1] a packet of version 5");
        if (!enhanced_) return fail_with(reason_code::protocol_error, "[MQTT-4.12.0-7] no authentication method was agreed on");
        return handle(decode_auth(in), &engine::on_auth);
    case packet_type::connack:
    case packet_type::suback:
    case packet_type::unsuback:
    case packet_type::pingresp:
        return fail_with(reason_code::protocol_error, "§2.1.2: a packet only servers send");
    }
    fail_with(reason_code::malformed_packet, "§2.1.2: unknown packet type");
}

// --- acknowledgements ---

void engine::send(std::string_view packet) {
    if (packet.size() <= packet_size_max_) with_.out.append(as_bytes(packet));
}

void engine::sent(bool frees) {
    // Never below zero: what an earlier connection began may end on this one [§4.9].
    if (frees && exchanges_ != 0) --exchanges_;
}

void engine::send_when_durable(ticket at, std::string bytes, bool frees) {
    if (held_.empty() && with_.route.is_durable(at)) {
        send(bytes);
        return sent(frees);
    }
    // Order is kept: what is durable earlier waits for what was held before [MQTT-4.6.0-2, MQTT-4.6.0-3, MQTT-4.6.0-4].
    if (!held_.empty()) at = std::max(at, held_.back().at);
    held_.push_back({at, std::move(bytes), frees});
}

wording engine::told(std::string_view why) const {
    if (!problem_information_) why = {};
    return {.reason_string = why, .size_max = packet_size_max_};
}

void engine::on_durable(ticket upto, time_point now) {
    if (closing_) return;
    if (phase_ == phase::recording && held_.front().at <= upto) {
        const auto connack = std::move(held_.front().bytes);
        held_.pop_front();
        begin(connack, now);
        process_buffered(now);
    }
    while (!held_.empty() && held_.front().at <= upto) {
        send(held_.front().bytes);
        sent(held_.front().frees);
        held_.pop_front();
    }
    while (!wishes_.empty() && wishes_.front().at <= upto) {
        send_retained_of(wishes_.front(), now);
        wishes_.pop_front();
    }
}

// --- deliveries ---

void engine::deliver(const delivery& d, time_point now) {
    auto& count = with_.route.count();
    if (closing_) return;
    if (phase_ != phase::connected) return count.drop(drop_reason::disconnected); // QoS 0 ahead of CONNACK [MQTT-3.2.0-1]
    if (filtered_ && !may_.receive(d.message->topic())) {
        count.drop(drop_reason::acl);
        return give_up(d);
    }
    if (d.level == qos::at_most_once && with_.out.over_limit()) return count.drop(drop_reason::queue_full);
    sent_topic_aliases::choice alias;
    if (sent_aliases_) alias = sent_aliases_->choose(d.message->topic());
    const auto size = append_publish(with_.out, d,
                                     {.level = level_,
                                      .size_max = packet_size_max_,
                                      .topic_alias = alias.alias,
                                      .topic_known = alias.known},
                                     now);
    if (size == 0) { // as if it had been delivered [MQTT-3.1.2-25]
        count.drop(drop_reason::too_big);
        return give_up(d);
    }
    if (alias.alias != 0 && !alias.known) sent_aliases_->set(alias.alias, d.message->topic());
    constexpr auto mine = static_cast<std::size_t>(protocol_kind::mqtt);
    ++count.messages_sent[mine][static_cast<std::size_t>(d.level)];
    count.message_bytes_sent[mine] += d.message->payload().size();
}

void engine::give_up(const delivery& d) {
    if (d.handle == 0) return;
    if (!given_up_) given_up_ = std::make_unique<std::vector<std::uint16_t>>();
    given_up_->push_back(d.handle);
    with_.out.touch();
}

void engine::release(std::uint16_t handle, time_point) {
    if (!closing_) send(encode_ack(packet_type::pubrel, packet_id{handle}, reason_code::success, level_));
}

void engine::settle_deferred(time_point now) {
    while (given_up_ && session_ != nullptr) { // settling may give up more
        const auto handles = std::exchange(given_up_, nullptr);
        for (const auto handle : *handles) (void)session_->settle(handle, settlement::accepted, now);
    }
}

void engine::on_writable(time_point now) {
    settle_deferred(now);
    if (session_ != nullptr && !closing_) session_->pump(now);
}

// --- time ---

time_point engine::next_deadline() const {
    if (closing_) return never;
    // A store that fails, or nobody who answers, is no reason to wait for ever.
    if (phase_ == phase::recording || phase_ == phase::admitting) return opened_at_ + with_.bounds.connect_timeout;
    if (unread_) return until_;
    if (phase_ == phase::waiting || phase_ == phase::authenticating) return opened_at_ + with_.bounds.connect_timeout;
    if (keep_alive_s_ == 0) return until_;
    return std::min(until_, last_packet_ + milliseconds{keep_alive_s_ * 1500}); // [MQTT-3.1.2-22]
}

void engine::on_deadline(time_point now) {
    if (closing_ || next_deadline() > now) return;
    if (phase_ == phase::recording) {
        return close({.cause = close_cause::overload, .detail = "the session could not be stored in time"}, now);
    }
    if (phase_ == phase::connected && until_ <= now) return close({.cause = close_cause::token_expired}, now);
    if (phase_ == phase::admitting) return close({.cause = close_cause::overload, .detail = "not authenticated in time"}, now);
    close({.cause = close_cause::keepalive,
           .detail = phase_ == phase::waiting          ? "no CONNECT in time"
                     : phase_ == phase::authenticating ? "not authenticated in time"
                                                       : "nothing received for 1.5 times the keep alive"},
          now);
}

void engine::on_reading(bool reads, time_point now) {
    unread_ = !reads;
    last_packet_ = now;
    opened_at_ = now;
}

void engine::on_rights(welcome again, time_point now) {
    if (closing_) return;
    until_ = again.until;
    may_.grant(std::move(again.may), with_.admit, with_.bounds.partial_subscriptions == "refuse");
    if (session_ != nullptr) review_subscriptions(now);
    with_.out.touch();
}

// --- endings ---

// The reason reaches the client in the packet that is due: CONNACK while CONNECT is unanswered [MQTT-3.14.0-1], DISCONNECT
// after; earlier versions have no such word. Then the connection closes [MQTT-4.13.2-1, MQTT-3.14.4-2], and nothing else
// is sent [MQTT-3.14.4-1]. Every malformed packet and protocol error comes here [MQTT-4.13.1-1].
void engine::end_with(reason_code connack_code, reason_code disconnect_code, close_reason why) {
    if (closing_) return;
    if (connack_sent_) {
        if (v5()) {
            send(encode_disconnect(disconnect_code, {.reason_string = why.detail,
                                                     .server_reference = why.server_reference,
                                                     .size_max = packet_size_max_}));
        }
    } else if (phase_ != phase::waiting || v5()) {
        return refuse_connect(return_code_of(why.cause), connack_code, why);
    }
    closing_ = std::make_unique<close_reason>(std::move(why));
    held_.clear();
    with_.out.touch();
}

void engine::count_refused(std::string_view topic) const {
    if (const auto by = limit_over(topic, with_.bounds)) count_refused(*by);
}

// A malformed packet, a protocol error [MQTT-4.13.1-1], or one that cannot be processed now [MQTT3-4.8.0-2].
void engine::fail_with(reason_code reason, std::string_view why) {
    end_with(reason, reason, {.cause = cause_of(reason), .detail = std::string{why}});
}

void engine::close(const close_reason& why, time_point) {
    end_with(connect_reason_of(why.cause), reason_of(why.cause), why);
}

void engine::evict(const close_reason& why, time_point now) {
    session_ = nullptr;
    close(why, now);
}

void engine::on_disconnected(time_point now) {
    if (phase_ == phase::claiming) with_.sessions.abandon(*this);
    if (phase_ == phase::connected) --with_.route.count().clients[static_cast<std::size_t>(protocol_kind::mqtt)];
    if (session_ == nullptr) return;
    // Every end but the client's own DISCONNECT publishes the will [MQTT-3.1.2-8]; a connection that was not accepted has
    // none.
    const auto* const last_will = session_->last_will();
    const bool may = last_will == nullptr || may_.publish(last_will->topic(), last_will->retain()); // by the rules of now
    if (!may) with_.route.count().drop(drop_reason::acl);
    with_.sessions.detach(*session_, connack_sent_ && !clean_end_ && may, now);
    session_ = nullptr;
}

client_info engine::info() const {
    client_info i{.protocol = "mqtt",
                  .version = level_ == protocol_level::v5     ? "5.0"
                             : level_ == protocol_level::v3_1 ? "3.1"
                                                              : "3.1.1",
                  .client_id = client_id_,
                  .user = user_,
                  .keep_alive_s = keep_alive_s_};
    if (session_ != nullptr) {
        i.subscriptions = session_->subscriptions().size();
        i.inflight = session_->outstanding();
        i.waiting = session_->waiting();
    }
    return i;
}

} // namespace broker::mqtt
