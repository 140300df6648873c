// stomp::engine: STOMP 1.0, 1.1 and 1.2, one connection. Every subscription is a session of its own: transient, or
// durable and named "client-id/subscription-name".
#pragma once

#include "core/ring.hpp"
#include "protocols/engine.hpp"
#include "protocols/stomp/destination.hpp"
#include "protocols/stomp/frame.hpp"
#include "protocols/stomp/parser.hpp"

#include <map>

namespace broker::stomp {

class engine;

enum class ack_mode : std::uint8_t { automatic, client, client_individual };

// One SUBSCRIBE and the ledger of what it has not acknowledged.
class subscription final : public subscriber {
public:
    subscription(engine& owner, std::string id, std::uint32_t number, ack_mode mode)
        : owner_{owner}, id_{std::move(id)}, number_{number}, mode_{mode} {}

    [[nodiscard]] bool has_room() const override;
    [[nodiscard]] bool has_room_to_spare() const override;
    void deliver(const delivery& d, time_point now) override;
    void on_session(session& claimed, bool present, time_point now) override;
    void evict(const close_reason& why, time_point now) override;

private:
    friend class engine;
    engine& owner_;
    std::string id_;
    std::uint32_t number_;
    ack_mode mode_;
    session* session_ = nullptr;
    std::string head_; // what every MESSAGE of it begins with
    std::optional<topic_filter> filter_;
    std::uint16_t window_ = 1;
    subscription_options options_;
    std::string receipt_;      // of the frame whose session is on its way
    std::string durable_name_; // of its session; empty: transient
    std::string temporary_;    // NAME of /temp-queue/NAME; empty: something else
    std::string temporary_topic_;
    bool asked_for_ = true;    // by SUBSCRIBE; a temporary queue needs none
    bool removing_ = false;    // claimed to be ended: UNSUBSCRIBE of a durable subscription that is not subscribed here
    struct pending {
        std::uint16_t handle = 0;
        message_id id{}; // handles come around again: an old ACK must not hit a new message
    };
    window<pending> unacknowledged_;
};

// A SUBSCRIBE with browser:true: copies of what a queue holds, page by page as the outbox takes them, then browser:end.
class browsing final : public browser {
public:
    browsing(engine& owner, std::string id, std::string head) : owner_{owner}, id_{std::move(id)}, head_{std::move(head)} {}
    void on_page(std::span<const browsed> page, bool end, time_point now) override;

private:
    friend class engine;
    engine& owner_;
    std::string id_;
    std::string head_; // what every MESSAGE of it begins with
    std::string destination_;
    std::uint64_t cursor_ = 0;
    bool wants_page_ = false; // when there is room again
};

// Holds the session that a will on CONNECT belongs to.
class will_holder final : public subscriber {
public:
    explicit will_holder(engine& owner) : owner_{owner} {}
    [[nodiscard]] bool has_room() const override { return false; }
    void deliver(const delivery&, time_point) override {} // it subscribes to nothing
    void evict(const close_reason& why, time_point now) override;

private:
    friend class engine;
    engine& owner_;
    session* session_ = nullptr;
};

// The text of an ack header, or a message-id of 1.0 and 1.1: "subscription number-handle-message id".
struct ack_id {
    std::uint32_t subscription = 0;
    std::uint16_t handle = 0;
    message_id message{};
};

// What a transaction holds until COMMIT.
struct transaction {
    struct step {
        message_ptr message{}; // SEND
        ack_id acknowledged{}; // ACK, NACK
        settlement how{};
    };
    std::vector<step> steps{};
    std::size_t bytes = 0;
    time_point begun_at{};
};

class engine final : public broker::engine {
public:
    engine(const engine_context& with, time_point now);
    ~engine() override = default;

    void on_bytes(byte_view input, time_point now) override;
    void on_durable(ticket upto, time_point now) override;
    [[nodiscard]] ticket awaiting() const override {
        if (stores_will()) return will_.session_->recorded_at();
        return held_.empty() ? ticket{} : held_.back().at;
    }
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
    [[nodiscard]] bool accepts_text() const override { return true; }
    [[nodiscard]] client_info info() const override;
    [[nodiscard]] protocol_kind kind() const override { return protocol_kind::stomp; }

private:
    friend class subscription;
    friend class browsing;
    friend class will_holder;
    struct held_receipt {
        ticket at{};
        std::string id{};
    };
    struct arriving { // CONNECT was read and is not answered
        milliseconds sends{0}; // heart-beats the client can send, and wants
        milliseconds wants{0};
        std::optional<will> last_will{};
    };
    struct ack_target {
        subscription* of = nullptr;
        std::uint16_t handle = 0;
    };

    std::size_t process(byte_view bytes, time_point now); // returns how much was consumed
    void process_buffered(time_point now);
    [[nodiscard]] bool is_unanswered() const { return claiming_ != nullptr || newcomer_ != nullptr; }
    void dispatch(const frame& f, time_point now);
    void on_connect(const frame& f, time_point now);
    void enter(admission::answer given, time_point now);
    void welcomed(time_point now);
    void begin(time_point now);
    [[nodiscard]] bool stores_will() const { return newcomer_ != nullptr && will_.session_ != nullptr; }
    void review_subscriptions();
    void on_send(const frame& f, time_point now);
    void renew_token(const frame& f, time_point now);
    void on_subscribe(const frame& f, time_point now);
    void on_unsubscribe(const frame& f, time_point now);
    void on_ack(const frame& f, settlement how, time_point now);
    void on_begin(const frame& f, time_point now);
    void on_commit(const frame& f, time_point now);
    void on_abort(const frame& f);
    void on_disconnect(const frame& f);

    void deliver(subscription& to, const delivery& d, time_point now);
    [[nodiscard]] const wire_cache::entry& encoded(const message_ptr& m);
    void append_message(std::string_view head, std::string_view own, const message_ptr& m, time_point now);
    void on_browse(const frame& f, std::string_view id, time_point now);
    void on_page(browsing& b, std::span<const browsed> page, bool end, time_point now);
    void stop(browsing& b);
    // The topic of the connection's temporary queue of that name, which is made when there is none yet.
    [[nodiscard]] result<std::string_view, std::string> temporary(std::string_view name, time_point now);
    // Topic names of destination and reply-to headers.
    [[nodiscard]] result<std::string_view, std::string> topic_of(std::string_view destination, time_point now);
    void subscribe_temporary(const frame& f, std::string_view id, std::string_view name, ack_mode mode, time_point now);
    void claim(subscription& s, time_point now);
    void claimed(subscription& s, time_point now);
    void subscribed(subscription& s, time_point now);
    [[nodiscard]] std::string durable_name(const frame& f, std::string_view id) const;
    [[nodiscard]] subscription* find(std::string_view id);
    [[nodiscard]] bool is_id_free(std::string_view id);
    [[nodiscard]] std::string head_of(std::string_view id, bool named, std::uint32_t number) const;
    [[nodiscard]] subscription& add_subscription(std::string_view id, bool named, ack_mode mode);
    ticket drop(subscription& s, bool for_good, time_point now); // when that is on disk
    [[nodiscard]] std::optional<will> will_of(const frame& f, time_point now);
    [[nodiscard]] message_ptr message_of(const frame& f, time_point now);
    [[nodiscard]] std::optional<ack_target> target_of(const ack_id& id);
    [[nodiscard]] std::vector<subscription::pending> take_settled(const ack_target& target);
    ticket settle(const ack_target& target, settlement how, time_point now);
    // The open transaction of a frame that names one; null: refused, the connection is being closed.
    [[nodiscard]] transaction* transaction_of(const frame& f);
    void add_to_transaction(const frame& f, transaction::step step, std::size_t bytes);

    void send(std::string_view bytes, frame_kind kind, time_point now);
    void trim();
    void leave_when_done();
    [[nodiscard]] time_point silent_until() const; // the peer may be; then it is gone
    [[nodiscard]] time_point beat_at() const;
    [[nodiscard]] time_point open_until(const transaction& t) const;
    void receipt(const frame& f, ticket at);
    void receipt(std::string_view id, ticket at);
    void send_receipt(std::string_view id);
    void fail(std::string_view code, std::string what, std::string_view receipt_id = "",
              std::string_view extra_headers = "");
    void fail_over(limit_kind limit, std::string what, std::string_view receipt_id = "");
    void fail_destination(std::string_view destination, std::string what, std::string_view receipt_id = "");
    // The middle did not take it.
    void fail_refused(refusal why, std::string_view what, std::string_view receipt_id);
    void send_error(std::string_view code, std::string_view what, std::string_view receipt_id,
                    std::string_view extra_headers, time_point now);

    engine_context with_;
    destinations names_;
    parser parser_;
    std::string buffer_; // what came while a claim was under way
    std::size_t buffer_used_ = 0;
    version version_ = version::v1_0;
    bool connected_ = false;
    bool unread_ = false;  // by the transport, since last_in_
    bool leaving_ = false; // DISCONNECT seen: nothing more is processed, held receipts still leave
    std::unique_ptr<const close_reason> closing_; // null: open
    std::vector<std::unique_ptr<subscription>> subscriptions_; // in order of their numbers
    std::vector<std::unique_ptr<browsing>> browsers_;
    std::uint32_t last_number_ = 0; // of subscriptions and browsers
    subscription* claiming_ = nullptr;
    std::unique_ptr<arriving> newcomer_;
    permissions may_;
    bool filtered_ = false;    // some subscription is allowed in part
    time_point until_ = never; // the client's token ends
    std::string user_;         // whom its sessions belong to
    bool turned_away_ = false; // a session found no room in the outbox
    will_holder will_{*this};
    session_id publisher_{}; // of what is sent here, once a subscription asked for no-local
    // Settled at the end of the turn, and the ones being settled.
    std::vector<std::pair<subscription*, std::uint16_t>> sent_automatically_;
    std::vector<std::pair<subscription*, std::uint16_t>> settling_;
    std::map<std::string, transaction, std::less<>> transactions_;
    std::size_t transaction_bytes_ = 0;  // all open ones
    std::size_t transaction_frames_ = 0;
    ring<held_receipt> held_;
    ticket last_ticket_{}; // of everything done so far
    std::string client_id_;
    std::string login_;
    std::string session_name_;
    std::string scratch_;
    std::string topic_; // scratch
    time_point opened_at_;
    time_point last_in_;
    time_point last_out_;
    milliseconds send_every_{0};   // heart-beats we owe; 0: none
    milliseconds expect_every_{0}; // heart-beats we are owed
    time_point now_;               // of the call under way
};

[[nodiscard]] std::unique_ptr<broker::engine> make_engine(const engine_context& with, time_point now);

} // namespace broker::stomp
