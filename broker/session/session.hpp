// session: what the broker remembers for one receiver, in neutral words: its subscriptions, the queue of what it is
// owed, the window of what was sent and not yet acknowledged, the QoS 2 packets it sent us. An MQTT session is one of
// them; every STOMP subscription is one as well (transient, or durable and named "client-id/subscription-name").
//
// The queue, oldest first:   outstanding (handed to the subscriber)  →  waiting (in memory)  →  spilled (store only)
//
// Invariants
// 1. Every stored entry is outstanding, waiting or spilled; outstanding and waiting are disjoint.
// 2. waiting is handed over in order; while anything is spilled, new entries are spilled too.
// 3. A durable session's entry is erased from the store when it is settled, never earlier.
// 4. An exactly-once delivery of a durable session leaves only after its handle is on disk.
//
// Threading: only the thread of the shard that holds it.
#pragma once

#include "core/limits.hpp"
#include "core/message.hpp"
#include "core/topic.hpp"
#include "routing/subscriber.hpp"
#include "routing/subscription.hpp"
#include "session/slot.hpp"

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

namespace broker {

class queue;
class shard_desk; // routing/desk.hpp: what a session needs of its shard: batch, counters, limits

struct will {
    message_ptr message;   // level and retain inside
    seconds delay{0};
};

// How the receiver answered.
enum class settlement : std::uint8_t {
    accepted, // done with it
    requeue,  // back to its queue, for another consumer if there is one (topic subscriptions: delivered again)
    reject,   // dead letter, or dropped when there is no dead-letter queue
};

// Who attaches, and with what wishes.
struct attachment {
    subscriber* who = nullptr;
    std::uint16_t window = 1;             // unacknowledged QoS > 0 deliveries at once, at least 1
    std::chrono::seconds expiry{0};       // how long the session outlives the connection; 0: not at all
    bool expires = true;                  // false: never (MQTT 5 0xFFFFFFFF, MQTT 3 clean session 0)
    std::optional<will> last_will;
};

class session {
public:
    struct outstanding_entry {
        message_ptr message;
        std::uint16_t handle = 0;
        qos level{};
        enum class phase : std::uint8_t { committing, sent, released } at = phase::sent; // released: PUBREC seen
        bool retain = false;
        bool stored = false;       // has an entry in the store
        bool shared_record = false; // that entry refers to a `messages` record
        std::uint32_t redelivery_count = 0;
        ticket durable_at;          // phase committing
        queue* from = nullptr;      // taken from a queue, which is told how it ends
        std::vector<std::uint32_t> subscription_identifiers;
    };

    struct waiting_entry {
        message_ptr message;
        qos level{};
        bool retain = false;
        bool stored = false;
        bool shared_record = false;
        bool redelivered = false;
        std::vector<std::uint32_t> subscription_identifiers;
    };

    session(slot& handle, shard_desk& desk);
    session(const session&) = delete;
    session& operator=(const session&) = delete;

    // --- what engines use ---

    [[nodiscard]] slot& handle() const { return *slot_; }
    [[nodiscard]] session_id id() const { return slot_->id; }
    [[nodiscard]] bool durable() const { return slot_->durable.load(std::memory_order_relaxed); }
    [[nodiscard]] bool online() const { return subscriber_ != nullptr; }
    [[nodiscard]] std::size_t outstanding() const { return outstanding_.size(); }
    [[nodiscard]] std::size_t waiting() const { return waiting_.size() + spilled_; }
    [[nodiscard]] const std::map<std::string, subscription_options, std::less<>>& subscriptions() const { return subscriptions_; }

    // After on_session and the protocol's answer to it: sends again what was outstanding, then what waits.
    void resume(time_point now);

    // Hands over what fits: call when the subscriber has room again.
    void pump(time_point now);

    // The receiver answered for `handle`: PUBACK, PUBCOMP, ACK, NACK. Nothing if no such handle is outstanding; else
    // the ticket after which the answer is on disk (a RECEIPT for an ACK waits for it).
    [[nodiscard]] std::optional<ticket> settle(std::uint16_t handle, settlement how, time_point now);

    // PUBREC: the receiver has it. The PUBREL may leave after the returned ticket. Nothing if the handle is not
    // outstanding at exactly_once; repeating it is fine.
    [[nodiscard]] std::optional<ticket> received(std::uint16_t handle, time_point now);
    [[nodiscard]] bool is_outstanding(std::uint16_t handle) const;

    // The QoS 2 packets the client sent and has not released. `remember` belongs to the turn of the publish it covers,
    // so both reach the disk in one batch. `forget` gives the ticket after which PUBCOMP may leave (nothing: unknown).
    [[nodiscard]] bool remembers(packet_id id) const { return inbound_.contains(id); }
    [[nodiscard]] std::optional<ticket> remembered_at(packet_id id) const;
    void remember(packet_id id);
    [[nodiscard]] std::optional<ticket> forget(packet_id id);
    [[nodiscard]] std::size_t remembered() const { return inbound_.size(); }

    // MQTT 5 DISCONNECT may change the expiry and drop the will.
    void set_expiry(std::chrono::seconds expiry, bool expires);
    void set_will(std::optional<will> last_will);

    // --- what the middle uses (router, sessions, queues) ---

    // An entry arrives. `stored`: the publisher's shard has put it into the store. QoS 0 goes out at once or not at all.
    void enqueue(const message_ptr& m, qos level, bool retain, bool stored, bool shared_record,
                 std::span<const std::uint32_t> identifiers, time_point now);

    // A queue gives this consumer a message. False if the window is full or nobody is attached.
    [[nodiscard]] bool take_from(queue& from, const message_ptr& m, qos level, bool shared_record,
                                 std::uint32_t redelivery_count, std::uint32_t identifier, time_point now);

private:
    friend class sessions;
    friend class router;
    friend class queues;
    friend struct session_transfer;

    slot* slot_;
    shard_desk* desk_;
    subscriber* subscriber_ = nullptr;
    std::uint16_t window_ = 1;
    std::uint16_t last_handle_ = 0;
    std::size_t spilled_ = 0;
    std::map<std::string, subscription_options, std::less<>> subscriptions_; // by filter text
    std::vector<outstanding_entry> outstanding_;
    std::deque<waiting_entry> waiting_;
    std::unordered_map<packet_id, ticket> inbound_;
};

} // namespace broker
