// router: one shard's way from a publication to its receivers, and from a subscription to the trie.
// Threading: its shard's thread only.
#pragma once

#include "core/counters.hpp"
#include "core/message.hpp"
#include "core/topic.hpp"
#include "routing/subscription.hpp"
#include "session/session.hpp"

#include <span>
#include <string>

namespace broker {

enum class refusal : std::uint8_t {
    none,
    storage_failed, // durable publications are refused while the store does not acknowledge
    disk_full,      // the same, for want of room
    quota_exceeded, // queue full with policy reject, too many retained messages or queues
    not_waiting,    // publish_all: nothing waits for this answer (any more)
    not_permitted,  // somebody else's temporary queue
};

struct routed {
    ticket durable_at{};               // the acknowledgement may leave once this is durable
    bool matched = false;            // somebody was subscribed, or it went to a queue
    refusal refused = refusal::none; // nothing was done
};

// One step of a unit that happens whole or not at all (a STOMP transaction): a publication or an answer.
struct unit_step {
    message_ptr message{};    // published; null:
    session* of = nullptr;    // a session of this shard answers `how` for `handle`
    std::uint16_t handle = 0;
    settlement how{};
};

struct unit_outcome {
    ticket durable_at{};             // when this is durable, all of it is
    refusal refused = refusal::none; // nothing was done
    std::size_t at = 0;              // because of this step
};

// Who looks at a queue without consuming: STOMP's browser, the admin API.
struct browsed {
    message_ptr message{};
    std::uint32_t redelivery_count = 0;
};
class browser {
public:
    virtual ~browser() = default;
    // In the order of delivery: by priority, then by age. `end`: that was all, the cursor is closed. Called on the
    // browser's shard, never from within browse() or next_page().
    virtual void on_page(std::span<const browsed> page, bool end, time_point now) = 0;
};

class router {
public:
    virtual ~router() = default;

    // Routes one publication: assigns its id, sets or clears the retained message of its topic, stores it for durable
    // receivers, delivers, hands over to other shards and queues ("$queue/NAME"). Everything of one turn reaches the
    // store as one atomic batch: a QoS 2 packet id remembered, or the other messages of a transaction.
    [[nodiscard]] virtual routed publish(message_ptr m, time_point now) = 0;

    // All of the steps in their order, or none: room in queues and among retained messages is taken and answers are
    // looked for before anything is done. One atomic batch of the store. A handle may occur once.
    [[nodiscard]] virtual unit_outcome publish_all(std::span<const unit_step> steps, time_point now) = 0;

    struct subscribed {
        bool existed = false;            // the filter was there: options replaced [MQTT-3.8.4-3]
        refusal refused = refusal::none; // quota_exceeded: max_subscriptions_per_client, max_queues; not_permitted
        ticket durable_at{};               // the acknowledgement may leave once this is durable
    };
    // Effective at once. Kept in the store when the session is durable.
    [[nodiscard]] virtual subscribed subscribe(session& s, const topic_filter& filter, const subscription_options& options,
                                               time_point now) = 0;

    // A temporary queue of `s`: a topic that only `s` receives, that anybody may publish to under the name returned, in
    // memory, gone with the session or by unsubscribe(). `s` is transient. Refused: not_permitted when `name` is no
    // topic name, quota_exceeded.
    struct temporary {
        std::string topic{}; // "$temp/ID-CODE/NAME"; the same name gives the same topic for the session's life
        refusal refused = refusal::none;
    };
    [[nodiscard]] virtual temporary open_temporary(session& s, std::string_view name, const subscription_options& options,
                                                   time_point now) = 0;

    struct unsubscribed {
        bool existed = false;
        ticket durable_at{};
    };
    [[nodiscard]] virtual unsubscribed unsubscribe(session& s, const topic_filter& filter, time_point now) = 0;

    // The retained messages that match go to this session as deliveries of the subscription, retain flag set. The caller
    // has looked at retain_handling; shared and queue filters get none [MQTT-3.8.4-4].
    virtual void send_retained(session& s, const topic_filter& filter, const subscription_options& options,
                               time_point now) = 0;

    // Copies of what the queue holds now, delivered and unacknowledged messages included, in pages of at most 64 messages
    // or about 256 KiB. Gives a cursor, which has asked for its first page; 0: there is no such queue. on_page() follows
    // every page asked for; next_page() asks for another when there is room for it. Until `end`, the browser must be
    // alive or call stop_browsing().
    [[nodiscard]] virtual std::uint64_t browse(std::string_view queue, browser& by) = 0;
    virtual void next_page(std::uint64_t cursor) = 0;
    virtual void stop_browsing(std::uint64_t cursor) = 0;

    // Highest ticket of this shard that is durable, and whether one is.
    [[nodiscard]] virtual ticket durable_upto() const = 0;
    [[nodiscard]] bool is_durable(ticket t) const { return t <= durable_upto(); }

    // This turn has left enough to the store: engines take no more in before the next one.
    [[nodiscard]] virtual bool full() const = 0;

    // This shard's numbers; engines count what they receive, send and drop.
    [[nodiscard]] virtual counters& count() = 0;
};

} // namespace broker
