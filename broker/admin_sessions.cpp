// admin_node: sessions.
#include "admin_node.hpp"

namespace broker {

using admin::admin_error;

namespace {

admin_error no_session(const std::string& id) { return {admin_error::kind::not_found, "no session " + id}; }

admin::session_row row_of(const session& s, shard& on) {
    return {.id = s.handle().client_id,
            .online = s.online(),
            .durable = s.durable(),
            .subscriptions = s.subscriptions().size(),
            .inflight = s.outstanding(),
            .queued = s.waiting(),
            .expires_at = s.inspect().ends_at,
            .shard = on.core().desk().self()};
}

} // namespace

template <class Answer>
result<Answer, admin_error> admin_node::on_session(const std::string& id, session_question<Answer> ask) {
    const auto until = std::chrono::steady_clock::now() + patience;
    do {
        const auto owner = shared_.sessions.owner_of(id);
        if (!owner) return fail(no_session(id));
        auto promise = std::make_shared<std::promise<std::optional<Answer>>>();
        auto* const on = shards_[*owner];
        on->inbox().post(errand{[on, id, ask, promise] {
            auto answer = [promise](std::optional<Answer> given) { promise->set_value(std::move(given)); };
            auto* const s = on->core().sessions().find(id);
            if (s == nullptr) return answer(std::nullopt);
            ask(*on, *s, std::move(answer));
        }});
        auto answered = wait_for(promise->get_future());
        if (!answered) return fail(answered.error());
        if (*answered) return std::move(**answered);
    } while (std::chrono::steady_clock::now() < until);
    return fail(admin_error{admin_error::kind::timeout, "session " + id + " is on its way to another thread; try again"});
}

result<std::vector<admin::session_row>, admin_error> admin_node::list_sessions() {
    return gather<admin::session_row>([](shard& on, std::vector<admin::session_row>& out) {
        on.core().sessions().for_each([&](const session& s) {
            if (s.handle().listed) out.push_back(row_of(s, on));
        });
    });
}

result<admin::session_details, admin_error> admin_node::show_session(const std::string& id) {
    return on_session<admin::session_details>(id, [](shard& on, session& s, auto answer) {
        const auto facts = s.inspect();
        admin::session_details made{.row = row_of(s, on),
                                    .queued_bytes = facts.waiting_bytes,
                                    .queued_in_memory = facts.waiting_in_memory,
                                    .inbound_qos2 = s.remembered(),
                                    .receive_maximum = facts.window,
                                    .expiry = facts.expiry,
                                    .will_topic = facts.will_topic,
                                    .will_due = facts.will_due};
        for (const auto& [filter, options] : s.subscriptions()) made.subscriptions.push_back({.filter = filter, .options = options});
        answer(std::move(made));
    });
}

result<admin::held_messages, admin_error> admin_node::session_messages(const std::string& id, message_id after,
                                                                       std::size_t count_max, bool in_flight_only) {
    auto found = on_session<std::vector<held_message>>(id, [=](shard& on, session& s, auto answer) {
        on.core().sessions().look_into(
            s, {.after = after, .count_max = count_max, .in_flight_only = in_flight_only, .done = std::move(answer)});
    });
    if (!found) return fail(found.error());
    return admin::held_messages{.now = clock_.now(), .messages = std::move(*found)};
}

result<bool, admin_error> admin_node::drop_session_message(const std::string& id, message_id which, bool though_sent) {
    const auto outcome = on_session<drop_outcome>(id, [=](shard& on, session& s, auto answer) {
        on.core().sessions().drop_message(s, which, though_sent, on.now(), [&on, answer](drop_outcome o, ticket at) {
            if (o == drop_outcome::not_here) return answer(std::nullopt);
            if (o != drop_outcome::dropped) return answer(o);
            on.when_durable(at, [answer, o] { answer(o); });
        });
    });
    if (!outcome) return fail(outcome.error());
    const auto message = "message " + std::to_string(which.value());
    const auto refused = [&message](const char* why) { return fail(admin_error{admin_error::kind::refused, message + why}); };
    switch (*outcome) {
    case drop_outcome::not_here:
    case drop_outcome::dropped: return true;
    case drop_outcome::unknown: return fail(admin_error{admin_error::kind::not_found, "session " + id + " holds no " + message});
    case drop_outcome::in_flight:
        return refused(" is in flight: it was sent and its client, which is connected, has not acknowledged it; it goes when the client does");
    case drop_outcome::sent_earlier:
        return refused(" is in flight: it was sent before its client left, which has not acknowledged it; drop it all the same with force");
    case drop_outcome::sent_for_good:
        return refused(" is in flight: it was sent at QoS 2, so its receiver may take the next message with its packet identifier for "
                       "it; only the receiver's answer or the end of the session ends it");
    case drop_outcome::of_queue: return refused(" is a queue's: its consumer answers for it, or gives it back when it goes");
    case drop_outcome::unreadable: return refused(" cannot be read from the disk: see what 'brokerctl store verify' says");
    }
    return true;
}

result<bool, admin_error> admin_node::expire_session(const std::string& id) {
    return on_session<bool>(id, [](shard& on, session& s, auto answer) {
        on.core().sessions().expire(s, on.now(), [&on, answer](ticket at) { on.when_durable(at, [answer] { answer(true); }); });
    });
}

} // namespace broker
