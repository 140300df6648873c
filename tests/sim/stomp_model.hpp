// stomp_model: a STOMP client: subscriptions to queues and durable ones to topics in every ack mode, ACK and NACK, SEND,
// transactions of both, receipts.
#pragma once

#include "sim/stomp_wire.hpp"
#include "sim/world.hpp"

#include <deque>
#include <functional>
#include <map>
#include <optional>

namespace broker::sim {

class stomp_model final : public actor {
public:
    struct wanted {
        std::string destination{}; // "/queue/NAME" or "/topic/FILTER"
        std::string mode{};        // "auto", "client", "client-individual"
        bool durable = false;
        std::string group{}; // shared
    };
    struct wishes {
        std::string client_id{};
        std::string version{};
        std::vector<wanted> subscriptions{};
        bool sends = true;
        bool transacts = true;
    };
    stomp_model(world& in, wishes w);

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
    struct unanswered {
        std::string ack_id{};
        number what = 0;
        bool promised = false; // a transaction acknowledges it
    };
    struct subscription {
        wanted is{};
        std::string id{};
        bool open = false;      // on this connection
        bool asked = false;     // SUBSCRIBE of a durable one was sent and not confirmed
        checker::holder holder = 0;
        party_id party = nobody; // durable ones
        bool exists = false;     // and confirmed
        std::deque<unanswered> held{};
        [[nodiscard]] bool queue() const { return is.destination.starts_with("/queue/"); }
        [[nodiscard]] std::string filter() const { // behind "/topic/"
            return (is.group.empty() ? "" : "$share/" + is.group + "/") + is.destination.substr(7);
        }
    };

    void connect();
    void lost();
    [[nodiscard]] bool can_send() const;
    void send(std::string_view command, std::string_view headers, std::string_view body = "");
    // A receipt header; `then` runs when the RECEIPT comes.
    [[nodiscard]] std::string receipt(std::function<void()> then);

    void subscribe(subscription& s);
    void unsubscribe(subscription& s, bool for_good);
    void send_message(bool in_transaction);
    void answer(subscription& s);
    void answer_all();
    void begin();
    void promise();
    void end_transaction();

    void on_frame(const stomp_wire::frame_in& f);
    void on_message(const stomp_wire::frame_in& f);
    [[nodiscard]] subscription* find(const std::string& id);

    wishes wish_;
    bool connected_ = false;
    bool diligent_ = false;
    bool retiring_ = false; // subscribes to nothing any more
    bool retired_ = false;
    bool leaving_ = false; // DISCONNECT was sent
    bool stalled_ = false;
    std::unique_ptr<test::test_client> connection_;
    std::string bytes_;
    std::deque<stomp_wire::frame_in> arrived_;
    std::deque<subscription> subscriptions_;
    std::map<std::string, std::function<void()>> receipts_;
    std::size_t last_receipt_ = 0;
    std::size_t stream_ = 0;
    std::size_t transaction_ = 0; // open; the checker's number
    std::size_t committing_ = 0;  // COMMIT was sent and not answered
    std::size_t steps_in_transaction_ = 0;
};

} // namespace broker::sim
