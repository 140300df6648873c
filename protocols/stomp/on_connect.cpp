// CONNECT, STOMP, CONNECTED, versions and heart-beats.
#include "protocols/stomp/engine.hpp"

#include "core/properties.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace broker::stomp {

namespace {

// The highest version both sides speak [STOMP12-VERSION-3]; no accept-version: 1.0 [STOMP12-VERSION-2].
std::optional<version> negotiate(std::optional<std::string_view> accepted) {
    if (!accepted) return version::v1_0;
    std::optional<version> best;
    for (auto rest = *accepted; !rest.empty();) {
        const auto comma = rest.find(',');
        auto one = rest.substr(0, comma);
        rest = comma == std::string_view::npos ? "" : rest.substr(comma + 1);
        while (one.starts_with(' ')) one.remove_prefix(1);
        while (one.ends_with(' ')) one.remove_suffix(1);
        for (const auto v : {version::v1_0, version::v1_1, version::v1_2}) {
            if (one == name(v) && (!best || *best < v)) best = v;
        }
    }
    return best;
}

// 1.0 allows padding around a value, and its CONNECT is read before the version is known.
std::string_view unpadded(std::string_view text, version v) {
    if (v != version::v1_0) return text;
    while (text.starts_with(' ')) text.remove_prefix(1);
    while (text.ends_with(' ')) text.remove_suffix(1);
    return text;
}

struct heart_beats {
    std::uint32_t sends_ms = 0;
    std::uint32_t wants_ms = 0;
};

std::optional<heart_beats> parse_heart_beat(std::string_view text) {
    heart_beats h;
    const auto* const end = text.data() + text.size();
    const auto first = std::from_chars(text.data(), end, h.sends_ms);
    if (first.ec != std::errc{} || first.ptr == end || *first.ptr != ',') return std::nullopt;
    const auto second = std::from_chars(first.ptr + 1, end, h.wants_ms);
    if (second.ec != std::errc{} || second.ptr != end) return std::nullopt;
    return h;
}

} // namespace

// The will-… headers, or nothing; closing() is set when they are wrong.
std::optional<will> engine::will_of(const frame& f, time_point now) {
    const auto get = [&](std::string_view name) { return unpadded(f.get(name), version_); };
    if (!f.find("will-destination")) {
        if (f.find("will-body")) fail("protocol_error", "will-body without will-destination");
        return std::nullopt;
    }
    const auto topic = names_.topic_of(get("will-destination"), topic_);
    if (!topic) {
        fail_destination(get("will-destination"), "will-destination: " + topic.error());
        return std::nullopt;
    }
    std::string properties;
    if (f.find("will-content-type") &&
        !append_property(properties, {.kind = property_kind::content_type, .value = get("will-content-type")})) {
        fail_over(limit_kind::properties, "will-content-type is too long");
        return std::nullopt;
    }
    const auto retain = get("will-retain");
    return will{.message = make_message({.topic = *topic,
                                         .properties = as_bytes(properties),
                                         .payload = as_bytes(f.get("will-body")),
                                         .level = qos::at_least_once,
                                         .retain = retain == "true" || retain == "set",
                                         .persistent = get("will-persistent") != "false",
                                         .received_at = now})};
}

void engine::on_connect(const frame& f, time_point now) {
    constexpr auto mine = static_cast<std::size_t>(protocol_kind::stomp);
    ++with_.route.count().connects_received[mine];
    const auto v = negotiate(f.find("accept-version"));
    if (!v) { // [STOMP12-VERSION-4]
        return fail("protocol_error", "no version in common; 1.0, 1.1 and 1.2 are served", "", "version:1.0,1.1,1.2\n");
    }
    version_ = *v;
    if (!f.body.empty() && version_ != version::v1_0) { // [STOMP12-BODY-1]
        return fail("protocol_error", fmt::format("{} has a body", f.command));
    }
    heart_beats theirs; // no header: 0,0 [STOMP12-BEAT-2]
    if (const auto text = f.find("heart-beat")) {
        const auto parsed = parse_heart_beat(unpadded(*text, version_));
        if (!parsed) return fail("protocol_error", "malformed heart-beat header"); // [STOMP12-BEAT-1]
        theirs = *parsed;
    }
    const auto& bounds = with_.bounds;
    const auto client_id = unpadded(f.get("client-id"), version_);
    login_ = unpadded(f.get("login"), version_);
    if (std::max(client_id.size(), login_.size()) > bounds.max_client_id_bytes) {
        return fail_over(limit_kind::client_id, fmt::format("client-id or login longer than {} bytes", bounds.max_client_id_bytes));
    }
    session_name_ = with_.new_ids.new_client_id();
    client_id_ = client_id.empty() ? session_name_ : std::string{client_id};
    newcomer_ = std::make_unique<arriving>(milliseconds{theirs.sends_ms}, milliseconds{theirs.wants_ms}, will_of(f, now));
    if (closing_) return newcomer_.reset();
    parser_.set_version(version_);
    if (with_.admit == nullptr) return welcomed(now);
    newcomer who{.client_id = client_id_, .user = login_, .protocol = "stomp"};
    if (const auto passcode = f.find("passcode")) who.password = unpadded(*passcode, version_);
    auto given = with_.admit->ask(who, [this](admission::answer later, time_point then) {
        if (closing_) return;
        now_ = then;
        enter(std::move(later), then);
        process_buffered(then);
        with_.out.touch();
    });
    if (given) enter(std::move(*given), now);
}

void engine::enter(admission::answer given, time_point now) {
    if (const auto* const why = std::get_if<close_reason>(&given)) {
        newcomer_.reset();
        return fail(token(why->cause), why->detail.empty() ? "not authenticated" : why->detail);
    }
    auto& may = std::get<welcome>(given);
    user_ = may.user;
    if (!user_.empty()) login_ = user_;
    until_ = may.until;
    may_.grant(std::move(may.may), with_.admit, with_.bounds.partial_subscriptions == "refuse");
    // A will that will not be published must not look accepted.
    if (const auto& w = newcomer_->last_will; w && !may_.publish(w->message->topic(), w->message->retain())) {
        newcomer_.reset();
        return fail("forbidden", "the will may not be published");
    }
    welcomed(now);
}

void engine::welcomed(time_point now) {
    if (newcomer_->last_will) {
        auto last_will = std::move(newcomer_->last_will);
        will_.session_ = with_.sessions.open_transient(client_id_, {.who = &will_, .user = user_, .last_will = std::move(last_will)}, now);
        if (will_.session_ == nullptr) {
            newcomer_.reset();
            return fail("overload", "limits.max_sessions reached");
        }
        // Who reads CONNECTED counts on the will: on_durable() goes on when it is on disk.
        if (!with_.route.is_durable(will_.session_->recorded_at())) return;
    }
    begin(now);
}

void engine::begin(time_point now) {
    const auto& bounds = with_.bounds;
    const auto theirs = std::move(*newcomer_);
    newcomer_.reset();
    connected_ = true;
    ++with_.route.count().clients[static_cast<std::size_t>(protocol_kind::stomp)];
    parser_.set_connected();
    // Either direction beats as often as the slower of the two wishes [STOMP12-BEAT-3].
    const auto agreed = [](milliseconds can, milliseconds want) {
        return can.count() == 0 || want.count() == 0 ? milliseconds{0} : std::max(can, want);
    };
    send_every_ = agreed(bounds.stomp_heart_beat, theirs.wants);
    expect_every_ = agreed(theirs.sends, bounds.stomp_client_heart_beat);

    // [STOMP12-CONNECTED-1] [STOMP12-CONNECTED-2] [STOMP12-CONNECTED-3] [STOMP10-CONNECT-1]
    scratch_ = fmt::format("CONNECTED\nversion:{}\nsession:{}\nserver:brokerd\nheart-beat:{},{}\n\n", name(version_),
                           session_name_, bounds.stomp_heart_beat.count(), bounds.stomp_client_heart_beat.count());
    scratch_.push_back('\0');
    send(scratch_, frame_kind::text, now);
}

} // namespace broker::stomp
