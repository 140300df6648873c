// mqtt::engine: MQTT 3.1, 3.1.1 and 5.0, one connection. Versions differ in data (protocol_level) or a small branch.
#pragma once

#include "core/ring.hpp"
#include "protocols/engine.hpp"
#include "protocols/mqtt/authenticator.hpp"
#include "protocols/mqtt/decode.hpp"
#include "protocols/mqtt/encode.hpp"
#include "protocols/mqtt/packet.hpp"
#include "protocols/mqtt/topic_alias.hpp"

namespace broker::mqtt {

class engine final : public broker::engine, public subscriber {
public:
    engine(const engine_context& with, time_point now);
    ~engine() override = default;

    // --- broker::engine ---
    void on_bytes(byte_view input, time_point now) override;
    void on_durable(ticket upto, time_point now) override;
    [[nodiscard]] ticket awaiting() const override { return held_.empty() ? ticket{} : held_.back().at; }
    void on_writable(time_point now) override;
    void on_deadline(time_point now) override;
    [[nodiscard]] time_point next_deadline() const override;
    void on_disconnected(time_point now) override;
    void close(const close_reason& why, time_point now) override;
    [[nodiscard]] const close_reason* closing() const override { return closing_.get(); }
    void on_rights(welcome again, time_point now) override;
    [[nodiscard]] bool paused() const override { return is_unanswered() || with_.route.full() || (with_.meter != nullptr && with_.meter->exhausted()); }
    void go_on(time_point now) override;
    void on_reading(bool reads, time_point now) override;
    [[nodiscard]] bool accepts_text() const override { return false; } // [MQTT-6.0.0-1]
    [[nodiscard]] client_info info() const override;
    [[nodiscard]] protocol_kind kind() const override { return protocol_kind::mqtt; }

    // --- subscriber ---
    [[nodiscard]] bool has_room() const override { return phase_ == phase::connected && !with_.out.over_limit(); }
    [[nodiscard]] bool has_room_to_spare() const override { return phase_ == phase::connected && !with_.out.half_full(); }
    void deliver(const delivery& d, time_point now) override;
    void release(std::uint16_t handle, time_point now) override;
    void on_session(session& claimed, bool present, time_point now) override;
    void evict(const close_reason& why, time_point now) override;

private:
    // waiting for CONNECT → [authenticating, §4.12] → [admitting: who it is takes a while to find out] → [claiming: the session is on its way] → [recording: CONNACK waits until
    // the session's record is on disk] → connected (CONNACK sent)
    enum class phase : std::uint8_t { waiting, authenticating, admitting, claiming, recording, connected };
    // A granted subscription that asks for what is retained: it follows the SUBACK, which waits for the ticket.
    struct retained_wish {
        ticket at{};
        topic_filter filter;
        subscription_options options{};
    };
    void send_retained_of(const retained_wish& w, time_point now);

    struct held_packet {
        ticket at{};
        std::string bytes{};
        bool frees = false; // it ends a publication's exchange
    };
    // Of a client that named an authentication method.
    struct enhanced {
        std::string method{};
        std::string connect_body{}; // while CONNECT is not answered
        std::unique_ptr<authentication> exchange{};
        bool is_token = false; // method "token": the data is one, and whoever admits decides
        std::optional<std::string> last_data{}; // goes into CONNACK
    };
    struct objection {
        reason_code reason{};
        std::string_view why{};
        std::optional<drop_reason> counted_as{}; // QoS 0 has no other answer; nothing: it is counted already
    };

    std::size_t process(byte_view bytes, time_point now); // returns how much was consumed
    void dispatch(const fixed_header& h, byte_view body, time_point now);
    void on_connect(const connect& c, byte_view body, time_point now);
    void on_auth(const auth& a, time_point now);
    void on_publish(const publish& p, time_point now);
    [[nodiscard]] settlement refused() const;
    void on_puback(const ack& a, time_point now);
    void on_pubrec(const ack& a, time_point now);
    void on_pubrel(const ack& a, time_point now);
    void on_pubcomp(const ack& a, time_point now);
    void out_of_order();
    void on_subscribe(const subscribe& s, time_point now);
    void on_unsubscribe(const unsubscribe& u, time_point now);
    void on_disconnect(const disconnect& d, time_point now);

    // CONNECT, step by step
    [[nodiscard]] bool admissible(const connect& c); // false: it was refused
    void take_wishes(const connect& c);
    void begin_authentication(const connect& c, byte_view body, time_point now);
    void authenticate(std::optional<byte_view> data, time_point now);
    void renew_token(const auth& a, time_point now);
    void authenticated(time_point now);
    void seek_admission(const connect& c, byte_view body, time_point now);
    void on_admission(admission::answer given, time_point now);
    void enter(const connect& c, admission::answer given, time_point now);
    void claim_session(const connect& c, std::string owner, time_point now); // `owner`: whose the session is to be
    void review_subscriptions(time_point now);
    void accept(bool present, time_point now);
    void begin(std::string_view connack, time_point now);
    void process_buffered(time_point now);
    [[nodiscard]] bool is_unanswered() const {
        return phase_ == phase::admitting || phase_ == phase::claiming || phase_ == phase::recording;
    }
    void refuse_connect(std::uint8_t v3_code, reason_code v5_code, const close_reason& why);
    void refuse_connect(std::uint8_t v3_code, reason_code v5_code, std::string_view why);
    [[nodiscard]] std::optional<will> will_of(const connect& c, time_point now);
    [[nodiscard]] std::uint32_t granted_expiry(std::uint32_t wanted_s) const;

    // PUBLISH
    [[nodiscard]] std::optional<std::string_view> topic_of(const publish& p);
    [[nodiscard]] std::optional<objection> objection_to(const publish& p, std::string_view topic);
    [[nodiscard]] message_ptr message_of(const publish& p, std::string_view topic, time_point now);
    void refuse_publish(const publish& p, const objection& why);

    // Everything but deliveries leaves through here. What is over the client's maximum is not sent [MQTT-3.1.2-24].
    void send(std::string_view packet);
    // In order; after everything held before, and not before its ticket is durable. `frees`: it ends the exchange of a
    // publication, whose share of our Receive Maximum is free with it.
    void send_when_durable(ticket at, std::string bytes, bool frees = false);
    void sent(bool frees);
    void fail_with(reason_code reason, std::string_view why);
    void count_refused(limit_kind by) const { with_.route.count().refuse(by); }
    void count_refused(std::string_view topic) const; // a name or filter that is not accepted: by a limit?
    void end_with(reason_code connack_code, reason_code disconnect_code, close_reason why);
    // What an acknowledgement may say about its code [MQTT-3.1.2-29].
    [[nodiscard]] wording told(std::string_view why) const;
    void settle_deferred(time_point now);
    void give_up(const delivery& d); // it is not sent, and settled as if it had been
    [[nodiscard]] bool v5() const { return level_ == protocol_level::v5; }

    // In the order of size: there may be a million of them.
    engine_context with_;
    session* session_ = nullptr;
    std::unique_ptr<const close_reason> closing_; // null: open
    std::string buffer_; // an incomplete packet, or what came while paused
    ring<held_packet> held_;
    ring<retained_wish> wishes_;
    std::unique_ptr<std::vector<std::uint16_t>> given_up_; // deliveries that are not sent, to be settled after the call; null: none
    std::string client_id_;
    std::string user_;
    std::unique_ptr<std::string> connect_body_; // phase admitting
    permissions may_;
    time_point until_ = never; // the client's token ends
    topic_aliases aliases_;
    std::unique_ptr<sent_topic_aliases> sent_aliases_; // null: the client allows none
    std::unique_ptr<enhanced> enhanced_;               // null: no authentication method
    time_point last_packet_;
    time_point opened_at_;
    std::uint32_t packet_size_max_ = ~std::uint32_t{0}; // the client's
    std::uint32_t exchanges_ = 0; // QoS 1 and 2 publications of this connection that are not finished [§4.9]
    std::optional<std::uint32_t> expiry_changed_;
    std::uint32_t session_expiry_ = 0;
    std::uint16_t keep_alive_s_ = 0;
    phase phase_ = phase::waiting;
    protocol_level level_ = protocol_level::v3_1_1;
    bool client_id_is_ours_ = false; // the client left it to us
    bool keep_alive_changed_ = false;
    bool clean_end_ = false;     // DISCONNECT without asking for the will
    bool connack_sent_ = false;  // with success
    bool unread_ = false;        // by the transport
    bool problem_information_ = true;
    bool response_information_ = false;
    bool filtered_ = false;      // some subscription is allowed in part
};

[[nodiscard]] std::unique_ptr<broker::engine> make_engine(const engine_context& with, time_point now);

} // namespace broker::mqtt
