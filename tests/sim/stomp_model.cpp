#include "sim/stomp_model.hpp"

#include "protocols/stomp/engine.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace broker::sim {

using stomp_wire::frame_in;
using stomp_wire::job_of;
using stomp_wire::take_frames;

stomp_model::stomp_model(world& in, wishes w) : actor{in}, wish_{std::move(w)} {
    for (const auto& one : wish_.subscriptions) {
        subscriptions_.push_back({.is = one, .id = fmt::format("s{}", subscriptions_.size())});
    }
}

// --- connections ---

bool stomp_model::can_send() const {
    return connected_ && !leaving_ && connection_ && !connection_->closed() && !connection_->get().paused();
}

void stomp_model::send(std::string_view command, std::string_view headers, std::string_view body) {
    const auto bytes = stomp_wire::frame(command, headers, body);
    in_.note(wish_.client_id, "->", bytes);
    connection_->receive(bytes);
}

std::string stomp_model::receipt(std::function<void()> then) {
    auto id = std::to_string(++last_receipt_);
    auto header = "receipt:" + id + "\n";
    receipts_.emplace(std::move(id), std::move(then));
    return header;
}

void stomp_model::connect() {
    connection_ = in_.open(stomp::make_engine);
    stream_ = in_.next_stream();
    send("CONNECT", fmt::format("accept-version:{}\nhost:x\nclient-id:{}\n", wish_.version, wish_.client_id));
}

void stomp_model::lost() {
    in_.say(wish_.client_id, "gone");
    if (connection_) connection_->disconnect();
    connection_.reset();
    connected_ = leaving_ = stalled_ = false;
    bytes_.clear();
    arrived_.clear();
    receipts_.clear();
    if (transaction_ != 0) {
        in_.check().undone(transaction_);
        in_.count(event::transaction_lost_with_connection);
    }
    if (committing_ != 0) in_.check().commit_unanswered(committing_);
    transaction_ = committing_ = 0;
    for (auto& s : subscriptions_) {
        in_.check().holder_gone(s.holder);
        if (s.party != nobody) in_.check().party_left(s.party);
        s.held.clear();
        s.open = false;
        s.asked = false;
    }
}

void stomp_model::server_died() {
    connection_.reset(); // test_node has let go of it
    lost();
}

// --- what it does ---

void stomp_model::act() {
    auto& roll = in_.roll();
    if (!connection_) {
        if (roll.chance(50)) connect();
        return;
    }
    if (connection_->closed() || leaving_) {
        if (roll.chance(60)) lost();
        return;
    }
    if (roll.chance(3)) return lost();
    if (!can_send()) return;
    if (roll.chance(1)) {
        leaving_ = true;
        return send("DISCONNECT", "receipt:bye\n");
    }
    stalled_ = roll.chance(stalled_ ? 70 : 3);
    for (auto& s : subscriptions_) {
        if (!s.open && roll.chance(40)) return subscribe(s);
    }
    if (!subscriptions_.empty()) {
        auto& s = subscriptions_[roll.below(subscriptions_.size())];
        if (s.open && roll.chance(2)) return unsubscribe(s, roll.chance(30));
        if (!s.held.empty() && s.is.mode != "auto" && roll.chance(60)) return answer(s);
    }
    if (wish_.transacts) {
        if (transaction_ == 0 ? roll.chance(20) : false) return begin();
        if (transaction_ != 0) {
            const auto what = roll.below(10);
            if (what < 4) return send_message(true);
            if (what < 7) return promise();
            if (what < 8 || steps_in_transaction_ > 4) return end_transaction();
            return;
        }
    }
    if (wish_.sends) send_message(false);
}

void stomp_model::subscribe(subscription& s) {
    auto headers = fmt::format("id:{}\ndestination:{}\nack:{}\n", s.id, s.is.destination, s.is.mode);
    if (in_.roll().chance(60)) headers += fmt::format("prefetch-count:{}\n", in_.roll().between(1, 4));
    if (!s.is.group.empty()) headers += fmt::format("x-group:{}\n", s.is.group);
    s.open = true;
    s.holder = in_.next_holder();
    if (s.is.durable) {
        if (s.party == nobody) s.party = in_.check().new_party(wish_.client_id, true, true);
        headers += fmt::format("durable-subscription-name:{}\n", s.id);
        in_.check().subscribing(s.party, s.filter(), s.is.mode == "auto" ? 0 : 1);
        s.asked = true;
        headers += receipt([this, &s] {
            s.asked = false;
            s.exists = true;
            in_.check().subscribed(s.party, s.filter(), s.is.mode == "auto" ? 0 : 1);
        });
    }
    send("SUBSCRIBE", headers);
}

void stomp_model::unsubscribe(subscription& s, bool for_good) {
    if (s.asked || std::ranges::any_of(s.held, &unanswered::promised)) return;
    harvest(true); // what was written for it before
    if (!can_send()) return;
    arrived_.erase(std::remove_if(arrived_.begin(), arrived_.end(),
                                  [&](const frame_in& f) { return f.command == "MESSAGE" && f.get("subscription") == s.id; }),
                   arrived_.end());
    in_.check().holder_gone(s.holder);
    s.held.clear();
    s.open = false;
    auto headers = fmt::format("id:{}\n", s.id);
    if (s.is.durable) {
        in_.check().party_left(s.party);
        if (for_good) { // the subscription ends; its next life is another party
            headers += fmt::format("durable-subscription-name:{}\n", s.id);
            in_.check().party_forgives(s.party);
            headers += receipt([this, party = s.party, &s] {
                in_.check().party_ended(party);
                s.party = nobody;
                s.exists = s.asked = s.open = false;
            });
            s.asked = true; // not again before that is known
            s.open = true;
        }
    }
    send("UNSUBSCRIBE", headers);
}

void stomp_model::send_message(bool in_transaction) {
    auto& roll = in_.roll();
    publication p{.level = 1, .stream = stream_, .transaction = in_transaction ? transaction_ : 0};
    std::string destination;
    std::string headers;
    if (roll.chance(60)) {
        const auto name = roll.chance(15) ? std::string{taking_queue.substr(7)} : std::to_string(roll.below(2));
        p.what = publication::kind::job;
        p.topic = "$queue/" + name;
        destination = "/queue/" + name;
        if (roll.chance(40)) {
            p.priority = static_cast<unsigned>(roll.below(10));
            headers += fmt::format("priority:{}\n", p.priority);
        }
    } else {
        const auto what = roll.below(10);
        p.topic = what < 6 ? fmt::format("t/{}", roll.below(2)) : what < 8 ? fmt::format("s/{}", roll.below(2))
                                                                           : fmt::format("r/{}", roll.below(3));
        p.retain = what >= 8;
        destination = "/topic/" + p.topic;
        if (p.retain) headers += "retain:true\n";
    }
    if (!p.retain && roll.chance(6)) {
        const auto s = roll.between(1, 8);
        p.expires_at = in_.now() + seconds{s};
        headers += fmt::format("ttl:{}\n", s * 1000);
    }
    const bool weak = !in_transaction && !p.retain && roll.chance(20);
    if (weak) headers += "persistent:false\n"; // a power cut may take it: nothing is expected of it
    const auto n = in_.check().new_publication(std::move(p));
    if (in_transaction) {
        headers += fmt::format("transaction:{}\n", transaction_);
        ++steps_in_transaction_;
    } else {
        in_.check().routing(n);
        if (!weak && roll.chance(80)) {
            headers += receipt([this, n] { in_.check().accepted(n); });
        }
    }
    send("SEND", fmt::format("destination:{}\n{}", destination, headers), std::to_string(n));
}

void stomp_model::answer_all() {
    for (auto& s : subscriptions_) {
        while (can_send() && s.is.mode != "auto" && !s.held.empty()) answer(s);
    }
}

// ACK or NACK of one message, or in mode client of all up to it.
void stomp_model::answer(subscription& s) {
    auto& roll = in_.roll();
    const auto at = s.is.mode == "client" || !diligent_ ? roll.below(s.held.size()) : 0;
    if (std::ranges::any_of(s.held, &unanswered::promised)) {
        if (s.held[at].promised) return;
    }
    const bool accept = diligent_ || wish_.version == "1.0" || !roll.chance(15);
    const bool rejects = !accept && s.queue() && roll.chance(30);
    const auto first = s.is.mode == "client" ? 0 : at;
    std::vector<number> all;
    for (auto i = first; i <= at; ++i) all.push_back(s.held[i].what);
    const auto id = s.held[at].ack_id;
    s.held.erase(s.held.begin() + static_cast<std::ptrdiff_t>(first), s.held.begin() + static_cast<std::ptrdiff_t>(at) + 1);
    for (const auto n : all) {
        if (rejects) {
            in_.check().job_rejected(n);
        } else if (s.queue()) {
            in_.check().job_answered(n, accept);
        } else if (accept) {
            in_.check().answered(s.party, n);
        } else if (!s.is.group.empty()) {
            in_.check().refused(s.party, n);
        }
    }
    auto headers = wish_.version == "1.2" ? fmt::format("id:{}\n", id)
                                          : fmt::format("message-id:{}\nsubscription:{}\n", id, s.id);
    if (accept && (diligent_ || roll.chance(70))) {
        headers += receipt([this, all, party = s.party, queue = s.queue()] {
            for (const auto n : all) {
                if (queue) {
                    in_.check().job_confirmed(n);
                } else {
                    in_.check().answer_confirmed(party, n);
                }
            }
        });
    }
    if (rejects) headers += "requeue:false\n";
    send(accept ? "ACK" : "NACK", headers);
}

// --- transactions ---

void stomp_model::begin() {
    transaction_ = in_.check().begin();
    steps_in_transaction_ = 0;
    send("BEGIN", fmt::format("transaction:{}\n", transaction_));
}

// An ACK inside the transaction.
void stomp_model::promise() {
    for (auto& s : subscriptions_) {
        if (!s.queue() || s.is.mode != "client-individual") continue;
        const auto it = std::ranges::find(s.held, false, &unanswered::promised);
        if (it == s.held.end()) continue;
        it->promised = true;
        ++steps_in_transaction_;
        in_.check().in_transaction(transaction_, it->what);
        const auto id = wish_.version == "1.2" ? fmt::format("id:{}\n", it->ack_id)
                                               : fmt::format("message-id:{}\nsubscription:{}\n", it->ack_id, s.id);
        return send("ACK", fmt::format("{}transaction:{}\n", id, transaction_));
    }
}

void stomp_model::end_transaction() {
    const auto t = std::exchange(transaction_, 0);
    if (!diligent_ && in_.roll().chance(30)) {
        in_.check().undone(t);
        in_.count(event::transaction_aborted);
        for (auto& s : subscriptions_) {
            for (auto& h : s.held) h.promised = false;
        }
        return send("ABORT", fmt::format("transaction:{}\n", t));
    }
    for (auto& s : subscriptions_) std::erase_if(s.held, [](const unanswered& h) { return h.promised; });
    in_.check().committing(t);
    committing_ = t;
    send("COMMIT", fmt::format("transaction:{}\n{}", t, receipt([this, t] {
                         in_.check().committed(t);
                         committing_ = 0;
                     })));
}

// --- what it hears ---

stomp_model::subscription* stomp_model::find(const std::string& id) {
    const auto it = std::ranges::find(subscriptions_, id, &subscription::id);
    return it == subscriptions_.end() ? nullptr : &*it;
}

void stomp_model::notice_end() {
    if (!connection_ || !connection_->closed()) return;
    if (committing_ != 0) in_.check().commit_unanswered(committing_);
    for (auto& s : subscriptions_) {
        in_.check().holder_gone(s.holder);
        if (s.party != nobody) in_.check().party_left(s.party);
    }
}

void stomp_model::harvest(bool all) {
    if (!connection_ || (stalled_ && !all)) return;
    const auto bytes = connection_->sent();
    if (bytes.empty()) return;
    bytes_ += bytes;
    in_.note(wish_.client_id, "<-", bytes);
    const bool late = connection_->closed(); // read after others were told
    for (auto& f : take_frames(bytes_)) {
        if (f.command == "MESSAGE" && !f.body.empty() && !late) {
            auto* const s = find(f.get("subscription"));
            const auto n = std::stoul(f.body);
            if (s == nullptr) {
                in_.check().problem(wish_.client_id + " got a MESSAGE for no subscription of its");
            } else if (s->queue()) {
                in_.check().job_written(job_of(f, "$queue/" + s->is.destination.substr(7)), s->holder, s->is.mode == "auto");
            } else {
                in_.check().written(s->party, {.what = n,
                                               .topic = f.get("destination").substr(7),
                                               .level = 1,
                                               .retain = f.get("retain") == "true",
                                               .again = f.get("redelivered") == "true"});
            }
        }
        const bool refused = f.command == "ERROR" && f.get("message").ends_with("the transaction");
        if (refused && committing_ != 0) in_.check().commit_refused(std::exchange(committing_, 0));
        arrived_.push_back(std::move(f));
    }
    notice_end();
}

std::string stomp_model::waits_for() const {
    if (!diligent_ || !connection_ || connection_->closed()) return {};
    if (!connected_) return "CONNECTED for " + wish_.client_id;
    if (!receipts_.empty()) return "a RECEIPT for " + wish_.client_id;
    return {};
}

void stomp_model::read() {
    for (auto left = diligent_ ? arrived_.size() : in_.roll().below(6); left != 0 && !arrived_.empty(); --left) {
        const auto f = std::move(arrived_.front());
        arrived_.pop_front();
        on_frame(f);
    }
    if (!diligent_ || !can_send()) return;
    if (transaction_ != 0) end_transaction();
    answer_all();
    if (retiring_) return;
    for (auto& s : subscriptions_) {
        if (!s.open && can_send()) subscribe(s);
    }
}

void stomp_model::on_frame(const frame_in& f) {
    if (f.command == "CONNECTED") connected_ = true;
    if (f.command == "MESSAGE") on_message(f);
    if (f.command == "RECEIPT") {
        if (auto node = receipts_.extract(f.get("receipt-id")); !node.empty()) node.mapped()();
    }
}

void stomp_model::on_message(const frame_in& f) {
    auto* const s = find(f.get("subscription"));
    if (s == nullptr || f.body.empty()) return;
    in_.count(event::delivery);
    const auto n = std::stoul(f.body);
    if (!s->queue()) {
        in_.count(s->is.group.empty() ? event::durable_topic_message : event::group_message_to_stomp);
        in_.check().received(s->party, {.what = n,
                                        .topic = f.get("destination").substr(7),
                                        .level = 1,
                                        .retain = f.get("retain") == "true",
                                        .again = f.get("redelivered") == "true",
                                        .late = connection_->closed()});
    }
    const auto id = f.get(wish_.version == "1.2" ? "ack" : "message-id");
    if (s->is.mode != "auto") s->held.push_back({.ack_id = id, .what = n});
}

// --- the end ---

void stomp_model::come_back() {
    diligent_ = true;
    stalled_ = false;
    if (connection_) lost();
    connect();
}

void stomp_model::retire() {
    if (retired_) return;
    retiring_ = true;
    if (!connection_ || connection_->closed()) {
        if (connection_) lost();
        return connect();
    }
    if (!can_send()) return;
    for (auto& s : subscriptions_) {
        if (s.asked) return;
        if (s.is.durable && s.exists) {
            if (!s.open) return subscribe(s);
            return unsubscribe(s, true);
        }
    }
    retired_ = true;
    lost();
}

} // namespace broker::sim
