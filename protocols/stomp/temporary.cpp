// Temporary queues: /temp-queue/NAME belongs to its connection, needs no SUBSCRIBE to receive, is reached by others
// under the name the reply-to header gives it, and goes with the connection.
#include "protocols/stomp/engine.hpp"

#include "core/utf8.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace broker::stomp {

namespace {

// An answer is kept until the outbox takes it, whatever level it was sent at; taking it settles it.
constexpr subscription_options options_of_answers{.maximum_qos = qos::at_least_once, .acknowledges_all = true};

} // namespace

result<std::string_view, std::string> engine::topic_of(std::string_view destination, time_point now) {
    const auto name = own_temporary(destination);
    return name ? temporary(*name, now) : names_.topic_of(destination, topic_);
}

result<std::string_view, std::string> engine::temporary(std::string_view name, time_point now) {
    const auto known = std::ranges::find(subscriptions_, name, [](const auto& s) { return std::string_view{s->temporary_}; });
    if (known != subscriptions_.end() && !name.empty()) return (*known)->temporary_topic_;
    if (subscriptions_.size() >= with_.bounds.max_subscriptions_per_client) {
        with_.route.count().refuse(limit_kind::subscriptions_per_client);
        return broker::fail(fmt::format("more than {} subscriptions and temporary queues",
                                        with_.bounds.max_subscriptions_per_client));
    }
    auto& s = add_subscription(fmt::format("/temp-queue/{}", name), true, ack_mode::automatic);
    s.asked_for_ = false;
    s.options_ = options_of_answers;
    s.session_ = with_.sessions.open_transient(client_id_, {.who = &s, .window = with_.bounds.stomp_prefetch}, now);
    if (s.session_ == nullptr) return broker::fail(std::string{"limits.max_sessions reached"});
    auto made = with_.route.open_temporary(*s.session_, name, s.options_, now);
    if (made.refused != refusal::none) {
        (void)drop(s, false, now);
        return broker::fail(fmt::format("/temp-queue/{}: not a name for a temporary queue", utf8_prefix(name, 80)));
    }
    s.temporary_ = name;
    s.temporary_topic_ = std::move(made.topic);
    return s.temporary_topic_;
}

// Gives it an id and an ack mode of the client's choice.
void engine::subscribe_temporary(const frame& f, std::string_view id, std::string_view name, ack_mode mode, time_point now) {
    if (const auto topic = temporary(name, now); !topic) return fail("protocol_error", topic.error(), f.get("receipt"));
    auto& s = **std::ranges::find(subscriptions_, name, [](const auto& one) { return std::string_view{one->temporary_}; });
    if (std::exchange(s.asked_for_, true)) {
        return fail("protocol_error", fmt::format("/temp-queue/{} is subscribed to already", name), f.get("receipt"));
    }
    s.id_ = id;
    s.mode_ = mode;
    s.head_ = head_of(id, true, s.number_);
    receipt(f, ticket{});
}

} // namespace broker::stomp
