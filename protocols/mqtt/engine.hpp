// mqtt::engine: MQTT 3.1, 3.1.1 and 5.0, one connection. Versions differ in data (protocol_level) or a small branch.
#pragma once

#include "protocols/engine.hpp"
#include "protocols/mqtt/decode.hpp"
#include "protocols/mqtt/encode.hpp"
#include "protocols/mqtt/packet.hpp"
#include "protocols/mqtt/topic_alias.hpp"

#include <deque>

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
    [[nodiscard]] const std::optional<close_reason>& closing() const override { return closing_; }
    [[nodiscard]] bool paused() const override { return phase_ == phase::claiming; }
    [[nodiscard]] bool accepts_text() const override { return false; } // [MQTT-6.0.0-1]
    [[nodiscard]] client_info info() const override;
    [[nodiscard]] protocol_kind kind() const override { return protocol_kind::mqtt; }

    // --- subscriber ---
    [[nodiscard]] bool has_room() const override { return !with_.out.over_limit(); }
    void deliver(const delivery& d, time_point now) override;
    void release(std::uint16_t handle, time_point now) override;
    void on_session(session& claimed, bool present, time_point now) override;
    void evict(const close_reason& why, time_point now) override;

private:
    enum class phase : std::uint8_t { waiting, claiming, connected };
    struct held_packet {
        ticket at{};
        std::string bytes{};
    };

    std::size_t process(byte_view bytes, time_point now); // returns how much was consumed
    void dispatch(const fixed_header& h, byte_view body, time_point now);
    void on_connect(const connect& c, time_point now);
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

    void accept(bool present, time_point now);
    void refuse_connect(std::uint8_t v3_code, reason_code v5_code, std::string_view why);
    [[nodiscard]] std::optional<will> will_of(const connect& c, time_point now);
    [[nodiscard]] std::optional<std::string_view> topic_of(const publish& p);
    [[nodiscard]] message_ptr message_of(const publish& p, std::string_view topic, time_point now);
    void refuse_publish(const publish& p, reason_code reason, std::string_view why);

    // In order; after everything held before, and not before its ticket is durable.
    void send_when_durable(ticket at, std::string bytes);
    void fail_with(reason_code reason, std::string_view why);
    void settle_deferred(time_point now);
    [[nodiscard]] bool v5() const { return level_ == protocol_level::v5; }

    engine_context with_;
    phase phase_ = phase::waiting;
    protocol_level level_ = protocol_level::v3_1_1;
    session* session_ = nullptr;
    std::optional<close_reason> closing_;
    bool clean_end_ = false; // DISCONNECT without asking for the will
    bool connack_sent_ = false;
    std::string buffer_;     // an incomplete packet, or what came while claiming
    std::deque<held_packet> held_;
    std::vector<std::uint16_t> too_large_; // deliveries the client cannot take, to be settled after the call
    std::size_t unreleased_ = 0;           // QoS 1 publications whose PUBACK is held
    std::string client_id_;
    std::string assigned_client_id_;
    std::string user_;
    std::string scratch_;
    topic_aliases aliases_;
    std::uint16_t keep_alive_s_ = 0;
    bool keep_alive_changed_ = false;
    std::optional<std::uint32_t> expiry_changed_;
    std::uint32_t session_expiry_ = 0;
    std::size_t packet_size_max_ = ~std::size_t{0}; // the client's
    time_point last_packet_;
    time_point opened_at_;
};

[[nodiscard]] std::unique_ptr<broker::engine> make_engine(const engine_context& with, time_point now);

} // namespace broker::mqtt
