// session: what the broker remembers for one receiver, in neutral words: its subscriptions, the backlog of what it is
// owed, the window of what was sent and not yet acknowledged, the QoS 2 packets it sent us. An MQTT session is one of
// them; every STOMP subscription is one as well (transient, or durable and named "client-id/subscription-name").
//
//   outstanding (handed to the subscriber, at most `window`)   →   backlog (memory, then store)
//
// Invariants
// 1. Every stored entry is outstanding or in the backlog, never both; it is erased from the store when it is settled.
// 2. An exactly-once delivery of a durable session leaves only after its handle is on disk [MQTT-4.3.3-2].
// 3. While nobody is attached a durable session keeps nothing of its backlog in memory; a full one a few of its oldest
//    entries, which are the next to be dropped.
//
// Threading: only the thread of the shard that holds it.
#pragma once

#include "core/counters.hpp"
#include "core/limits.hpp"
#include "core/message.hpp"
#include "core/ring.hpp"
#include "core/topic.hpp"
#include "routing/subscriber.hpp"
#include "routing/subscription.hpp"
#include "session/backlog.hpp"
#include "session/held_message.hpp"
#include "session/inbound_packets.hpp"
#include "session/queue.hpp"
#include "session/restored_handles.hpp"
#include "session/slot.hpp"
#include "session/window.hpp"

#include <map>
#include <memory>
#include <optional>
#include <vector>

namespace broker {

class shard_desk;
enum class takers : std::uint8_t;

struct will {
    message_ptr message{}; // level and retain inside
    seconds delay{0};
};

// How the receiver answered.
enum class settlement : std::uint8_t {
    accepted, // done with it
    requeue,  // a queue or shared group: for another consumer if there is one; else delivered again
    reject,   // not wanted
    pass_on,  // a shared group: for another member if there is one; else not wanted
};

// Who attaches, and with what wishes.
struct attachment {
    subscriber* who = nullptr;
    std::string user{};       // whose session it is; empty: nobody's in particular
    std::uint16_t window = 1; // unacknowledged QoS > 0 deliveries at once, 1 to window_max
    seconds expiry{0};        // how long the session outlives the connection; 0: not at all
    bool expires = true;      // false: never (MQTT 5 0xFFFFFFFF, MQTT 3 clean session 0); expiry is ignored
    std::optional<will> last_will{};
};

class session {
public:
    session(slot& handle, shard_desk& desk);
    session(const session&) = delete;
    session& operator=(const session&) = delete;

    // --- what engines use ---

    [[nodiscard]] slot& handle() const { return *slot_; }
    [[nodiscard]] session_id id() const { return slot_->id; }
    [[nodiscard]] bool belongs_to(std::string_view user) const { return user_.empty() || user_ == user; }
    [[nodiscard]] bool durable() const { return slot_->durable.load(std::memory_order_relaxed); }
    [[nodiscard]] bool online() const { return subscriber_ != nullptr; }
    [[nodiscard]] std::size_t outstanding() const { return outstanding_.size(); }
    [[nodiscard]] std::size_t waiting() const { return backlog_.size(); }
    using subscription_map = std::map<std::string, subscription_options, std::less<>>; // by filter text
    [[nodiscard]] const subscription_map& subscriptions() const { return subscriptions_; }

    // For administrators.
    struct facts {
        std::size_t waiting_bytes = 0;
        std::size_t waiting_in_memory = 0; // messages; the others are read when they are wanted
        std::uint16_t window = 1;          // of the connection that has it, or had it last
        std::optional<seconds> expiry{};   // nothing: it never ends by itself
        std::string will_topic{};          // empty: no will
        time_point will_due = never;       // offline: when the will is published
        time_point ends_at = never;        // offline: when the session expires
    };
    [[nodiscard]] facts inspect() const;

    // With this ticket it is on disk that the session is connected now, as far as it is kept, and its will; none: neither is.
    [[nodiscard]] ticket recorded_at() const { return recorded_at_; }

    // After on_session and the protocol's answer to it: sends again what was outstanding, then what waits. A
    // subscriber whose answer waits has no room until then.
    void resume(time_point now);

    // Hands over what fits: call when the subscriber has room again.
    void pump(time_point now);

    // The receiver answered for `handle`: PUBACK, PUBCOMP, ACK, NACK. Nothing if no such handle is outstanding; else
    // the ticket after which the answer is on disk (a RECEIPT for an ACK waits for it).
    [[nodiscard]] std::optional<ticket> settle(std::uint16_t handle, settlement how, time_point now);

    // PUBREC: the receiver has it. The PUBREL may leave after the returned ticket. Nothing if the handle is not
    // outstanding at exactly_once; repeating it is fine.
    [[nodiscard]] std::optional<ticket> received(std::uint16_t handle, time_point now);
    [[nodiscard]] std::optional<qos> outstanding_level(std::uint16_t handle) const; // nothing: not outstanding
    [[nodiscard]] bool is_released(std::uint16_t handle) const; // received() was called for it

    // The QoS 2 packets the client sent and has not released. `remember` belongs to the turn of the publish it covers,
    // so both reach the disk in one batch. `forget` gives the ticket after which PUBCOMP may leave (nothing: unknown).
    [[nodiscard]] bool remembers(packet_id id) const { return inbound_.contains(id); }
    [[nodiscard]] std::optional<ticket> remembered_at(packet_id id) const;
    void remember(packet_id id);
    [[nodiscard]] std::optional<ticket> forget(packet_id id);
    [[nodiscard]] std::size_t remembered() const { return inbound_.size(); }

    // MQTT 5 DISCONNECT may change the expiry and drop the will.
    void set_expiry(seconds expiry, bool expires);
    void set_will(std::optional<will> last_will);
    [[nodiscard]] const message* last_will() const { return will_ ? will_->message.get() : nullptr; }

    // --- what the middle uses ---

    // What is retained for the filter follows, retain flag set, in pieces as the subscriber takes them; what is published
    // meanwhile comes between. While nobody is attached the walk waits. Again for the same filter: from the start.
    void walk_retained(const topic_filter& filter, const subscription_options& options, time_point now);
    void forget_retained(std::string_view filter); // unsubscribed

    // An entry arrives from a publisher. QoS 0 goes out at once or not at all.
    void enqueue(entry e, time_point now);

    // A queue gives this consumer a message, within the credit it was told.
    void take(entry e, time_point now);

private:
    friend class shard_sessions; // attaches, detaches, moves, stores and restores
    friend class shard_router;   // keeps subscriptions_

    struct outstanding_entry {
        enum class phase : std::uint8_t {
            committing, // leaves when its handle is on disk
            resend,     // to be sent on this connection, in its turn: sent on an earlier one, or its handle is on disk now
            sent,
            released, // PUBREC seen
        };
        entry value{};
        std::uint16_t handle = 0;
        phase at = phase::sent;
        bool first_time = false;    // phase resend: it was never sent
        bool release_again = false; // phase released, not yet told on this connection
        bool recorded = false;      // its handle is in the store
        ticket durable_at{};        // phases committing and released
    };

    // Brings the shard's gauges and the slot's room up to date when it goes out of scope.
    class change {
    public:
        explicit change(session& of) : of_{of} {}
        change(const change&) = delete;
        change& operator=(const change&) = delete;
        ~change() {
            of_.count_owed(waiting_and_outstanding(of_), of_.backlog_.bytes());
            of_.show_room();
        }

    private:
        static std::size_t waiting_and_outstanding(const session& s) { return s.waiting() + s.outstanding(); }
        session& of_;
    };
    void count_owed(std::size_t messages, std::size_t bytes);
    void show_room() {
        if (groups_ == 0 && !shown_room_) return;
        const bool room = groups_ != 0 && ready_for_more();
        if (room == shown_room_) return;
        shown_room_ = room;
        slot_->room.store(room, std::memory_order_relaxed);
    }

    // --- shared groups ---
    void join_group();
    void leave_group();
    // Offline: what this session got as a member of groups goes to other members, as far as somebody takes it. A QoS 2
    // delivery that has begun stays [MQTT-4.8.2-4]. True: there may be more in the store, which pass_on_stored() reads.
    bool pass_on_shares(takers who);
    // `before`: ids from here on may be in the store and not yet announced.
    void pass_on_stored(message_id before);
    void read_to_pass_on(message_id from);
    void pass_on_rows(const storage::loaded_rows& rows);
    [[nodiscard]] bool has_begun(const entry& e) const; // QoS 2, before a restart
    [[nodiscard]] std::vector<message_id> begun() const; // the deliveries that have begun: of QoS 2 all

    // Where a subscription's walk through the retained messages stands.
    struct retained_walk {
        std::string filter{};
        std::size_t pattern_at = 0;
        subscription_options options{};
        std::optional<std::string> after{};
        [[nodiscard]] std::string_view pattern() const { return std::string_view{filter}.substr(pattern_at); }
    };

    void pump_retained(time_point now);
    void go_on_walking(time_point now); // the next turn has come
    [[nodiscard]] bool hand_over_retained(const message_ptr& m, const subscription_options& options, time_point now);
    [[nodiscard]] bool ready_for_more() const;
    [[nodiscard]] bool has_place_for(const entry& e) const;
    [[nodiscard]] bool over_limit() const;
    void drop_oldest(); // as far as they are in memory
    void hand_over(entry e, time_point now);
    void send(const outstanding_entry& o, bool again, time_point now);
    void drop(const entry& e, drop_reason why);
    // For administrators. In memory, from behind `after` on: the first `count_max` by id.
    [[nodiscard]] std::vector<held_message> look(message_id after, std::size_t count_max, bool in_flight_only) const;
    [[nodiscard]] held_message described(const entry& e) const; // of one that waits, in memory or not
    [[nodiscard]] bool may_have_more_stored() const { return backlog_.spilled() != 0 || backlog_.loading(); }
    // Nothing: it is not in memory.
    void drop_as_told(const entry& e);
    [[nodiscard]] std::optional<drop_outcome> drop_in_memory(message_id which, bool though_sent, time_point now);
    [[nodiscard]] drop_outcome drop_stored(const entry& e, bool though_sent);
    [[nodiscard]] std::optional<drop_outcome> kept_because_sent(qos level, bool though_sent) const;
    [[nodiscard]] static bool is_in_flight(const outstanding_entry& o);
    void erase_stored(const entry& e, bool answered = false);
    [[nodiscard]] ticket settle_with_queue(const entry& e, settlement how, time_point now);
    void release_from(const queue_slot& q); // this session is no consumer of it any more
    void return_to_queue(const entry& e, queue_outcome how);
    void record_handle(outstanding_entry& o);
    void wait_for_handle(outstanding_entry& o); // recorded; committed() is called when that is on disk
    void forget_handle(message_id of);          // recorded before a restart: not needed any more
    void erase_handle(message_id of);           // its row
    [[nodiscard]] std::uint16_t next_handle();
    [[nodiscard]] bool send_outstanding(time_point now);
    void drop_unsent(outstanding_entry& o);
    [[nodiscard]] std::vector<message_id> in_hand() const; // outstanding or waiting in memory, sorted

    void committed(ticket upto, time_point now);              // handles up to this ticket are on disk
    void loaded(const storage::loaded_rows& rows, time_point now);
    void attach(const attachment& with);
    // As a consumer of the queue: with the number of this time, the same while it is joined.
    [[nodiscard]] queue::consumer consumer_of(const queue_slot& q, const subscription_options& options);
    void leave(const queue_slot& q);
    [[nodiscard]] bool is_joined(const queue_slot& q, std::uint32_t number) const;
    void detach();                                            // what came from queues goes back to them
    void put_away(); // detached: what is stored leaves memory
    void record_unacknowledged(); // detached: handles of QoS 1
    void arrived(shard_desk& desk);                           // moved here: tickets are this shard's from now on
    void restore_handle(message_id id, std::uint16_t handle, bool was_released); // recovery
    [[nodiscard]] bool may_have_been_sent(const entry& e) const; // by the server before a restart

    // In the order of size: there may be a million of them.
    struct joined_queue {
        const queue_slot* to = nullptr;
        std::uint32_t number = 0;
    };
    slot* slot_;
    shard_desk* desk_;
    subscriber* subscriber_ = nullptr;
    std::string user_; // whose it is; empty: whoever comes first
    seconds expiry_{0};
    time_point ends_at_ = never; // offline: when the session expires
    std::optional<will> will_;
    time_point will_due_ = never; // offline: when the will is published
    ticket recorded_at_{};        // of the shard it was attached on
    std::uint64_t claim_ = 0;     // the number of the claim that has it, or had it last
    subscription_map subscriptions_;
    ring<retained_walk> walks_; // the first is under way
    window<outstanding_entry> outstanding_;
    window<outstanding_entry>::place unsent_ = 0; // everything outstanding before it was sent on this connection
    restored_handles restored_;
    message_id sent_before_restart_below_{};
    backlog backlog_;
    inbound_packets inbound_;
    message_id pass_on_before_{};
    std::uint64_t pass_on_number_ = 0;
    std::unique_ptr<std::vector<joined_queue>> joined_; // null: none
    std::size_t counted_messages_ = 0; // what the gauges hold of this session
    std::size_t counted_bytes_ = 0;
    std::uint32_t in_flight_ = 0; // outstanding on this connection: counts against the window
    std::uint32_t groups_ = 0;    // subscriptions that are shared
    std::uint32_t joins_ = 0;
    std::uint16_t window_ = 1;
    std::uint16_t last_handle_ = 0;
    bool expires_ = true;
    bool will_stored_ = false; // or its record is in the open batch
    bool walk_waits_ = false;  // for the next turn
    bool has_queues_ = false;  // some subscription is a queue
    bool got_shares_ = false;  // some entry came, or may have come before a restart, through a group
    bool may_hold_shares_ = false; // restored with entries: of a group it had left, perhaps
    bool passing_on_ = false;  // stored entries are being read for other members
    bool shown_room_ = false;  // slot::room
};

} // namespace broker
