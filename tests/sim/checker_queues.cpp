// The checker's queues and transactions, and what must be true at the end.
#include "sim/checker.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace broker::sim {

// --- queues ---

namespace {

constexpr std::string_view letters = "$queue/dlq."; // dead ones

} // namespace

// Where it may be: in the queue it was sent to, or in that one's dead-letter queue.
bool checker::check_place(const given_out& g, const std::string& where) {
    if (!known(g.what) || publications_[g.what].what != publication::kind::job) {
        problem(fmt::format("{} what nobody sent: #{}", where, g.what));
        return false;
    }
    const bool letter = g.queue.starts_with(letters);
    const auto home = letter ? "$queue/" + g.queue.substr(letters.size()) : g.queue;
    const auto& p = publications_[g.what];
    if (p.topic != home && !moved_) problem(fmt::format("{} what was not sent to it: {}", where, say(g.what)));
    if (g.priority && g.priority != p.priority) {
        problem(fmt::format("{} at priority {} instead of {}: {}", where, *g.priority, p.priority, say(g.what)));
    }
    auto& j = jobs_[g.what];
    if (!letter) {
        if (p.attempts <= 1 && j.died_in == life_) problem(fmt::format("{} what was a dead letter: {}", where, say(g.what)));
        if (!g.reason.empty()) problem(fmt::format("{} a dead letter: {}", where, say(g.what)));
        return true;
    }
    j.died_in = life_;
    const bool allowed = g.reason == "rejected"         ? j.rejected
                         : g.reason == "max_deliveries" ? bounds_.max_deliveries < no_bound
                         : g.reason == "queue_full"     ? bounds_.queue_policy == overflow_policy::dead_letter
                                                        : false;
    if (!allowed) problem(fmt::format("{} a dead letter for no reason ({}): {}", where, g.reason, say(g.what)));
    if (g.origin != "/queue/" + home.substr(taking_queue.find('/') + 1)) {
        problem(fmt::format("{} a dead letter of {}: {}", where, g.origin, say(g.what)));
    }
    return true;
}

void checker::job_written(const given_out& g, holder to, bool takes_all) {
    const auto n = g.what;
    if (!check_place(g, g.queue + " gave out")) return;
    if (!g.reason.empty()) happened.count(event::dead_letter);
    check_visible(n, g.queue, !g.reason.empty()); // a dead letter does not expire
    auto& j = jobs_[n];
    j.seen = true;
    happened.count(event::job_given_out);
    if (j.given_out_in != 0) {
        happened.count(j.given_out_in == life_ ? event::job_given_out_again : event::job_given_out_over_crash);
    }
    j.given_out_in = life_;
    if (publications_[n].attempts <= 1) {
        if (j.confirmed) problem(fmt::format("acknowledged, confirmed, and given out again: {}", say(n)));
        if (j.acknowledged && j.acknowledged_in == life_) {
            problem(fmt::format("acknowledged and given out again in the same life: {}", say(n)));
        }
        if (j.with != 0) problem(fmt::format("given out while a consumer has it: {}", say(n)));
    }
    if (j.acknowledged && publications_[n].attempts <= 1) { // else it may be the other copy
        for (auto& t : transactions_) t.came_back |= std::ranges::find(t.acknowledged, n) != t.acknowledged.end();
    }
    j.with = to;
    if (takes_all) job_answered(n, true);
}

void checker::job_answered(number n, bool acknowledged) {
    auto& j = jobs_[n];
    j.with = 0;
    if (!acknowledged) return happened.count(event::refused_by_receiver);
    j.acknowledged = true;
    j.acknowledged_in = life_;
}

void checker::job_rejected(number n) {
    auto& j = jobs_[n];
    j.with = 0;
    j.rejected = true;
    j.died_in = life_;
    happened.count(event::job_rejected);
}

void checker::job_confirmed(number n) { jobs_[n].confirmed = true; }

void checker::holder_gone(holder h) {
    for (auto& [n, j] : jobs_) {
        if (j.with == h) j.with = 0;
    }
}

void checker::browsed(const std::string& queue, const std::vector<given_out>& rows, std::size_t counted, std::size_t held) {
    const auto where = queue + " holds";
    unsigned urgency = 9;
    std::map<std::pair<std::size_t, unsigned>, number> last; // by stream and priority
    for (const auto& g : rows) {
        if (!check_place(g, where)) continue;
        happened.count(event::browsed);
        const auto& p = publications_[g.what];
        auto& j = jobs_[g.what];
        const bool once = p.attempts <= 1;
        check_visible(g.what, queue, !g.reason.empty());
        if (once && (j.confirmed || (j.acknowledged && j.acknowledged_in == life_))) {
            problem(fmt::format("{} what was acknowledged: {}", where, say(g.what)));
        }
        if (once && j.browsed) problem(fmt::format("{} what is held elsewhere, or twice: {}", where, say(g.what)));
        j.browsed = true;
        // What was spilled goes when it has been read; with a disk at work that takes a while.
        const bool aged = bounds_.queue_ttl.count() != 0 && p.routed_on + bounds_.queue_ttl + seconds{10} <= now_;
        if (once && aged && held == 0 && !moved_ && g.reason.empty()) {
            problem(fmt::format("{} what is too old: {}", where, say(g.what)));
        }
        if (p.priority > urgency) problem(fmt::format("{} {} behind what is less urgent", where, say(g.what)));
        urgency = p.priority;
        if (!once || p.stream == 0 || moved_ || !g.reason.empty()) continue;
        auto& before = last[{p.stream, p.priority}];
        if (g.what < before) problem(fmt::format("{} #{} ahead of {}", where, before, say(g.what)));
        before = g.what;
    }
    std::size_t expired = 0; // and perhaps not removed yet
    for (number n = 1; n != publications_.size(); ++n) {
        const auto& p = publications_[n];
        const bool over = p.expires_at <= now_ || (p.expires_at != never && p.attempts > 1); // of an earlier attempt
        if (p.what == publication::kind::job && over) expired += p.attempts;
    }
    if (counted < rows.size() || counted > rows.size() + expired) {
        problem(fmt::format("{} {} messages and counts {}", where, rows.size(), counted));
    }
    // What was not written when the server died is undone. Who drops the oldest drops none that a consumer has.
    const bool drops = bounds_.queue_policy == overflow_policy::drop_oldest || queue.starts_with(letters);
    if (life_ == 1 && counted > bounds_.queue_messages_max + (drops ? held : 0)) {
        problem(fmt::format("{} {} messages, {} are the most", where, counted, bounds_.queue_messages_max));
    }
}

void checker::browsed_all(const losses& upto_now) {
    std::vector<number> missing;
    for (number n = 1; n != publications_.size(); ++n) {
        const auto& p = publications_[n];
        if (p.what != publication::kind::job) continue;
        const bool there = std::exchange(jobs_[n].browsed, false);
        if (p.topic != taking_queue && p.accepted && !there && !jobs_[n].acknowledged && p.expires_at == never) missing.push_back(n);
    }
    check_losses(missing, upto_now.from_queues, "accepted, not acknowledged, and in no queue");
}

void checker::check_losses(const std::vector<number>& lost, std::size_t allowed, std::string_view what) {
    if (lost.size() <= allowed) return;
    problem(fmt::format("{} ({}, of which {} may be): {}", what, lost.size(), allowed, say(lost.front())));
}

// --- transactions ---

void checker::committing(std::size_t t) {
    transaction_of(t).at = transaction::state::committing;
    const auto sent = transaction_of(t).sent;
    for (const auto n : sent) routing(n);
    for (const auto n : transaction_of(t).acknowledged) job_answered(n, true);
}

void checker::committed(std::size_t t) {
    transaction_of(t).at = transaction::state::committed;
    happened.count(event::transaction_committed);
    for (const auto n : transaction_of(t).sent) accepted(n);
    for (const auto n : transaction_of(t).acknowledged) job_confirmed(n);
}

void checker::commit_refused(std::size_t t) {
    undone(t);
    commit_unanswered(t);
    for (const auto n : transaction_of(t).acknowledged) jobs_[n].acknowledged = false;
}

void checker::commit_unanswered(std::size_t t) {
    for (const auto n : transaction_of(t).acknowledged) jobs_[n].acknowledged_in = 0;
    for (const auto n : transaction_of(t).sent) {
        if (publications_[n].retain) retained_[publications_[n].topic].certain = false;
    }
}

void checker::undone(std::size_t t) { transaction_of(t).at = transaction::state::undone; }

// --- the end: everybody came back and took what there was ---

void checker::at_the_end(const losses& all) {
    for (number n = 1; n != publications_.size(); ++n) check_lost(n);
    check_losses(lost_jobs_, all.from_queues, "accepted, never acknowledged, and gone");
    check_losses(lost_deliveries_, all.from_sessions, "accepted, and never arrived");
    if (all.from_queues != 0) return; // of which transactions?
    for (std::size_t t = 1; t <= transactions_.size(); ++t) check_transaction(t);
}

void checker::check_lost(number n) {
    const auto& p = publications_[n];
    if (p.what == publication::kind::will) {
        const bool came = std::ranges::any_of(parties_, [&](const party& to) { return to.got.contains(n); });
        if (!p.will_must || came) return;
        if (!sessions_drop()) problem(fmt::format("a will that was not published: {}", say(n)));
        return lost_deliveries_.push_back(n);
    }
    if (!p.accepted || p.deletes || p.expires_at != never) return;
    if (p.what == publication::kind::job) {
        if (!jobs_[n].acknowledged && p.topic != taking_queue) lost_jobs_.push_back(n);
        return;
    }
    const auto owed = [&](party_id id) {
        return !parties_[id].ended && parties_[id].forgives_upto < p.routed_at && !parties_[id].got.contains(n);
    };
    for (const auto id : p.must) {
        if (!owed(id)) continue;
        if (!sessions_drop()) problem(fmt::format("accepted, and never arrived at {}: {}", parties_[id].name, say(n)));
        lost_deliveries_.push_back(n);
    }
    for (const auto& [text, members] : p.groups) {
        if (weak_groups_.contains(text)) continue;
        // A QoS 2 delivery that has begun is discarded with its session [MQTT-4.8.2-5], unheard perhaps.
        const auto discarded = [&](const party& to) {
            return p.level == 2 && to.groups.contains(text) && (to.ended || to.forgives_upto >= p.routed_at);
        };
        if (std::ranges::any_of(parties_, discarded)) continue;
        const auto it = p.arrivals.find(text);
        if ((it == p.arrivals.end() || it->second.empty()) && std::ranges::any_of(members, owed)) {
            if (!sessions_drop()) problem(fmt::format("accepted, and never arrived at {}: {}", text, say(n)));
            lost_deliveries_.push_back(n);
        }
    }
}

void checker::check_transaction(std::size_t t) {
    const auto& tx = transaction_of(t);
    std::size_t jobs = 0;
    std::size_t seen = 0;
    for (const auto n : tx.sent) {
        const auto& p = publications_[n];
        if (p.what != publication::kind::job || p.expires_at != never || p.topic == taking_queue) continue;
        const auto& j = jobs_[n];
        if (!j.seen && j.acknowledged) continue; // done with before the server died
        ++jobs;
        if (j.seen) ++seen;
    }
    if (seen != 0 && seen != jobs) {
        problem(fmt::format("{} of {} messages of transaction {} arrived, #{} first", seen, jobs, t, tx.sent.front()));
    }
    if (seen != 0 && tx.came_back) {
        problem(fmt::format("transaction {} sent its messages and lost its acknowledgements", t));
    }
}

} // namespace broker::sim
