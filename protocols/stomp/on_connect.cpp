// CONNECT, STOMP, CONNECTED [STOMP12 §Connecting] and heart-beats [STOMP12 §Heart-beating].
#include "protocols/stomp/engine.hpp"

#include "protocols/stomp/header_escape.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace broker::stomp {

namespace {

// The highest version both sides speak; no accept-version: 1.0.
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

void engine::on_connect(const frame& f, time_point now) {
    constexpr auto mine = static_cast<std::size_t>(protocol_kind::stomp);
    ++with_.route.count().connects_received[mine];
    const auto v = negotiate(f.find("accept-version"));
    if (!v) {
        return fail("protocol_error", "no version in common; 1.0, 1.1 and 1.2 are served", f.get("receipt"),
                    "version:1.0,1.1,1.2\n");
    }
    heart_beats theirs;
    if (const auto text = f.find("heart-beat")) {
        const auto parsed = parse_heart_beat(unpadded(*text, *v));
        if (!parsed) return fail("protocol_error", "malformed heart-beat header", f.get("receipt"));
        theirs = *parsed;
    }
    version_ = *v;
    connected_ = true;
    ++with_.route.count().clients[mine];
    parser_.set_version(version_);
    parser_.set_connected();
    login_ = unpadded(f.get("login"), version_);
    session_name_ = with_.new_client_id();
    const auto client_id = unpadded(f.get("client-id"), version_);
    client_id_ = client_id.empty() ? session_name_ : std::string{client_id};
    const auto ours = static_cast<std::uint32_t>(with_.bounds.stomp_heart_beat.count());
    if (ours != 0 && theirs.wants_ms != 0) send_every_ = milliseconds{std::max(ours, theirs.wants_ms)};
    if (ours != 0 && theirs.sends_ms != 0) expect_every_ = milliseconds{std::max(ours, theirs.sends_ms)};

    std::string bytes = fmt::format("CONNECTED\nversion:{}\nsession:{}\nserver:brokerd\nheart-beat:{},{}\n\n",
                                    name(version_), session_name_, ours, ours);
    bytes.push_back('\0');
    send(bytes, now);
}

} // namespace broker::stomp
