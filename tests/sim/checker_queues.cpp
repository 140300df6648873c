// The checker's queues and transactions, and what must be true at the end.
#include "sim/checker.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace broker::sim {

// --- queues ---

void checker::job_written(number n, holder to, const std::string& queue, bool takes_all) {
    if (!known(n) || publications_[n].what != publication::kind::job || publications_[n].topic != queue) {
        return problem(fmt::format("{} gave out what nobody sent to it: #{}", queue, n));
    }
    check_visible(n, queue, false);
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

void checker::job_confirmed(number n) { jobs_[n].confirmed = true; }

void checker::holder_gone(holder h) {
    for (auto& [n, j] : jobs_) {
        if (j.with == h) j.with = 0;
    }
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
    for (const auto n : transaction_of(t).acknowledged) jobs_[n].acknowledged = false;
}

void checker::undone(std::size_t t) { transaction_of(t).at = transaction::state::undone; }

// --- the end: everybody came back and took what there was ---

void checker::at_the_end() {
    for (number n = 1; n != publications_.size(); ++n) check_lost(n);
    for (std::size_t t = 1; t <= transactions_.size(); ++t) check_transaction(t);
}

void checker::check_lost(number n) {
    const auto& p = publications_[n];
    if (p.what == publication::kind::will) {
        const bool came = std::ranges::any_of(parties_, [&](const party& to) { return to.got.contains(n); });
        if (p.will_must && !came) problem(fmt::format("a will that was not published: {}", say(n)));
        return;
    }
    if (!p.accepted || p.deletes || p.expires_at != never) return;
    if (p.what == publication::kind::job) {
        if (!jobs_[n].acknowledged && p.topic != taking_queue) {
            problem(fmt::format("accepted, never acknowledged, and gone: {}", say(n)));
        }
        return;
    }
    const auto owed = [&](party_id id) {
        return !parties_[id].ended && parties_[id].forgives_upto < p.routed_at && !parties_[id].got.contains(n);
    };
    for (const auto id : p.must) {
        if (owed(id)) problem(fmt::format("accepted, and never arrived at {}: {}", parties_[id].name, say(n)));
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
            problem(fmt::format("accepted, and never arrived at {}: {}", text, say(n)));
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
