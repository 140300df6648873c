// mqtt_model: an MQTT client that keeps its side of the protocol: packet identifiers, what it has sent and not heard of, the
// QoS 2 handles it holds, its subscriptions; over connections that break at any moment.
#pragma once

#include "sim/mqtt_wire.hpp"
#include "sim/world.hpp"

#include <deque>
#include <map>

namespace broker::sim {

class mqtt_model final : public actor {
public:
    enum class life : std::uint8_t { connection, limited, forever }; // of its session
    struct wishes {
        std::string client_id{};
        bool v5 = false;
        life lives = life::forever;
        std::vector<std::string> filters{}; // what it subscribes to, over and over
        bool publishes = true;
        bool wills = false;
        bool keeps = false; // never asks for a clean session
    };
    mqtt_model(world& in, wishes w) : actor{in}, wish_{std::move(w)} {}

    void begin(); // connects and subscribes, all of it acknowledged
    void act() override;
    void read() override;
    void harvest(bool all) override;
    void notice_end() override;
    void server_died() override;
    void come_back() override;
    void retire() override;
    [[nodiscard]] bool retired() const override { return retired_; }
    [[nodiscard]] std::string waits_for() const override;

private:
    enum class phase : std::uint8_t { offline, connecting, online };
    static constexpr std::size_t no_shard = ~std::size_t{0};
    struct outgoing {
        std::size_t id = 0;
        number what = 0;
        unsigned level = 0;
        std::size_t expiry_s = 0; // 0: none
        std::string body{};       // of the PUBLISH
        bool released = false; // PUBREC seen
        std::size_t life = 0;  // of the server, when it was first sent
    };

    struct handle {
        number what = 0;
        std::size_t life = 0; // of the server, when it came
    };

    // --- connections ---
    void connect(bool clean, bool for_good = false);
    [[nodiscard]] std::string connect_packet(bool clean, bool for_good);
    void leave(bool said_goodbye);
    void forget();
    void replace();
    void close_old();
    void goodbye();
    [[nodiscard]] bool can_send() const;
    void send(const std::string& bytes, std::string_view what);
    [[nodiscard]] certainty session_exists() const;
    [[nodiscard]] nanoseconds expiry() const;

    // --- what it does ---
    void subscribe();
    void unsubscribe();
    void publish();
    void resend();
    [[nodiscard]] std::size_t free_id();

    // --- what it hears ---
    void on_packet(const mqtt_wire::packet_in& p);
    void on_connack(const mqtt_wire::packet_in& p);
    void confirmed();
    void on_publish(const mqtt_wire::publish_in& m);
    void turned_down(number n);
    void on_puback(const mqtt_wire::packet_in& p);
    void on_pubrec(const mqtt_wire::packet_in& p);
    void told_again(handle& h);
    void heard_of(const outgoing& o);
    void on_suback(const mqtt_wire::packet_in& p);
    void on_unsuback(const mqtt_wire::packet_in& p);
    [[nodiscard]] bool answers() { return diligent_ || !in_.roll().chance(12); }
    [[nodiscard]] bool answers_with_error() { return wish_.v5 && !diligent_ && in_.roll().chance(4); }

    wishes wish_;
    phase phase_ = phase::offline;
    bool diligent_ = false;
    bool retired_ = false;
    std::unique_ptr<test::test_client> connection_;
    std::vector<std::unique_ptr<test::test_client>> old_; // replaced, and not closed yet
    checker::holder holder_ = 0;
    bool stalled_ = false; // does not read
    std::string bytes_;    // a packet's beginning
    std::deque<mqtt_wire::packet_in> arrived_;

    // the session, as this side knows it
    party_id party_ = nobody;
    certainty exists_ = certainty::no;
    bool durable_ = false;  // of this connection
    bool clean_ = false;    // as this connection asked
    bool confirmed_ = false; // the broker has confirmed something of this session
    bool attached_ = false;  // and since this connection began
    time_point ends_from_ = never;
    time_point ends_upto_ = never;
    std::size_t last_id_ = 0;
    std::deque<outgoing> window_;
    std::map<std::size_t, handle> held_; // QoS 2 handles
    std::size_t shard_ = no_shard; // where its session was last seen in this life of the server
    bool was_live_ = false;        // its session had a connection when this one was made
    std::map<std::size_t, std::pair<std::string, unsigned>> subscribing_;
    std::map<std::size_t, std::string> unsubscribing_;

    number will_ = 0; // of this connection
    nanoseconds will_delay_{0};
    std::vector<number> earlier_wills_; // of connections that are gone, not known to be cancelled
    std::vector<number> unsure_wills_;  // cancelled, which the disk may not know
    std::size_t stream_ = 0;            // its publications keep their order within one
};

} // namespace broker::sim
