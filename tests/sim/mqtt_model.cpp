#include "sim/mqtt_model.hpp"

#include "protocols/mqtt/engine.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace broker::sim {

using namespace mqtt_wire;

namespace {

constexpr std::uint32_t never_expires = 0xFFFF'FFFF;
constexpr seconds limited_life{8};
constexpr std::size_t window_max = 12; // publications it has under way

} // namespace

// --- connections ---

nanoseconds mqtt_model::expiry() const { return wish_.lives == life::limited ? limited_life : seconds{0}; }

certainty mqtt_model::session_exists() const {
    if (in_.now() < ends_from_ || exists_ == certainty::no) return exists_;
    if (in_.now() <= ends_upto_ || !in_.quiet_since(ends_upto_)) return certainty::maybe;
    return certainty::no;
}

bool mqtt_model::can_send() const {
    return phase_ == phase::online && connection_ && !connection_->closed() && !connection_->get().paused();
}

void mqtt_model::send(const std::string& bytes, std::string_view what) {
    in_.note(wish_.client_id, what, bytes);
    connection_->receive(bytes);
}

std::string mqtt_model::connect_packet(bool clean, bool for_good) {
    std::string props;
    if (wish_.v5) {
        const auto s = for_good || wish_.lives == life::connection ? 0
                       : wish_.lives == life::limited              ? static_cast<std::size_t>(limited_life.count())
                                                                   : never_expires;
        props = "\x11" + u32(s);
        if (in_.roll().chance(50)) props += "\x21" + u16(in_.roll().between(1, 4));
    }
    int flags = clean ? 2 : 0;
    std::string will;
    will_ = 0;
    if (wish_.wills && !for_good && in_.roll().chance(70)) {
        const auto level = static_cast<unsigned>(in_.roll().between(1, 2));
        will_delay_ = wish_.v5 ? seconds{in_.roll().below(3) * 5} : seconds{0};
        const auto topic = "w/" + wish_.client_id;
        const bool retain = in_.roll().chance(40);
        will_ = in_.check().new_publication(
            {.what = publication::kind::will, .topic = topic, .level = level, .retain = retain, .stream = stream_});
        in_.check().routing(will_);
        flags |= 4 | static_cast<int>(level) << 3 | (retain ? 0x20 : 0);
        const auto delay = static_cast<std::size_t>(std::chrono::duration_cast<seconds>(will_delay_).count());
        will = mqtt_wire::properties(wish_.v5, delay == 0 ? "" : "\x18" + u32(delay)) + text(topic) +
               text(std::to_string(will_));
        if (wish_.lives != life::forever) will_delay_ = std::min(will_delay_, expiry()); // the session's end comes first
    }
    return packet(0x10, text("MQTT") + (wish_.v5 ? "\x05" : "\x04") + std::string(1, static_cast<char>(flags)) + u16(0) +
                            mqtt_wire::properties(wish_.v5, props) + text(wish_.client_id) + will);
}

// Its session may have ended and another begun, without a word to it: its own side goes too.
void mqtt_model::forget() {
    window_.clear();
    held_.clear();
    stream_ = in_.next_stream();
    confirmed_ = false;
    if (party_ != nobody) in_.check().party_forgives(party_);
}

// A new connection, whatever became of the one before.
void mqtt_model::connect(bool clean, bool for_good) {
    was_live_ = phase_ == phase::online;
    if (connection_) replace();
    for (const auto w : earlier_wills_) {
        if (!in_.check().will_pending(w)) continue;
        in_.check().will_may(w);
        if (clean) in_.check().will_due(w, in_.now(), false); // with the session's end
    }
    if (clean && exists_ == certainty::yes && durable_) in_.count(event::session_lost_by_clean_start);
    clean_ = clean;
    durable_ = !for_good && (wish_.v5 ? wish_.lives != life::connection : !clean);
    if (clean) forget();
    subscribing_.clear();
    unsubscribing_.clear();
    attached_ = false;
    phase_ = phase::connecting;
    stalled_ = false;
    holder_ = in_.next_holder();
    const auto bytes = connect_packet(clean, for_good);
    connection_ = in_.open(mqtt::make_engine);
    send(bytes, fmt::format("CONNECT clean {} will #{} shard {}", clean, will_, connection_->shard()));
}

// The connection it has is about to be taken over by a new one; it stays open for a while.
void mqtt_model::replace() {
    const bool was_online = phase_ == phase::online;
    const auto will = will_;
    const auto delay = will_delay_;
    if (was_online && durable_) {
        ends_from_ = std::min(ends_from_, in_.now() + expiry());
        ends_upto_ = in_.now() + expiry();
        if (wish_.lives == life::forever) ends_from_ = ends_upto_ = never;
        if (will != 0) {
            in_.check().will_due(will, in_.now() + delay, delay.count() == 0);
            earlier_wills_.push_back(will);
        }
        will_ = 0;
        if (party_ != nobody) in_.check().party_left(party_);
        in_.check().holder_gone(holder_);
        bytes_.clear();
        arrived_.clear();
        old_.push_back(std::move(connection_));
        return;
    }
    leave(false);
}

void mqtt_model::close_old() {
    if (old_.empty()) return;
    old_.front()->disconnect();
    old_.erase(old_.begin());
    if (wish_.lives == life::limited && ends_upto_ != never) ends_upto_ = std::max(ends_upto_, in_.now() + expiry());
}

// Its connection is gone.
void mqtt_model::leave(bool said_goodbye) {
    auto& check = in_.check();
    in_.say(wish_.client_id, "gone");
    connection_->disconnect();
    connection_.reset();
    if (party_ != nobody) check.party_left(party_);
    check.holder_gone(holder_);
    bytes_.clear();
    arrived_.clear();
    const bool was_online = phase_ == phase::online;
    phase_ = phase::offline;
    if (will_ != 0) {
        if (said_goodbye) {
            unsure_wills_.push_back(will_);
        } else {
            check.will_due(will_, in_.now() + will_delay_, was_online);
            earlier_wills_.push_back(will_);
        }
        will_ = 0;
    }
    if (!was_online) { // who knows what became of it
        if (session_exists() != certainty::yes) forget();
        if (exists_ == certainty::yes && clean_) exists_ = certainty::maybe;
        if (exists_ == certainty::no && durable_) exists_ = certainty::maybe;
        if (!durable_) exists_ = std::min(exists_, certainty::maybe);
    } else if (!durable_) {
        exists_ = certainty::no;
        if (party_ != nobody) check.party_ended(party_);
        party_ = nobody;
    }
    if (wish_.lives == life::limited) {
        const auto end = in_.now() + expiry();
        ends_from_ = was_online ? end : std::min(ends_from_, end);
        ends_upto_ = was_online || ends_upto_ == never ? end : std::max(ends_upto_, end);
    }
}

void mqtt_model::goodbye() {
    send(packet(0xE0, ""), "DISCONNECT");
    leave(true);
}

void mqtt_model::server_died() {
    auto& check = in_.check();
    old_.clear();
    shard_ = no_shard;
    // One that was due and is not on disk waits for its delay again: its client may cancel it now.
    if (wish_.v5) {
        for (const auto w : earlier_wills_) check.will_may(w);
    }
    if (phase_ != phase::offline) {
        if (will_ != 0) {
            check.will_due(will_, in_.now() + will_delay_, phase_ == phase::online);
            earlier_wills_.push_back(will_);
            will_ = 0;
        }
        check.holder_gone(holder_);
        connection_.reset();
    }
    for (const auto w : unsure_wills_) check.will_due(w, in_.now(), false);
    bytes_.clear();
    arrived_.clear();
    if (!confirmed_) exists_ = std::min(exists_, certainty::maybe);
    if (phase_ == phase::connecting && session_exists() != certainty::yes) forget();
    if (phase_ == phase::connecting && (clean_ || exists_ == certainty::no)) exists_ = certainty::maybe;
    if (phase_ == phase::online && !durable_) {
        exists_ = certainty::no;
        party_ = nobody; // ended by the crash
    }
    if (wish_.lives == life::limited && exists_ != certainty::no) {
        const auto end = in_.now() + expiry();
        ends_from_ = phase_ == phase::online && attached_ ? end : std::min(ends_from_, end);
        ends_upto_ = ends_upto_ == never || phase_ == phase::online ? end : std::max(ends_upto_, end);
    }
    phase_ = phase::offline;
}

// --- what it does ---

void mqtt_model::act() {
    auto& roll = in_.roll();
    if (!old_.empty() && roll.chance(30)) close_old();
    if (connection_ && connection_->closed() && roll.chance(70)) return leave(false);
    if (phase_ == phase::offline) {
        const auto always = wish_.lives == life::connection;
        if (roll.chance(50)) connect(always || (!wish_.keeps && roll.chance(8)));
        return;
    }
    if (roll.chance(2)) return connect(wish_.lives == life::connection || (!wish_.keeps && roll.chance(10))); // taken over
    if (roll.chance(3)) return leave(false);
    if (!can_send()) return;
    if (roll.chance(1)) return goodbye();
    stalled_ = roll.chance(stalled_ ? 70 : 3);
    if (!wish_.filters.empty() && roll.chance(attached_ ? 6 : 50)) return subscribe();
    if (!wish_.filters.empty() && roll.chance(2)) return unsubscribe();
    if (wish_.publishes) publish();
}

std::size_t mqtt_model::free_id() {
    const auto taken = [this](std::size_t id) {
        return std::ranges::find(window_, id, &outgoing::id) != window_.end() || subscribing_.contains(id) ||
               unsubscribing_.contains(id);
    };
    do {
        last_id_ = last_id_ % 60'000 + 1;
    } while (taken(last_id_));
    return last_id_;
}

void mqtt_model::subscribe() {
    const auto& filter = wish_.filters[in_.roll().below(wish_.filters.size())];
    const bool weak = !filter.starts_with("w/") && !filter.starts_with("$queue/") &&
                      in_.roll().chance(filter.starts_with("$share/") ? 3 : 15);
    const auto level = static_cast<unsigned>(weak ? 0 : in_.roll().between(1, 2));
    const auto id = free_id();
    subscribing_[id] = {filter, level};
    if (!filter.starts_with("$queue/")) in_.check().subscribing(party_, filter, level);
    send(packet(0x82, u16(id) + mqtt_wire::properties(wish_.v5, "") + text(filter) +
                          std::string(1, static_cast<char>(level))),
         fmt::format("SUBSCRIBE {} QoS {}", filter, level));
}

void mqtt_model::unsubscribe() {
    const auto& filter = wish_.filters[in_.roll().below(wish_.filters.size())];
    const bool asked = std::ranges::any_of(subscribing_, [&](const auto& s) { return s.second.first == filter; });
    if (asked || filter.starts_with("w/") || filter.starts_with("$queue/")) return;
    const auto id = free_id();
    unsubscribing_[id] = filter;
    in_.check().unsubscribing(party_, filter);
    send(packet(0xA2, u16(id) + mqtt_wire::properties(wish_.v5, "") + text(filter)), "UNSUBSCRIBE " + filter);
}

void mqtt_model::publish() {
    auto& roll = in_.roll();
    if (window_.size() >= window_max) return;
    publication p{.level = static_cast<unsigned>(roll.below(3)), .publisher = party_, .stream = stream_};
    const auto what = roll.below(10);
    if (what < 5) {
        p.topic = "t/" + std::to_string(roll.below(2));
    } else if (what < 7) {
        p.topic = "s/" + std::to_string(roll.below(2));
    } else if (what < 8) {
        p.topic = "r/" + std::to_string(roll.below(3));
        p.retain = true;
        p.deletes = roll.chance(25);
    } else {
        p.what = publication::kind::job;
        p.topic = roll.chance(15) ? std::string{taking_queue} : "$queue/" + std::to_string(roll.below(2));
        p.level = std::max(p.level, 1U);
    }
    std::string props;
    const auto expiry_s = wish_.v5 && !p.retain && roll.chance(6) ? roll.between(1, 8) : 0;
    if (expiry_s != 0) {
        p.expires_at = in_.now() + seconds{expiry_s};
        props = "\x02" + u32(expiry_s);
    }
    if (p.what == publication::kind::job && wish_.v5 && roll.chance(40)) {
        p.priority = static_cast<unsigned>(roll.below(10));
        props += priority_property(p.priority);
    }
    const auto level = p.level;
    const auto deletes = p.deletes;
    const auto retain = p.retain;
    const auto topic = p.topic;
    const auto n = in_.check().new_publication(std::move(p));
    auto payload = deletes ? "" : std::to_string(n);
    if (!deletes && roll.chance(3)) payload += " " + std::string(roll.between(100, 3000), 'x');
    auto body = text(topic);
    const auto id = level == 0 ? 0 : free_id();
    if (level != 0) body += u16(id);
    body += mqtt_wire::properties(wish_.v5, props) + payload;
    if (level != 0) {
        window_.push_back({.id = id, .what = n, .level = level, .expiry_s = expiry_s, .body = body, .life = in_.check().life()});
    }
    in_.check().routing(n);
    send(packet(static_cast<int>(0x30U | level << 1 | (retain ? 1U : 0U)), body),
         fmt::format("PUBLISH #{} {} QoS {} id {}{}", n, topic, level, id, retain ? " retain" : ""));
}

// Everything it has not heard of, in its order [MQTT-4.4.0-1].
void mqtt_model::resend() {
    const auto all = window_; // a refusal may end the connection
    for (const auto& o : all) {
        if (!can_send()) return;
        in_.count(o.released ? event::release_repeated : event::publish_repeated);
        if (o.released) {
            send(packet(0x62, u16(o.id)), fmt::format("PUBREL {} again", o.id));
            continue;
        }
        in_.check().routing(o.what);
        if (o.expiry_s != 0) in_.check().expires(o.what, in_.now() + seconds{o.expiry_s});
        const auto retain = in_.check().is_retained(o.what) ? 1U : 0U;
        send(packet(static_cast<int>(0x38U | o.level << 1 | retain), o.body), fmt::format("PUBLISH #{} again", o.what));
    }
}

void mqtt_model::begin() {
    connect(false);
    in_.settle();
    subscribe();
    in_.settle();
}

// --- what it hears ---

void mqtt_model::notice_end() {
    if (!connection_ || !connection_->closed()) return;
    in_.check().holder_gone(holder_);
    if (party_ != nobody) in_.check().party_left(party_);
    if (will_ != 0) in_.check().will_due(will_, in_.now() + will_delay_, phase_ == phase::online);
}

void mqtt_model::harvest(bool all) {
    if (!connection_ || (stalled_ && !all)) return;
    const auto bytes = connection_->sent();
    if (bytes.empty()) return;
    bytes_ += bytes;
    in_.note(wish_.client_id, "<-", bytes);
    // What was written before the broker closed is read after others were told; only its receiver minds.
    const bool late = connection_->closed();
    for (auto& p : take_packets(bytes_)) {
        if (p.type == 3 && !late) {
            const auto m = parse_publish(p, wish_.v5);
            if (m.payload.empty()) {
                // the retained message of a topic was deleted: nothing to look for
            } else if (m.topic.starts_with("$queue/")) {
                in_.check().job_written({.what = std::stoul(m.payload), .queue = m.topic, .priority = m.priority}, holder_,
                                        m.level == 0);
            } else if (party_ != nobody) {
                in_.check().written(party_, {.what = std::stoul(m.payload),
                                               .topic = m.topic,
                                               .level = m.level,
                                               .retain = m.retain,
                                               .again = m.dup,
                                               .expiry_s = m.expiry_s});
            } else {
                in_.check().problem(wish_.client_id + " got a message before CONNACK");
            }
        } else if (p.type == 2) {
            on_connack(p);
            continue;
        }
        arrived_.push_back(std::move(p));
    }
    notice_end();
}

std::string mqtt_model::waits_for() const {
    if (!connection_ || connection_->closed()) return {};
    if (phase_ == phase::connecting) return "CONNACK for " + wish_.client_id;
    if (!diligent_) return {};
    if (!window_.empty()) return fmt::format("what {} waits for to be done with #{}", wish_.client_id, window_.front().what);
    if (!subscribing_.empty() || !unsubscribing_.empty()) return "SUBACK or UNSUBACK for " + wish_.client_id;
    return {};
}

void mqtt_model::read() {
    for (auto left = diligent_ ? arrived_.size() : in_.roll().below(6); left != 0 && !arrived_.empty(); --left) {
        const auto p = std::move(arrived_.front());
        arrived_.pop_front();
        on_packet(p);
        if (!connection_) return;
    }
}

void mqtt_model::on_packet(const packet_in& p) {
    switch (p.type) {
    case 3: return on_publish(parse_publish(p, wish_.v5));
    case 4: return on_puback(p);
    case 5: return on_pubrec(p);
    case 6: // PUBREL
        if (const auto it = held_.find(u16_at(p.body, 0)); it != held_.end()) {
            told_again(it->second);
            held_.erase(it);
        }
        if (can_send() && answers()) send(packet(0x70, u16(u16_at(p.body, 0))), "PUBCOMP");
        return;
    case 7: // PUBCOMP
        for (const auto& o : window_) {
            if (o.id == u16_at(p.body, 0)) heard_of(o);
        }
        std::erase_if(window_, [&](const outgoing& o) { return o.released && o.id == u16_at(p.body, 0); });
        return;
    case 9: return on_suback(p);
    case 11: return on_unsuback(p);
    default: return;
    }
}

void mqtt_model::on_connack(const packet_in& p) {
    auto& check = in_.check();
    if (p.body[1] != 0) {
        in_.say(wish_.client_id, "refused");
        return; // the broker closes
    }
    const bool present = p.body[0] != 0;
    const auto known = session_exists();
    in_.say(wish_.client_id, fmt::format("CONNACK present {}", present));
    if (clean_ && present) check.problem(wish_.client_id + " asked for a clean session and was told that one is present");
    if (!clean_ && present && known == certainty::no) check.problem(wish_.client_id + " found a session that had ended");
    if (!clean_ && !present && known == certainty::yes) check.problem(wish_.client_id + " lost its session");
    if (!present || party_ == nobody) {
        if (party_ != nobody) check.party_ended(party_);
        party_ = check.new_party(wish_.client_id, durable_);
        window_.clear();
        held_.clear();
        stream_ = in_.next_stream();
        confirmed_ = false;
        exists_ = certainty::maybe;
        ends_from_ = ends_upto_ = never;
    }
    const auto here = connection_->shard();
    if (present && shard_ == no_shard) in_.count(event::session_resumed_over_crash);
    if (present && shard_ != no_shard && shard_ != here) {
        in_.count(was_live_ ? event::session_moved_live : event::session_moved);
    }
    shard_ = here;
    for (const auto w : earlier_wills_) {
        if (!present) continue;
        check.will_cancelled(w);
        unsure_wills_.push_back(w);
    }
    earlier_wills_.clear();
    exists_ = certainty::yes;
    phase_ = phase::online;
    if (durable_) confirmed();
    resend();
}

// The session is on disk as this connection has it.
void mqtt_model::confirmed() {
    confirmed_ = attached_ = true;
    if (will_ != 0) in_.check().will_stored(will_);
    unsure_wills_.clear();
    ends_from_ = ends_upto_ = never;
}

void mqtt_model::on_publish(const publish_in& m) {
    const auto n = m.payload.empty() ? 0 : std::stoul(m.payload);
    const bool job = m.topic.starts_with("$queue/");
    const auto arrived = [&] {
        in_.count(event::delivery);
        if (job) in_.count(event::job_taken_by_mqtt);
        if (n != 0 && !job) {
            in_.check().received(party_, {.what = n, .topic = m.topic, .level = m.level, .retain = m.retain, .again = m.dup, .late = connection_->closed()});
        }
    };
    const auto answered = [&] {
        if (n == 0) return;
        if (job) return in_.check().job_answered(n, true);
        if (!m.retain) in_.check().answered(party_, n);
    };
    const auto refused = [&] {
        in_.count(event::answered_with_error);
        in_.check().forgotten(party_, n);
        if (n == 0 || m.retain) return;
        if (job) return in_.check().job_rejected(n);
        const bool passed_on = in_.node().bounds().mqtt_shared_error == "redeliver" && m.topic.starts_with("s/");
        return passed_on ? in_.check().refused(party_, n) : in_.check().answered(party_, n);
    };
    if (m.level == 0) return arrived();
    if (m.level == 1) {
        arrived();
        if (!can_send() || !answers()) return;
        if (answers_with_error()) {
            refused();
            return send(packet(0x40, u16(m.id) + "\x97"), fmt::format("PUBACK {} #{} with an error", m.id, n));
        }
        answered();
        return send(packet(0x40, u16(m.id)), fmt::format("PUBACK {} #{}", m.id, n));
    }
    // The receiver's side of QoS 2: a handle it holds already is the same message again.
    if (const auto [it, first] = held_.emplace(m.id, handle{.what = n, .life = in_.check().life()}); first) {
        arrived();
    } else if (it->second.what != n) {
        in_.check().problem(fmt::format("{}: handle {} was used for #{} and #{}", wish_.client_id, m.id, it->second.what, n));
    } else {
        told_again(it->second);
    }
    if (!can_send() || !answers()) return;
    if (answers_with_error()) {
        refused();
        held_.erase(m.id);
        return send(packet(0x50, u16(m.id) + "\x97"), fmt::format("PUBREC {} #{} with an error", m.id, n));
    }
    answered();
    send(packet(0x50, u16(m.id)), fmt::format("PUBREC {} #{}", m.id, n));
}

// An exchange goes on that began before the server died.
void mqtt_model::told_again(handle& h) {
    if (std::exchange(h.life, in_.check().life()) != in_.check().life()) in_.count(event::exactly_once_out_over_crash);
}

void mqtt_model::heard_of(const outgoing& o) {
    if (o.level == 2 && o.life != in_.check().life()) in_.count(event::exactly_once_in_over_crash);
}

void mqtt_model::turned_down(number n) {
    in_.count(in_.check().disk_fails() ? event::refused : event::refused_when_full);
    in_.check().turned_down(n);
}

void mqtt_model::on_puback(const packet_in& p) {
    const auto it = std::ranges::find(window_, u16_at(p.body, 0), &outgoing::id);
    if (it == window_.end() || it->level != 1) return in_.check().problem(wish_.client_id + " got a PUBACK for nothing");
    if (reason_of(p, wish_.v5) < 0x80) {
        in_.check().accepted(it->what);
    } else {
        turned_down(it->what);
    }
    window_.erase(it);
}

void mqtt_model::on_pubrec(const packet_in& p) {
    const auto it = std::ranges::find(window_, u16_at(p.body, 0), &outgoing::id);
    if (it == window_.end() || it->level != 2) return in_.check().problem(wish_.client_id + " got a PUBREC for nothing");
    if (reason_of(p, wish_.v5) >= 0x80) {
        turned_down(it->what);
        window_.erase(it);
        return;
    }
    heard_of(*it);
    in_.check().accepted(it->what);
    it->released = true;
    if (can_send() && answers()) send(packet(0x62, u16(it->id)), fmt::format("PUBREL {}", it->id));
}

void mqtt_model::on_suback(const packet_in& p) {
    const auto node = subscribing_.extract(u16_at(p.body, 0));
    if (node.empty()) return;
    const auto& [filter, level] = node.mapped();
    if (static_cast<unsigned char>(codes_of(p, wish_.v5)[0]) >= 0x80) return;
    if (!filter.starts_with("$queue/")) {
        in_.check().subscribed(party_, filter, level);
        for (const auto& [id, later] : subscribing_) {
            if (later.first == filter) in_.check().subscribing(party_, filter, later.second);
        }
    }
}

void mqtt_model::on_unsuback(const packet_in& p) {
    const auto node = unsubscribing_.extract(u16_at(p.body, 0));
    if (node.empty()) return;
    const bool again = std::ranges::any_of(subscribing_, [&](const auto& s) { return s.second.first == node.mapped(); });
    if (!again) in_.check().unsubscribed(party_, node.mapped());
}

// --- the end ---

void mqtt_model::come_back() {
    diligent_ = true;
    stalled_ = false;
    while (!old_.empty()) close_old();
    if (connection_ && (connection_->closed() || phase_ == phase::online)) leave(false);
    if (!connection_) connect(wish_.lives == life::connection);
}

void mqtt_model::retire() {
    if (retired_) return;
    if (phase_ == phase::online && clean_ && !durable_) {
        goodbye();
        retired_ = true;
    } else if (phase_ != phase::connecting || connection_->closed()) {
        if (connection_) leave(false);
        connect(true, true);
    }
}

} // namespace broker::sim
