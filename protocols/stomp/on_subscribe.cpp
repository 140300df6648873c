// SUBSCRIBE and UNSUBSCRIBE [STOMP12 §SUBSCRIBE].
#include "protocols/stomp/engine.hpp"

#include "protocols/stomp/destination.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace broker::stomp {

subscription* engine::find(std::string_view id) {
    const auto it = std::ranges::find_if(subscriptions_, [&](const auto& s) { return s->id_ == id; });
    return it == subscriptions_.end() ? nullptr : it->get();
}

// Not empty: a durable subscription's session.
std::string engine::durable_name(const frame& f, const std::string& id) const {
    auto subscription_name = f.find("durable-subscription-name");
    if (!subscription_name) subscription_name = f.find("activemq.subscriptionName");
    if (!subscription_name && f.get("durable") == "true") subscription_name = id;
    if (!subscription_name) return {};
    const bool named = client_id_ != session_name_;
    return fmt::format("{}/{}", named ? client_id_ : login_, *subscription_name);
}

void engine::on_subscribe(const frame& f, time_point now) {
    const auto refuse = [&](std::string what) { fail("protocol_error", std::move(what), f.get("receipt")); };
    const auto destination = f.find("destination");
    if (!destination) return refuse("SUBSCRIBE without destination");
    auto id = f.find("id");
    if (!id && version_ != version::v1_0) return refuse("SUBSCRIBE without id");
    if (!id) id = destination; // 1.0: the destination identifies it
    if (find(*id) != nullptr) return refuse(fmt::format("subscription id {} is in use", *id));
    if (subscriptions_.size() >= with_.bounds.max_subscriptions_per_client) {
        return fail("too_big", fmt::format("more than {} subscriptions", with_.bounds.max_subscriptions_per_client),
                    f.get("receipt"));
    }
    const auto mode_text = f.find("ack").value_or("auto");
    auto mode = ack_mode::automatic;
    if (mode_text == "client") {
        mode = ack_mode::client;
    } else if (mode_text == "client-individual" && version_ != version::v1_0) {
        mode = ack_mode::client_individual;
    } else if (mode_text != "auto") {
        return refuse(fmt::format("ack mode {} is not known", mode_text));
    }
    // Taken for an ordinary subscription it would consume what its client only wanted to look at.
    if (f.get("browser") == "true") return refuse("browser:true is not served");
    const auto filter = filter_of(*destination, f.get("x-group"), with_.bounds);
    if (!filter) return refuse(filter.error());

    std::uint16_t window = with_.bounds.stomp_prefetch;
    for (const auto* const header : {"prefetch-count", "activemq.prefetchSize"}) {
        const auto text = f.find(header);
        if (!text) continue;
        const auto [end, ec] = std::from_chars(text->data(), text->data() + text->size(), window);
        if (ec != std::errc{} || end != text->data() + text->size() || window == 0) {
            return refuse(fmt::format("{} must be 1 to 65535", header));
        }
    }

    auto made = std::make_unique<subscription>(*this, std::string{*id}, ++last_number_, mode);
    auto& s = *made;
    s.destination_ = *destination;
    s.filter_ = *filter;
    s.options_.maximum_qos = mode == ack_mode::automatic ? qos::at_most_once : qos::at_least_once;
    s.options_.acknowledges_all = mode != ack_mode::automatic;
    if (const auto r = f.find("receipt")) s.receipt_ = *r;
    const auto durable = durable_name(f, s.id_);
    if (!durable.empty() && durable.starts_with('/')) {
        return refuse("a durable subscription needs a client-id or login on CONNECT");
    }
    attachment with{.who = &s, .window = window};
    if (durable.empty() || s.filter_->what() == topic_filter::kind::queue) {
        subscriptions_.push_back(std::move(made));
        s.session_ = with_.sessions.open_transient(client_id_, std::move(with), now);
        if (s.session_ == nullptr) return fail("overload", "limits.max_sessions reached", s.receipt_);
        return subscribed(s, now);
    }
    s.durable_ = true;
    if (mode == ack_mode::automatic) s.options_.maximum_qos = qos::at_least_once; // kept while away; settled on delivery
    with.expires = false;
    subscriptions_.push_back(std::move(made));
    const auto claimed = with_.sessions.claim(durable, false, std::move(with), now);
    if (claimed.refused) return fail("overload", "limits.max_sessions reached", s.receipt_);
    if (claimed.now == nullptr) {
        claiming_ = &s;
        return;
    }
    s.session_ = claimed.now;
    subscribed(s, now);
}

// The session is there.
void engine::subscribed(subscription& s, time_point now) {
    // A durable subscription that comes back may have changed its destination: the session has one filter.
    std::vector<std::string> others;
    for (const auto& [text, options] : s.session_->subscriptions()) {
        if (text != s.filter_->text()) others.push_back(text);
    }
    for (const auto& text : others) {
        if (const auto old = topic_filter::parse(text, with_.bounds)) (void)with_.route.unsubscribe(*s.session_, *old, now);
    }
    const auto done = with_.route.subscribe(*s.session_, *s.filter_, s.options_, now);
    if (done.refused != refusal::none) return fail("overload", "the store or a limit refuses the subscription", s.receipt_);
    if (!s.receipt_.empty()) receipt(s.receipt_, done.durable_at);
    if (s.filter_->what() == topic_filter::kind::plain && !done.existed) {
        with_.route.send_retained(*s.session_, *s.filter_, s.options_, now);
    }
    s.session_->resume(now);
}

ticket engine::drop(subscription& s, bool for_good, time_point now) {
    ticket durable_at;
    if (auto* const held = std::exchange(s.session_, nullptr)) {
        if (for_good) {
            durable_at = with_.sessions.end(*held, now);
        } else {
            with_.sessions.detach(*held, false, now);
        }
    }
    std::erase_if(sent_automatically_, [&](const auto& sent) { return sent.first == &s; });
    std::erase_if(subscriptions_, [&](const auto& known) { return known.get() == &s; });
    return durable_at;
}

void engine::on_unsubscribe(const frame& f, time_point now) {
    auto id = f.find("id");
    if (!id && version_ == version::v1_0) id = f.find("destination");
    if (!id) return fail("protocol_error", "UNSUBSCRIBE without id", f.get("receipt"));
    // An unknown id is not an error: the subscription is gone, as asked.
    auto* const s = find(*id);
    receipt(f, s == nullptr ? ticket{} : drop(*s, s->durable_ && !durable_name(f, s->id_).empty(), now));
}

} // namespace broker::stomp
