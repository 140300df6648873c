#include "sim/checker.hpp"

#include "core/limits.hpp"
#include "core/topic.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace broker::sim {

void checker::problem(std::string what) {
    if (problems_.size() < 10) problems_.push_back(std::move(what));
}

std::string checker::say(number n) const {
    const auto& p = publications_[n];
    return fmt::format("#{} ({}, QoS {}, of {})", n, p.topic, p.level,
                       p.publisher == nobody ? "the broker" : parties_[p.publisher].name);
}

void checker::crashed() {
    ++life_;
    failing_ = false;
    for (auto& p : parties_) {
        p.ended |= !p.durable;
        ++p.departures;
        p.this_connection.clear();
    }
    for (auto& [n, j] : jobs_) j.with = 0;
    // What a full session dropped is there again when that was not written, behind what came after it.
    if (sessions_drop()) {
        for (auto& p : parties_) p.last.clear();
    }
    // A transaction that was not confirmed may be undone, though some of it was seen.
    for (const auto& t : transactions_) {
        if (t.at != transaction::state::committing) continue;
        happened.count(event::transaction_over_crash);
        for (const auto n : t.sent) jobs_[n].seen = false;
    }
    for (auto& p : publications_) {
        p.will_must &= p.will_stored;
        p.will_outlived |= p.will_from != never && !p.will_seen;
    }
    // A change that was not acknowledged may be there or not.
    for (auto& [topic, r] : retained_) r.certain = r.since.size() == 1;
}

// --- sessions and subscriptions ---

party_id checker::new_party(std::string name, bool durable, bool acknowledges_all) {
    parties_.push_back({.id = parties_.size(),
                        .name = fmt::format("{}/{}", name, parties_.size()),
                        .durable = durable,
                        .acknowledges_all = acknowledges_all});
    return parties_.size() - 1;
}

void checker::party_left(party_id p) {
    ++parties_[p].departures;
    parties_[p].this_connection.clear();
}

void checker::party_forgives(party_id p) {
    parties_[p].got_exactly_once.clear(); // its client has forgotten the handles
    parties_[p].forgives_upto = routings_;
    for (auto& [filter, s] : parties_[p].subscriptions) s.in_force = std::min(s.in_force, certainty::maybe);
}

void checker::subscribing(party_id p, const std::string& filter, unsigned level, bool no_local) {
    if (level == 0 || !parties_[p].durable) weak_groups_.insert(filter);
    if (filter.starts_with("$share/")) parties_[p].groups[filter] = ~std::size_t{0};
    auto& s = parties_[p].subscriptions[filter];
    if (s.in_force == certainty::no) {
        s = {.in_force = certainty::maybe, .lowest = level, .highest = level, .no_local = no_local};
        return;
    }
    s.lowest = std::min(s.lowest, level);
    s.highest = std::max(s.highest, level);
    s.no_local |= no_local;
}

void checker::subscribed(party_id p, const std::string& filter, unsigned level) {
    auto& s = parties_[p].subscriptions[filter];
    s.in_force = certainty::yes;
    s.lowest = s.highest = level;
}

void checker::unsubscribing(party_id p, const std::string& filter) {
    parties_[p].forgives_upto = routings_; // what is queued may still come, or not
    auto& s = parties_[p].subscriptions[filter];
    s.in_force = std::min(s.in_force, certainty::maybe);
}

void checker::unsubscribed(party_id p, const std::string& filter) {
    parties_[p].subscriptions.erase(filter);
    if (const auto it = parties_[p].groups.find(filter); it != parties_[p].groups.end()) it->second = routings_;
}

std::vector<std::string> checker::filters(party_id p) const {
    std::vector<std::string> all;
    for (const auto& [filter, s] : parties_[p].subscriptions) all.push_back(filter);
    return all;
}

// --- publications ---

number checker::new_publication(publication p) {
    known_publication k;
    static_cast<publication&>(k) = std::move(p);
    publications_.push_back(std::move(k));
    const auto n = publications_.size() - 1;
    if (const auto t = publications_[n].transaction; t != 0) transaction_of(t).sent.push_back(n);
    return n;
}

void checker::routing(number n) {
    auto& p = publications_[n];
    ++p.attempts;
    p.refused |= failing_;
    p.routed_at = ++routings_;
    if (p.attempts == 1) {
        p.first_routed_at = p.routed_at;
        p.routed_on = now_;
    }
    if (p.what == publication::kind::job) return;
    std::set<party_id> must;
    std::map<std::string, std::set<party_id>> groups;
    for (party_id id = 0; id != parties_.size(); ++id) {
        const auto& to = parties_[id];
        if (to.ended) continue;
        for (const auto& [text, s] : to.subscriptions) {
            const auto filter = topic_filter::parse(text, bounds_);
            if (!filter || s.in_force == certainty::no || !matches(filter->pattern(), p.topic)) continue;
            p.may.insert(id);
            p.shared |= filter->is_shared();
            const bool kept = s.lowest != 0 && (to.acknowledges_all || p.level != 0);
            if (s.in_force != certainty::yes || !kept || !to.durable || (s.no_local && p.publisher == id)) continue;
            if (filter->is_shared()) {
                if (p.level != 0) groups[text].insert(id); // else another member may get it at QoS 0
            } else {
                must.insert(id);
            }
        }
    }
    if (p.attempts == 1) {
        p.must = p.must_at_first = std::move(must);
        p.groups = std::move(groups);
    } else { // whichever of the attempts counts
        for (auto& [text, members] : p.groups) {
            std::erase_if(members, [&, &now = groups[text]](party_id id) { return !now.contains(id); });
        }
        std::erase_if(p.must, [&](party_id id) { return !must.contains(id); });
    }
    if (p.retain && p.what != publication::kind::will) keep(n);
}

void checker::accepted(number n) {
    auto& p = publications_[n];
    p.accepted = true;
    if (!p.retain) return;
    // What came before it on its topic is gone for good; but who knows which attempt changed it.
    if (p.attempts > 1 && p.level == 2) return;
    auto& since = retained_[p.topic].since;
    if (const auto at = std::ranges::find(since, n); at != since.end()) since.erase(since.begin(), at);
}

// --- deliveries to sessions ---

bool checker::shares(const std::string& group, const std::string& topic) {
    return matches(group.substr(group.find('/', std::string_view{"$share/"}.size()) + 1), topic);
}

void checker::check_visible(number n, const std::string& to, bool again) {
    auto& p = publications_[n];
    if (p.expires_at <= now_ && !again) problem(fmt::format("expired and delivered to {}: {}", to, say(n)));
    if (p.turned_down && p.attempts == 1) problem(fmt::format("refused and delivered to {}: {}", to, say(n)));
    if (p.transaction == 0) return;
    const auto at = transaction_of(p.transaction).at;
    if (at == transaction::state::open || at == transaction::state::undone) {
        problem(fmt::format("delivered to {} outside its transaction: {}", to, say(n)));
    }
}

// What is left, in whole seconds [MQTT-3.3.2-6].
void checker::check_expiry(const std::string& to, const delivery& d) {
    const auto& p = publications_[d.what];
    if (p.attempts > 1 || !d.expiry_s) return;
    const auto left = p.expires_at == never ? nanoseconds{-1} : std::max(p.expires_at - now_, nanoseconds{0});
    if (left.count() >= 0 && std::chrono::ceil<seconds>(left).count() == static_cast<std::int64_t>(*d.expiry_s)) return;
    problem(fmt::format("{} was told that {} s are left of {}", to, *d.expiry_s, say(d.what)));
}

void checker::written(party_id to, const delivery& d) {
    auto& who = parties_[to];
    if (d.what == 0 || d.what >= publications_.size() || publications_[d.what].topic != d.topic) {
        return problem(fmt::format("{} got what nobody published: #{} on {}", who.name, d.what, d.topic));
    }
    auto& p = publications_[d.what];
    check_visible(d.what, who.name, d.again);
    check_expiry(who.name, d);
    // What a member of a group leaves behind may go to one who joined later, and reach it when that has left as well.
    const auto passed_on = [&](const auto& g) { return p.first_routed_at <= g.second && shares(g.first, p.topic); };
    if (d.retain ? !p.retain : !p.may.contains(to) && std::ranges::none_of(who.groups, passed_on)) {
        problem(fmt::format("{} got what it did not subscribe to: {}", who.name, say(d.what)));
    }
    if (!who.acknowledges_all && d.level > p.level) {
        problem(fmt::format("{} got at QoS {}: {}", who.name, d.level, say(d.what)));
    }
    if (p.what == publication::kind::will && p.will_from > now_) {
        problem(fmt::format("a will that was cancelled or is not due: {}", say(d.what)));
    }
    if (p.what == publication::kind::will && !d.retain) p.will_seen_in = life_;
    if (p.what == publication::kind::will && !std::exchange(p.will_seen, true)) {
        happened.count(event::will_published);
        if (p.will_waited) happened.count(event::will_published_late);
        if (p.will_outlived) happened.count(event::will_published_after_crash);
    }
    if (d.retain || p.attempts > 1) return;
    if (who.confirmed.contains(d.what)) {
        problem(fmt::format("{} got again what it had acknowledged, confirmed: {}", who.name, say(d.what)));
    }
    if (const auto it = who.answered_in.find(d.what); it != who.answered_in.end() && it->second == life_) {
        problem(fmt::format("{} got again what it had answered in this life: {}", who.name, say(d.what)));
    }
}

void checker::received(party_id to, const delivery& d) {
    auto& who = parties_[to];
    if (d.what == 0 || d.what >= publications_.size() || d.retain) return;
    auto& p = publications_[d.what];
    const auto times = ++who.got[d.what];
    const bool again_here = !who.this_connection.insert(d.what).second;
    if (times > 1 && p.level == 0 && d.level == 0) {
        problem(fmt::format("{} got {} times: {}", who.name, times, say(d.what)));
    } else if (d.level == 2 && ++who.got_exactly_once[d.what] > 1) {
        problem(fmt::format("{} got {} times at QoS 2: {}", who.name, times, say(d.what)));
    } else if (again_here && p.attempts == 1 && !d.again) {
        problem(fmt::format("{} got twice on one connection: {}", who.name, say(d.what)));
    }
    if (times != 1) return;
    check_order(who, d.what, d);
    check_groups(to, d);
}

void checker::check_order(party& to, number n, const delivery& d) {
    const auto& p = publications_[n];
    if (p.stream == 0 || p.shared) return; // a group's members share what comes
    auto& last = to.last[{p.stream, p.topic, p.level, d.level}];
    // What did not match the first time, expired before it came, or was dropped by a full session, and was repeated is behind what it
    // was ahead of.
    const bool first_holds = !sessions_drop() && !p.refused && p.expires_at == never && p.must_at_first.contains(to.id);
    if (n < last && (p.attempts == 1 || first_holds)) problem(fmt::format("{} got {} behind #{}", to.name, say(n), last));
    last = std::max(last, n);
}

// One member gets it; another one only when the first has left without an answer, or in another life. One that has
// unsubscribed still gets what it was chosen for.
void checker::check_groups(party_id to, const delivery& d) {
    auto& p = publications_[d.what];
    for (const auto& [text, upto] : parties_[to].groups) {
        if (!shares(text, p.topic)) continue;
        auto& arrivals = p.arrivals[text];
        for (const auto& a : arrivals) {
            if (p.attempts > 1 || d.late || a.at == to || a.life != life_) continue;
            if (parties_[a.at].departures == a.departures) {
                problem(fmt::format("{} and {} of one group got {}", parties_[a.at].name, parties_[to].name, say(d.what)));
            }
        }
        arrivals.push_back({.at = to, .departures = parties_[to].departures, .life = d.late ? 0 : life_});
    }
}

void checker::answered(party_id by, number n) { parties_[by].answered_in[n] = life_; }
void checker::answer_confirmed(party_id by, number n) { parties_[by].confirmed.insert(n); }

// Another member of the group may have it now, and this one again when that leaves.
void checker::refused(party_id by, number n) {
    auto& who = parties_[by];
    for (auto& [group, arrivals] : publications_[n].arrivals) {
        for (auto& a : arrivals) {
            if (a.at == by) a.life = 0;
        }
    }
    who.got_exactly_once.erase(n);
    who.this_connection.erase(n);
}

// --- wills ---

void checker::will_due(number n, time_point at, bool must) {
    auto& p = publications_[n];
    p.will_from = std::min(p.will_from, at);
    p.will_waited |= at > now_;
    p.will_must = must;
}

void checker::will_cancelled(number n) {
    auto& p = publications_[n];
    if (p.will_from <= now_) return;
    if (p.will_from != never) happened.count(event::will_cancelled);
    p.will_from = never;
    p.will_must = false;
}

// Of one session's wills a later one is published later.
void checker::retained_wills(const std::map<std::string, number>& seen) {
    const auto is_will = [&](number n) {
        return known(n) && publications_[n].what == publication::kind::will && publications_[n].retain;
    };
    for (const auto& [topic, n] : seen) {
        if (!is_will(n) || publications_[n].topic != topic || publications_[n].will_from > now_) {
            problem(fmt::format("{} holds #{}, which is no retained will that was due", topic, n));
            continue;
        }
        happened.count(event::retained_will_seen);
        for (auto later = n + 1; later != publications_.size(); ++later) {
            const auto& one = publications_[n];
            const auto& other = publications_[later];
            if (!is_will(later) || other.topic != topic || other.stream != one.stream) continue;
            if (other.will_seen_in == life_) problem(fmt::format("{} holds the will #{}, though #{} came later", topic, n, later));
        }
    }
    for (number n = 1; n != publications_.size(); ++n) {
        const auto& p = publications_[n];
        if (is_will(n) && p.will_seen_in == life_ && !seen.contains(p.topic)) problem(fmt::format("not retained: the will {}", say(n)));
    }
}

// --- retained ---

void checker::keep(number n) {
    const auto& p = publications_[n];
    auto& r = retained_[p.topic];
    r.since.push_back(n);
    r.now = n;
    r.changed_in = life_;
    if (p.deletes) happened.count(event::retained_deleted);
    // While the disk fails it may have been refused; a repeated exactly-once publication changes nothing the second time.
    r.certain = !failing_ && (p.attempts == 1 || p.level != 2);
}

std::vector<std::string> checker::retained_topics() const {
    std::vector<std::string> all;
    for (const auto& [topic, r] : retained_) all.push_back(topic);
    return all;
}

void checker::retained_seen(const std::map<std::string, number>& seen) {
    for (const auto& [topic, r] : retained_) {
        const auto it = seen.find(topic);
        const auto value = it == seen.end() ? 0 : it->second;
        if (value != 0) happened.count(r.changed_in == life_ ? event::retained_seen : event::retained_seen_after_crash);
        const auto shown = [&](number n) { return n == 0 || publications_[n].deletes ? 0 : n; };
        if (r.certain ? shown(r.now) == value : std::ranges::any_of(r.since, [&](number n) { return shown(n) == value; })) {
            continue;
        }
        problem(fmt::format("{} holds #{}; the last change was #{}, the last acknowledged one #{}", topic, value, r.now,
                            r.since.front()));
    }
    for (const auto& [topic, n] : seen) {
        if (!retained_.contains(topic)) problem(fmt::format("{} holds #{}, which nobody retained", topic, n));
    }
}

} // namespace broker::sim
