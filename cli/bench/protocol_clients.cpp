// The two protocols of client.hpp.
#include "cli/bench/client.hpp"
#include "cli/bench/mqtt.hpp"
#include "cli/bench/stomp.hpp"
#include "cli/command.hpp"

#include <fmt/format.h>

#include <charconv>

namespace broker::cli::bench {

namespace {

using namespace std::string_view_literals;

class mqtt_client final : public client {
public:
    mqtt_client(const options& o, const address& to, watcher& w, assignment a)
        : client{o, to, w, std::move(a)}, v5_{o.speaks == protocol::mqtt5}, qos_{static_cast<unsigned>(o.qos)} {
        if (!assigned().publishes_to.empty()) head_ = mqtt::publish_head(v5_, assigned().publishes_to, qos_, o.payload_bytes);
    }

    void publish(std::string_view payload, std::uint16_t id) override {
        begin(head_.size() + (qos_ == 0 ? 0U : 2U) + (v5_ ? 1U : 0U) + payload.size());
        out() += head_;
        if (qos_ != 0) {
            out() += static_cast<char>(id >> 8);
            out() += static_cast<char>(id & 0xFF);
        }
        if (v5_) out() += '\0';
        out() += payload;
        finish();
    }
    void confirm() override {
        confirming_ = true;
        ping();
    }

private:
    void connect() override {
        auto user = with().user;
        // 3.1.1 has no password without a user name [MQTT-3.1.2-22].
        if (user.empty() && !password().empty()) user = "token";
        append(mqtt::connect(v5_, {.client_id = assigned().client_id, .user = user, .password = password()}));
    }
    void subscribe() override { append(mqtt::subscribe(v5_, assigned().subscribes_to, qos_)); }
    void disconnect() override { append("\xE0\0"sv); }
    void ping() override { append("\xC0\0"sv); }

    void parse(std::string_view& bytes) override {
        std::string answers; // in one frame
        while (!has_ended()) {
            const auto p = mqtt::take(bytes, v5_);
            if (!p) return end(refused, p.error());
            if (!*p) break;
            on_packet(**p, answers);
        }
        if (!has_ended() && !answers.empty()) append(answers);
    }

    void on_packet(const mqtt::packet& p, std::string& answers) {
        switch (p.what) {
        case mqtt::type::connack:
            if (p.reason != 0) return end(mqtt::is_not_authorised(p, v5_) ? not_authorised : refused, mqtt::words_for(p, v5_));
            return on_connected(p.receive_maximum, p.keep_alive_s);
        case mqtt::type::suback:
            if (p.reason < 0x80) return on_subscribed();
            return end(mqtt::is_not_authorised(p, v5_) ? not_authorised : refused, "the subscription: " + mqtt::words_for(p, v5_));
        case mqtt::type::publish:
            if (p.qos() == 1) mqtt::append_answer(answers, mqtt::type::puback, p.id);
            if (p.qos() == 2) mqtt::append_answer(answers, mqtt::type::pubrec, p.id);
            return tells().delivered(*this, p.payload);
        case mqtt::type::pubrel: return mqtt::append_answer(answers, mqtt::type::pubcomp, p.id);
        case mqtt::type::pubrec:
            if (p.reason >= 0x80) return tells().acknowledged(*this, p.id, mqtt::words_for(p, v5_));
            return mqtt::append_answer(answers, mqtt::type::pubrel, p.id);
        case mqtt::type::puback:
        case mqtt::type::pubcomp: return tells().acknowledged(*this, p.id, p.reason < 0x80 ? std::string{} : mqtt::words_for(p, v5_));
        case mqtt::type::pingresp:
            if (confirming_) tells().confirmed(*this);
            confirming_ = false;
            return;
        case mqtt::type::disconnect:
            return end(mqtt::is_not_authorised(p, v5_) ? not_authorised : no_broker, "it disconnected: " + mqtt::words_for(p, v5_));
        default: return;
        }
    }

    bool v5_;
    unsigned qos_;
    bool confirming_ = false;
    std::string head_{};
};

class stomp_client final : public client {
public:
    stomp_client(const options& o, const address& to, watcher& w, assignment a) : client{o, to, w, std::move(a)} {
        if (!assigned().publishes_to.empty()) {
            head_ = stomp::send_head(stomp::destination_of(assigned().publishes_to), o.qos != 0, o.payload_bytes);
        }
    }

    void publish(std::string_view payload, std::uint16_t id) override {
        const auto receipt = id == 0 ? std::string{} : fmt::format("{}\n\n", id);
        begin(head_.size() + receipt.size() + payload.size() + 1);
        out() += head_;
        out() += receipt;
        out() += payload;
        out() += '\0';
        finish();
    }
    // A transaction of nothing: what has a receipt and does no more.
    void confirm() override {
        append("BEGIN\ntransaction:bench\nreceipt:confirm\n\n\0"sv);
    }

private:
    void connect() override { append(stomp::connect(with().to.host, with().user, password())); }
    void subscribe() override { append(stomp::subscribe(stomp::destination_of(assigned().subscribes_to), with().qos != 0)); }
    void disconnect() override { append("DISCONNECT\n\n\0"sv); }
    void ping() override { append("\n"); }

    void parse(std::string_view& bytes) override {
        while (!has_ended()) {
            const auto f = stomp::take(bytes);
            if (!f) return;
            on_frame(*f);
        }
    }

    void on_frame(const stomp::frame& f) {
        if (f.command == "MESSAGE") {
            if (with().qos != 0) append(stomp::ack(f.get("ack")));
            return tells().delivered(*this, f.body);
        }
        if (f.command == "RECEIPT") return on_receipt(f.get("receipt-id"));
        if (f.command == "CONNECTED") return on_connected(65'535, 0); // heart-beat:0,0
        if (f.command != "ERROR") return end(refused, fmt::format("it sent a frame that begins with {}", f.command.substr(0, 20)));
        const auto code = f.get("code"); // brokerd's; others say it in words
        const auto message = f.get("message");
        const bool denied = code == "token_invalid" || code == "token_expired" || code == "not_authorized" || code == "forbidden" ||
                            message.contains("ccess refused") || message.contains("uthenticat") || message.contains("uthoriz");
        end(denied ? not_authorised : refused, fmt::format("ERROR: {}", message));
    }

    void on_receipt(std::string_view id) {
        if (id == "sub") return on_subscribed();
        if (id == "confirm") return tells().confirmed(*this);
        std::uint16_t n = 0;
        (void)std::from_chars(id.data(), id.data() + id.size(), n);
        tells().acknowledged(*this, n, {});
    }

    std::string head_{};
};

} // namespace

std::unique_ptr<client> make_client(const options& o, const address& to, watcher& w, assignment a) {
    if (o.speaks == protocol::stomp) return std::make_unique<stomp_client>(o, to, w, std::move(a));
    return std::make_unique<mqtt_client>(o, to, w, std::move(a));
}

} // namespace broker::cli::bench
