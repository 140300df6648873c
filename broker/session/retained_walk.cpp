// A session's walks through the retained messages: one per subscription that asked for them, in pieces as the subscriber
// takes them.
#include "routing/desk.hpp"
#include "session/entry_record.hpp"
#include "session/session.hpp"

#include <algorithm>

namespace broker {

namespace {

constexpr std::size_t piece_max = 64; // found under the lock at once

} // namespace

void session::walk_retained(const topic_filter& filter, const subscription_options& options, time_point now) {
    forget_retained(filter.text());
    walks_.push_back({.filter = filter.text(),
                      .pattern_at = filter.text().size() - filter.pattern().size(),
                      .options = options});
    const change counted{*this};
    pump_retained(now);
}

void session::forget_retained(std::string_view filter) {
    walks_.erase(std::remove_if(walks_.begin(), walks_.end(), [&](const retained_walk& w) { return w.filter == filter; }), walks_.end());
}

// A filter that matches little in a large tree goes through it over many turns, whatever else wakes the session meanwhile.
void session::pump_retained(time_point now) {
    if (walk_waits_) return;
    std::vector<message_ptr> piece;
    while (!walks_.empty()) {
        if (!online() || !subscriber_->has_room_to_spare()) return;
        auto& w = walks_.front();
        const auto most = w.options.maximum_qos == qos::at_most_once ? piece_max : std::min<std::size_t>(piece_max, window_ - in_flight_);
        if (most == 0) return;
        piece.clear();
        auto stopped = desk_->kept().match(w.pattern(), now, piece, most, retained::visits_at_once, w.after);
        for (const auto& m : piece) {
            if (!hand_over_retained(m, w.options, now)) return;
            w.after = m->topic();
        }
        if (!stopped) {
            walks_.pop_front();
            continue;
        }
        w.after = std::move(stopped);
        if (piece.size() == most) continue;
        walk_waits_ = true;
        return desk_->walkers().push_back(slot_);
    }
}

void session::go_on_walking(time_point now) {
    walk_waits_ = false;
    pump(now);
}

// False: there is no room for it now.
bool session::hand_over_retained(const message_ptr& m, const subscription_options& options, time_point now) {
    if (!subscriber_->has_room_to_spare()) return false;
    if (options.no_local && m->publisher() == id()) { // [MQTT-3.8.3-3]
        desk_->count().drop(drop_reason::no_local);
        return true;
    }
    entry e{.message = m, .level = options.level_for(m->level()), .retain = true}; // [MQTT3-3.3.1-8]
    if (options.identifier != 0) e.identifiers.push_back(options.identifier);
    if (e.level == qos::at_most_once) return enqueue(std::move(e), now), true;
    if (in_flight_ >= window_ || in_flight_ != outstanding_.size()) return false;
    if (durable()) {
        e.message = own_copy(*desk_, *m);
        e.stored = true;
        put_entry(*desk_, e, id());
    }
    hand_over(std::move(e), now);
    return true;
}

} // namespace broker
