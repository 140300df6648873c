// shard_sessions: the sessions one shard holds, and their way from shard to shard.
//
// Moving a session from shard A to shard B, where its client has come back:
//   B  mails session_request to the owner, A; deliveries for the session still go to A.
//   A  evicts a live subscriber, sets slot.owner = B, mails a marker to every shard. Deliveries now go to B, which
//      holds them; A still holds the session and takes what was under way.
//   *  answers the marker. What it mailed A before is ahead of the answer.
//   A  has all answers: mails the session to B.
//   B  becomes the holder, delivers what it held, attaches the waiting claim, and only then CONNECT is answered.
// So every publisher's order is kept and nothing is lost or doubled. Freeing a slot uses the same markers.
//
// Claims are numbered by the session table. A request that comes late, after a later claim has the session, is refused: the
// client that connected last keeps it. A claim that finds no session is answered when the end of the one before is on disk: the
// answer says that it is gone.
#pragma once

#include "routing/desk.hpp"
#include "routing/topic_trie.hpp"
#include "session/sessions.hpp"
#include "session/table.hpp"
#include "storage/recovery.hpp"

#include <functional>
#include <map>
#include <queue>
#include <unordered_map>
#include <vector>

namespace broker {

class shard_sessions final : public sessions {
public:
    // `publish_will` publishes through this shard's router.
    shard_sessions(shard_desk& desk, session_table& table, topic_trie& trie, queue_table& queues,
                   std::function<void(message_ptr, time_point)> publish_will);
    ~shard_sessions() override;

    [[nodiscard]] claimed claim(std::string_view client_id, bool clean, attachment with, time_point now) override;
    [[nodiscard]] session* open_transient(std::string_view label, attachment with, time_point now) override;
    void detach(session& s, bool publish_will, time_point now) override;
    ticket end(session& s, time_point now) override;
    void abandon(subscriber& who) override;
    [[nodiscard]] bool known(std::string_view client_id) const override { return table_.find(client_id) != nullptr; }

    // --- the shard's side ---
    // The server is stopping: members of shared groups go one after the other, and none passes its messages on to the next.
    void drain() { draining_ = true; }

    void deliver(const topic_mail& m, time_point now); // receivers this shard owns or holds
    void deliver_to(slot& to, entry e, time_point now);
    void on(queue_delivery m, time_point now);
    void on(const queue_closed& m);
    void on(session_request m, time_point now);
    void on(session_gone m, time_point now);
    void on(session_refused m, time_point now);
    void on(session_arrival m, time_point now);
    void on(const marker_answer& m, time_point now);
    void on_loaded(storage::loaded_rows&& rows, time_point now); // of a session, or for whoever asked
    void on_durable(ticket upto, time_point now);
    // Runs `then` when every shard has answered a marker: what they had sent here before has arrived. With one shard at
    // once; mail to itself is not waited for.
    void after_all_shards(std::function<void(time_point)> then);
    void end_of_turn(); // frees slots nobody can hold any more

    [[nodiscard]] time_point next_deadline() const;
    void on_deadline(time_point now);

    // At start-up, before anything runs: this shard's share of what was stored.
    void restore(const storage::recovered_session& from, time_point now);

    // The will of a connection that died with the server, its session with it: published when everything is restored.
    void restore(session_id of, message_ptr lost_will) { lost_wills_.emplace_back(of, std::move(lost_will)); }

    // --- administration: administration.cpp ---
    using visitor = std::function<void(const session&)>;
    void for_each(const visitor& visit) const;
    // If it is this shard's; null while it moves.
    [[nodiscard]] session* find(std::string_view client_id) const;

    // What it holds, in memory and stored, in the order of message ids, from behind `after` on. Changes nothing.
    struct look {
        message_id after{};
        std::size_t count_max = 0;
        bool in_flight_only = false;
        // Fewer than count_max: that was all. Nothing: the session is not here any more.
        std::function<void(std::optional<std::vector<held_message>>)> done{};
    };
    void look_into(const session& s, look what);
    // One message, which `done` is told the fate of; what was erased is on disk with the ticket. `though_sent`: if its client
    // is away and it is of QoS 1.
    void drop_message(session& s, message_id which, bool though_sent, time_point now,
                      std::function<void(drop_outcome, ticket)> done);
    // The session ends now, as if its expiry had passed; who is connected is told. `gone` is told when nothing is left of it:
    // all that was erased, and given to others, is on disk with the ticket.
    void expire(session& s, time_point now, std::function<void(ticket)> gone);

    [[nodiscard]] std::size_t size() const { return held_.size(); }

private:
    struct pending_claim {
        subscriber* who = nullptr;
        attachment with{};
        bool clean = false;
        std::uint64_t number = 0;
    };
    struct session_end { // of a stored one, on its way to the disk
        ticket at{};
        session_id of{};
        std::string client_id{};
    };
    struct barrier {
        std::size_t missing = 0;
        std::function<void(time_point)> then{};
    };
    using reader = std::function<void(storage::loaded_rows&&, time_point)>;
    // Of a session that has ended, what its groups have not got back yet.
    struct leftover {
        std::vector<message_id> begun{}; // deliveries; those of QoS 2 nobody else may get
        std::function<void(ticket)> gone{};
    };
    struct looking;

    session& create(slot& s);
    // `number`: of a claim that is made again; zero: a new one.
    [[nodiscard]] claimed claim(std::string_view client_id, bool clean, attachment with, std::uint64_t number, time_point now);
    bool give_way(std::string_view client_id, time_point now); // true: there was a claim that waits
    bool wait_here(std::string_view client_id, pending_claim pending, time_point now);
    void answer(const std::string& client_id, const pending_claim& pending, time_point now);
    void attach(session& s, const attachment& with, time_point now);
    enum class departure : std::uint8_t { alone, taken_over, clean_start }; // why a subscriber leaves
    void leave(session& s, bool publish_will, departure how, time_point now);
    void pass_on_later(const session& s);
    ticket end(session& s, time_point now, std::function<void(ticket)> gone);
    void leave_behind(const session& s, std::function<void(ticket)> gone);
    void read_left_behind(session_id of, message_id from);
    void on_left_behind(const storage::loaded_rows& rows);
    void read(storage::load_request what, reader then); // stored entries
    void look_on(const std::shared_ptr<looking>& l);
    void on_looked(const std::shared_ptr<looking>& l, const storage::loaded_rows& rows);
    struct dropping;
    [[nodiscard]] drop_outcome drop_read(const storage::loaded_rows& rows, const dropping& d, time_point now);
    void take_over(session& s, bool clean, time_point now);
    void hand_over(slot& s, std::uint16_t to, time_point now);
    void publish_will_of(session& s, bool may_wait, time_point now);
    void publish_will(session_id of, const message& last_will, time_point now);
    void record(const session& s, std::int64_t disconnected_at_ms);
    void record_will(session& s);
    void erase_records(session_id of);
    void leave_queues(session& s);
    void join_queues(session& s);
    void join_queue(session& s, std::string_view name, const subscription_options& options);
    void schedule(session& s);
    void meet_deadlines(session& s, time_point now); // of one that is offline: it may end here

    shard_desk& desk_;
    session_table& table_;
    topic_trie& trie_;
    queue_table& queues_;
    std::function<void(message_ptr, time_point)> publish_will_;
    std::unordered_map<session_id, std::unique_ptr<session>> held_;
    std::map<std::string, pending_claim, std::less<>> claims_;              // by client id
    std::vector<session_end> ends_;
    std::unordered_map<slot*, std::vector<entry>> arriving_;                // deliveries held for sessions on their way
    std::unordered_map<slot*, std::vector<session_request>> early_requests_; // for sessions on their way
    std::unordered_map<session_id, leftover> left_behind_; // the store holds what they got through shared groups
    std::unordered_map<std::uint64_t, reader> readers_;    // by the number of what they asked for
    std::vector<session_id> to_read_; // of these, found at start-up
    std::vector<std::pair<session_id, message_ptr>> lost_wills_; // found at start-up, to be published
    bool draining_ = false;
    std::unordered_map<std::uint64_t, barrier> barriers_;
    std::uint64_t last_token_ = 0;
    std::vector<slot*> freeable_;
    using deadline = std::pair<time_point, session_id>;
    std::priority_queue<deadline, std::vector<deadline>, std::greater<>> deadlines_;
};

} // namespace broker
