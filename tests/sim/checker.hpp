// checker: what the broker promised, written down while the clients act, and held against what it does.
//
// A *party* is one life of a receiving session: an MQTT session from its creation to its end, or a durable STOMP
// subscription. Publications are numbers; a number is the payload. A subscription that was asked for and not yet granted
// may match; one that was granted must, also after a crash.
#pragma once

#include "core/limits.hpp"
#include "core/time.hpp"
#include "session/backlog.hpp"
#include "sim/events.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace broker::sim {

using number = std::size_t;
using party_id = std::size_t;
inline constexpr party_id nobody = ~std::size_t{0};
inline constexpr std::uint32_t no_bound = 1'000'000; // on deliveries: more than a run has

struct publication {
    enum class kind : std::uint8_t { topic, job, will };
    kind what = kind::topic;
    std::string topic{};
    unsigned level = 0;
    bool retain = false;
    bool deletes = false; // retained, without a payload
    unsigned priority = default_priority; // of a job
    time_point expires_at = never;
    party_id publisher = nobody;
    std::size_t stream = 0; // what comes from one publisher in order; 0: nothing to say about order
    std::size_t transaction = 0; // 0: none
};

// How much the broker is bound to something.
enum class certainty : std::uint8_t { no, maybe, yes };
// Where publications go that nobody must be kept from losing: their consumers acknowledge by being handed them.
inline constexpr std::string_view taking_queue = "$queue/taken";

class checker {
public:
    explicit checker(time_point start, limits bounds = {}) : now_{start}, bounds_{std::move(bounds)} {}

    [[nodiscard]] const std::vector<std::string>& problems() const { return problems_; }
    void problem(std::string what);
    void clock(time_point now) { now_ = now; }
    // The process that serves now: the first is 1.
    [[nodiscard]] std::size_t life() const { return life_; }
    tally happened{};

    void crashed(); // a new process serves from now on
    void disk_fails(bool now_failing) { failing_ = now_failing; }
    [[nodiscard]] bool disk_fails() const { return failing_; }
    // What was accepted and may be gone all the same: so often did the broker count, or an administrator order it.
    struct losses {
        std::size_t from_queues = 0;
        std::size_t from_sessions = 0;
    };

    // --- sessions and subscriptions ---
    [[nodiscard]] party_id new_party(std::string name, bool durable, bool acknowledges_all = false);
    void party_ended(party_id p) { parties_[p].ended = true; }
    // What it was owed so far may be gone: it asked for the end of its session, and nobody answered.
    void party_forgives(party_id p);
    void party_left(party_id p); // its connection is gone
    void subscribing(party_id p, const std::string& filter, unsigned level, bool no_local = false);
    void subscribed(party_id p, const std::string& filter, unsigned level);
    void unsubscribing(party_id p, const std::string& filter);
    void unsubscribed(party_id p, const std::string& filter);
    [[nodiscard]] std::vector<std::string> filters(party_id p) const;

    // --- publications ---
    [[nodiscard]] number new_publication(publication p);
    void routing(number n);                        // handed to the broker now, perhaps again
    void expires(number n, time_point at) { publications_[n].expires_at = at; } // counted anew when it is repeated
    void accepted(number n);                       // its publisher was told so
    void turned_down(number n) { publications_[n].turned_down = true; } // so was it that it was not taken
    [[nodiscard]] bool is_retained(number n) const { return publications_[n].retain; }

    // --- deliveries to sessions ---
    struct delivery {
        number what = 0;
        std::string topic{};
        unsigned level = 0;
        bool retain = false;
        bool again = false;
        bool late = false; // read from a connection that the broker had closed before
        std::optional<std::size_t> expiry_s{}; // as MQTT 5 says it, when it does
    };
    void written(party_id to, const delivery& d);  // the broker wrote it
    void received(party_id to, const delivery& d); // it arrived; of exactly-once ones only the first of a handle
    void answered(party_id by, number n);          // PUBACK or ACK reached the broker
    void answer_confirmed(party_id by, number n);  // and the broker confirmed it
    // It keeps no handle of it any more: when that was not written before the server died, it is new to it.
    void forgotten(party_id by, number n) { parties_[by].got_exactly_once.erase(n); }
    void refused(party_id by, number n);           // NACK, or an acknowledgement with an error, reached the broker

    // --- wills: publications of kind will ---
    void will_due(number n, time_point at, bool must); // from then on it may come; it must, unless cancelled before
    void will_may(number n) { publications_[n].will_must = false; } // it may still be cancelled, unheard
    void will_cancelled(number n);                     // if it was not due already
    [[nodiscard]] bool will_pending(number n) const { return publications_[n].will_from > now_; }
    void will_stored(number n) { publications_[n].will_stored = true; } // the server's death does not lose it
    // What a new subscriber is sent of wills that are retained: topic → number.
    void retained_wills(const std::map<std::string, number>& seen);

    // --- retained ---
    // A new subscriber was sent this: topic → number.
    void retained_seen(const std::map<std::string, number>& seen);
    [[nodiscard]] std::vector<std::string> retained_topics() const;

    // --- queues: publications of kind job ---
    using holder = std::size_t; // a connection; never reused
    struct given_out {
        number what = 0;
        std::string queue{};
        std::string reason{}; // of a dead letter
        std::string origin{}; // of a dead letter: its queue
        std::optional<unsigned> priority{}; // when it was told
    };
    void job_written(const given_out& j, holder to, bool takes_all);
    void job_answered(number n, bool acknowledged); // ACK (true) or NACK reached the broker
    void job_rejected(number n);                    // so did the word that nobody shall have it
    void job_confirmed(number n);                   // the ACK was confirmed
    void holder_gone(holder h);
    // Nothing moves. What the queue holds, in its order, what it counts, and how many its consumers hold.
    void browsed(const std::string& queue, const std::vector<given_out>& rows, std::size_t counted, std::size_t held);
    void browsed_all(const losses& upto_now); // every queue, since the last call
    void moved_by_hand() { moved_ = true; }   // from queue to queue

    // --- transactions ---
    [[nodiscard]] std::size_t begin() { return transactions_.push_back({}), transactions_.size(); }
    void in_transaction(std::size_t t, number acknowledged) { transaction_of(t).acknowledged.push_back(acknowledged); }
    void committing(std::size_t t);
    void committed(std::size_t t);
    void commit_refused(std::size_t t);
    void commit_unanswered(std::size_t t); // its connection ended: done or refused, nobody knows
    void undone(std::size_t t); // ABORT, or its connection went before COMMIT

    void at_the_end(const losses& all);

private:
    struct arrival { // at a member of a shared group
        party_id at = nobody;
        std::size_t departures = 0;
        std::size_t life = 0;
    };
    struct known_publication : publication {
        bool accepted = false;
        std::size_t attempts = 0;
        bool turned_down = false;
        bool shared = false;  // some group may have it
        time_point routed_on = never; // the first time
        bool refused = false; // perhaps, once
        std::size_t first_routed_at = 0; // the attempts' places in the order of all
        std::size_t routed_at = 0;       // the last one's
        std::set<party_id> may{};
        std::set<party_id> must{};
        std::set<party_id> must_at_first{};
        std::map<std::string, std::set<party_id>> groups{}; // shared filter → granted durable members
        std::map<std::string, std::vector<arrival>> arrivals{}; // by shared filter
        time_point will_from = never;
        bool will_must = false;
        bool will_stored = false;
        bool will_waited = false;   // for its delay
        bool will_outlived = false; // a crash, before it was published
        bool will_seen = false;
        std::size_t will_seen_in = 0; // the life in which it came as a publication, not as a retained message
    };
    struct subscription {
        certainty in_force = certainty::no;
        unsigned lowest = 0; // levels it may have
        unsigned highest = 0;
        bool no_local = false;
    };
    struct party {
        party_id id = nobody;
        std::string name{};
        bool durable = false;
        bool acknowledges_all = false;
        bool ended = false;
        std::size_t forgives_upto = 0;
        std::map<std::string, subscription> subscriptions{};
        // Shared filters it ever subscribed to: what was routed up to then may be passed on to it, and is on its way perhaps.
        std::map<std::string, std::size_t> groups{};
        std::map<number, std::size_t> got{};
        std::map<number, std::size_t> got_exactly_once{}; // at QoS 2
        std::size_t departures = 0;
        std::set<number> this_connection{};
        std::map<number, std::size_t> answered_in{}; // the process's life the answer reached
        std::set<number> confirmed{};
        std::map<std::tuple<std::size_t, std::string, unsigned, unsigned>, number> last{}; // stream, topic, both QoS
    };
    struct job {
        holder with = 0;
        bool acknowledged = false; // at least asked for
        std::size_t acknowledged_in = 0;
        bool confirmed = false;
        bool seen = false;
        std::size_t given_out_in = 0; // life
        bool rejected = false;
        std::size_t died_in = 0; // the life in which it became a dead letter
        bool browsed = false;
    };
    struct transaction {
        enum class state : std::uint8_t { open, committing, committed, undone };
        state at = state::open;
        std::vector<number> sent{};
        std::vector<number> acknowledged{};
        bool came_back = false; // something it acknowledged was delivered again
    };

    struct retained_topic {
        std::vector<number> since{0}; // the last acknowledged change and those after it; 0: nothing was there
        number now = 0;               // in memory
        std::size_t changed_in = 0;   // life
        bool certain = true;          // now is what it holds; else one of `since`
    };

    [[nodiscard]] bool sessions_drop() const { return bounds_.session_queue_messages_max < limits{}.session_queue_messages_max; }
    [[nodiscard]] transaction& transaction_of(std::size_t t) { return transactions_[t - 1]; }
    [[nodiscard]] static bool shares(const std::string& group, const std::string& topic);
    [[nodiscard]] bool known(number n) const { return n != 0 && n < publications_.size(); }
    [[nodiscard]] std::string say(number n) const;
    void check_visible(number n, const std::string& to, bool again);
    void check_expiry(const std::string& to, const delivery& d);
    bool check_place(const given_out& j, const std::string& where);
    void check_order(party& p, number n, const delivery& d);
    void check_groups(party_id to, const delivery& d);
    void keep(number n);
    void check_lost(number n);
    void check_losses(const std::vector<number>& lost, std::size_t allowed, std::string_view where);
    void check_transaction(std::size_t t);

    time_point now_;
    limits bounds_;
    std::size_t life_ = 1;
    bool failing_ = false;
    std::size_t routings_ = 0;
    std::vector<std::string> problems_;
    std::vector<party> parties_;
    std::vector<known_publication> publications_{1}; // number 0 is none
    std::vector<transaction> transactions_;
    std::set<std::string> weak_groups_; // a member asked for QoS 0, or its session is not kept: what it is passed on may be lost
    std::map<number, job> jobs_;
    bool moved_ = false;
    std::vector<number> lost_jobs_;
    std::vector<number> lost_deliveries_; // one each time
    std::map<std::string, retained_topic> retained_;
};

} // namespace broker::sim
