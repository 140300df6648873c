// SUBSCRIBE and UNSUBSCRIBE.
#include "protocols/stomp/engine.hpp"

#include "core/utf8.hpp"
#include "protocols/stomp/header_escape.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace broker::stomp {

namespace {

// [STOMP12-SUBSCRIBE-4]; 1.0 knows the first two [STOMP10-SUBSCRIBE-1].
std::optional<ack_mode> ack_mode_of(std::string_view text, version v) {
    if (text == "auto") return ack_mode::automatic;
    if (text == "client") return ack_mode::client;
    if (text == "client-individual" && v != version::v1_0) return ack_mode::client_individual;
    return std::nullopt;
}

// Unacknowledged messages at once, in the dialects there are; nothing: malformed.
std::optional<std::uint16_t> window_of(const frame& f, std::uint16_t otherwise) {
    auto window = otherwise;
    for (const auto* const header : {"prefetch-count", "activemq.prefetchSize"}) {
        const auto text = f.find(header);
        if (!text) continue;
        const auto [end, ec] = std::from_chars(text->data(), text->data() + text->size(), window);
        if (ec != std::errc{} || end != text->data() + text->size() || window == 0) return std::nullopt;
    }
    return window;
}

bool is_true(const frame& f, std::string_view header) { return f.get(header) == "true"; }

} // namespace

subscription* engine::find(std::string_view id) {
    const auto it = std::ranges::find_if(subscriptions_, [&](const auto& s) { return s->id_ == id; });
    return it == subscriptions_.end() ? nullptr : it->get();
}

// Not empty: a durable subscription's session. "/NAME": nobody to keep it for.
std::string engine::durable_name(const frame& f, std::string_view id) const {
    auto subscription_name = f.find("durable-subscription-name");
    if (!subscription_name) subscription_name = f.find("activemq.subscriptionName");
    if (!subscription_name && is_true(f, "durable")) subscription_name = id;
    if (!subscription_name) return {};
    const bool named = client_id_ != session_name_;
    return fmt::format("{}/{}", named ? client_id_ : login_, *subscription_name);
}

// What every MESSAGE of a subscription begins with.
std::string engine::head_of(std::string_view id, bool named, std::uint32_t number) const {
    std::string head = "MESSAGE\n";
    if (named) (void)append_header(head, "subscription", id, version_); // [STOMP12-MESSAGE-4] [STOMP10-SUBSCRIBE-3]
    return head += fmt::format("message-id:{}-", number);
}

subscription& engine::add_subscription(std::string_view id, bool named, ack_mode mode) {
    auto& s = *subscriptions_.emplace_back(std::make_unique<subscription>(*this, std::string{id}, ++last_number_, mode));
    s.head_ = head_of(id, named, s.number_);
    return s;
}

bool engine::is_id_free(std::string_view id) {
    return find(id) == nullptr && std::ranges::find(browsers_, id, [](const auto& b) { return std::string_view{b->id_}; }) ==
                                      browsers_.end();
}

void engine::on_subscribe(const frame& f, time_point now) {
    const auto refuse = [&](std::string what) { fail("protocol_error", std::move(what), f.get("receipt")); };
    const auto destination = f.find("destination");
    if (!destination) return refuse("SUBSCRIBE without destination"); // [STOMP12-SUBSCRIBE-1]
    auto id = f.find("id");
    if (!id && version_ != version::v1_0) return refuse("SUBSCRIBE without id"); // [STOMP12-SUBSCRIBE-2]
    const bool named = id.has_value();
    if (!id) id = destination; // 1.0: the destination identifies it
    if (!is_id_free(*id)) { // [STOMP12-SUBSCRIBE-3]
        return refuse(fmt::format("subscription id {} is in use", utf8_prefix(*id, 80)));
    }
    if (subscriptions_.size() + browsers_.size() >= with_.bounds.max_subscriptions_per_client) {
        return fail_over(limit_kind::subscriptions_per_client,
                         fmt::format("more than {} subscriptions", with_.bounds.max_subscriptions_per_client), f.get("receipt"));
    }
    const auto mode = ack_mode_of(f.find("ack").value_or("auto"), version_);
    if (!mode) return refuse(fmt::format("ack mode {} is not known", utf8_prefix(f.get("ack"), 80)));
    const auto window = window_of(f, with_.bounds.stomp_prefetch);
    if (!window) return refuse("prefetch-count and activemq.prefetchSize must be 1 to 65535");
    // Taken for an ordinary subscription it would deliver what its client did not ask for.
    if (f.find("selector")) return refuse("selectors are not served");
    if (is_true(f, "browser")) return on_browse(f, *id, now);
    if (const auto name = own_temporary(*destination)) return subscribe_temporary(f, *id, *name, *mode, now);
    const auto filter = names_.filter_of(*destination, f.get("x-group"));
    if (!filter) return fail_destination(*destination, filter.error(), f.get("receipt"));
    const auto covered = may_.subscribe(filter->text());
    if (covered == security::coverage::none) {
        return fail("forbidden", "this destination may not be subscribed to", f.get("receipt"));
    }
    filtered_ |= covered == security::coverage::part;
    const bool queue = filter->what() == topic_filter::kind::queue;
    const bool no_local = is_true(f, "no-local") || is_true(f, "activemq.noLocal");
    if (no_local && filter->what() != topic_filter::kind::plain) {
        return refuse("no-local is for topics: nobody else would get the message of a queue or group");
    }
    const auto durable = queue ? std::string{} : durable_name(f, *id);
    if (durable.starts_with('/')) return refuse("a durable subscription needs a client-id or login on CONNECT");
    if (durable.size() > with_.bounds.max_client_id_bytes) {
        return fail_over(limit_kind::client_id,
                         fmt::format("client-id and subscription name longer than {} bytes", with_.bounds.max_client_id_bytes),
                         f.get("receipt"));
    }
    if (!durable.empty() && std::ranges::any_of(subscriptions_, [&](const auto& s) { return s->durable_name_ == durable; })) {
        return refuse(fmt::format("durable subscription {} is in use on this connection", utf8_prefix(durable, 80)));
    }

    auto& s = add_subscription(*id, named, *mode);
    s.filter_ = *filter;
    s.options_.maximum_qos = *mode == ack_mode::automatic ? qos::at_most_once : qos::at_least_once;
    s.options_.acknowledges_all = *mode != ack_mode::automatic;
    s.options_.no_local = no_local;
    s.window_ = *window;
    s.durable_name_ = durable;
    if (const auto r = f.find("receipt")) s.receipt_ = *r;
    if (!durable.empty()) {
        if (*mode == ack_mode::automatic) s.options_.maximum_qos = qos::at_least_once; // kept while away; settled on delivery
        return claim(s, now);
    }
    s.session_ = with_.sessions.open_transient(client_id_, {.who = &s, .window = s.window_}, now);
    if (s.session_ == nullptr) return fail("overload", "limits.max_sessions reached", s.receipt_);
    subscribed(s, now);
}

// Its session may have to come from another shard.
void engine::claim(subscription& s, time_point now) {
    const auto answer = with_.sessions.claim(s.durable_name_, false, {.who = &s, .user = user_, .window = s.window_, .expires = false}, now);
    if (answer.forbidden) return fail("forbidden", "this durable subscription is another user's", s.receipt_);
    if (answer.refused) return fail("overload", "limits.max_sessions reached", s.receipt_);
    if (answer.now == nullptr) {
        claiming_ = &s;
        return;
    }
    s.session_ = answer.now;
    claimed(s, now);
}

void engine::claimed(subscription& s, time_point now) {
    if (!s.removing_) return subscribed(s, now);
    const auto asked = std::exchange(s.receipt_, {});
    const auto at = drop(s, true, now);
    last_ticket_ = std::max(last_ticket_, at);
    if (!asked.empty()) receipt(asked, at);
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
    if (done.refused != refusal::none) { // [STOMP12-SUBSCRIBE-5]
        return fail_refused(done.refused, "the subscription", s.receipt_);
    }
    if (s.options_.no_local && publisher_ == session_id{}) publisher_ = s.session_->id();
    last_ticket_ = std::max(last_ticket_, done.durable_at);
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

// Under other rules: STOMP has no other word for a subscription that ends than ERROR.
void engine::review_subscriptions() {
    filtered_ = false;
    for (const auto& s : subscriptions_) {
        if (!s->filter_) continue; // a temporary queue
        const auto covered = may_.subscribe(s->filter_->text());
        if (covered == security::coverage::none) {
            return fail("forbidden", fmt::format("subscription {} is not allowed any more", utf8_prefix(s->id_, 80)));
        }
        filtered_ |= covered == security::coverage::part;
    }
}

void engine::on_unsubscribe(const frame& f, time_point now) {
    auto id = f.find("id");
    if (!id && version_ == version::v1_0) id = f.find("destination"); // [STOMP10-UNSUBSCRIBE-1]
    if (!id) return fail("protocol_error", "UNSUBSCRIBE without id", f.get("receipt")); // [STOMP12-UNSUBSCRIBE-2]
    const auto durable = durable_name(f, *id);
    if (auto* const s = find(*id)) {
        return receipt(f, drop(*s, !durable.empty() && s->durable_name_ == durable, now)); // [STOMP12-UNSUBSCRIBE-1]
    }
    const auto looking = std::ranges::find(browsers_, *id, [](const auto& b) { return std::string_view{b->id_}; });
    if (looking != browsers_.end()) return stop(**looking), receipt(f, ticket{});
    // An unknown id is not an error: the subscription is gone, as asked. A durable one that is not subscribed here goes
    // as well, and is taken from whoever has it.
    if (durable.empty() || durable.starts_with('/') || durable.size() > with_.bounds.max_client_id_bytes) {
        return receipt(f, ticket{});
    }
    const auto here = std::ranges::find_if(subscriptions_, [&](const auto& s) { return s->durable_name_ == durable; });
    if (here != subscriptions_.end()) return receipt(f, drop(**here, true, now));
    auto& s = add_subscription(*id, true, ack_mode::automatic);
    s.durable_name_ = durable;
    s.removing_ = true;
    if (const auto r = f.find("receipt")) s.receipt_ = *r;
    claim(s, now);
}

} // namespace broker::stomp
