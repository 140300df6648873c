// ACK and NACK. The id we hand out is "subscription number-handle-message id" in every version.
#include "protocols/stomp/engine.hpp"

#include "core/utf8.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace broker::stomp {

namespace {

std::optional<ack_id> parse(std::string_view text) {
    ack_id id;
    std::uint64_t message = 0;
    const auto* at = text.data();
    const auto* const end = at + text.size();
    const auto number = [&](auto& value, bool last) {
        const auto [behind, ec] = std::from_chars(at, end, value);
        if (ec != std::errc{} || (behind == end) != last || (!last && *behind != '-')) return false;
        at = behind + (last ? 0 : 1);
        return true;
    };
    if (!number(id.subscription, false) || !number(id.handle, false) || !number(message, true)) return std::nullopt;
    id.message = message_id{message};
    return id;
}

} // namespace

std::optional<engine::ack_target> engine::target_of(const ack_id& id) {
    const auto it = std::ranges::lower_bound(subscriptions_, id.subscription, {}, [](const auto& s) { return s->number_; });
    if (it == subscriptions_.end() || (*it)->number_ != id.subscription) return std::nullopt;
    const auto* const known = (*it)->unacknowledged_.find(id.handle);
    if (known == nullptr || known->id != id.message) return std::nullopt;
    return ack_target{it->get(), id.handle};
}

// Takes what an acknowledgement of the target settles out of the ledger.
std::vector<subscription::pending> engine::take_settled(const ack_target& target) {
    auto& open = target.of->unacknowledged_;
    auto* const named = open.find(target.handle);
    // client: everything before it too, of this subscription [STOMP12-SUBSCRIBE-6]; client-individual: it alone
    // [STOMP12-SUBSCRIBE-7]. NACK likewise [STOMP12-NACK-2].
    if (target.of->mode_ != ack_mode::client) return {open.take(*named)};
    std::vector<subscription::pending> settled;
    do {
        settled.push_back(open.take(open.front()));
    } while (settled.back().handle != target.handle);
    return settled;
}

ticket engine::settle(const ack_target& target, settlement how, time_point now) {
    ticket done;
    for (const auto& one : take_settled(target)) {
        if (target.of->session_ == nullptr) break;
        done = std::max(done, target.of->session_->settle(one.handle, how, now).value_or(ticket{}));
    }
    return done;
}

void engine::on_ack(const frame& f, settlement how, time_point now) {
    // 1.2 acknowledges by the ack header of the MESSAGE [STOMP12-ACK-1], 1.1 [STOMP11-ACK-1] and 1.0 [STOMP10-ACK-1] by
    // message-id.
    const auto text = f.find(version_ == version::v1_2 ? "id" : "message-id");
    if (!text) return fail("protocol_error", fmt::format("{} without an id", f.command), f.get("receipt"));
    const auto id = parse(*text);
    const auto target = id ? target_of(*id) : std::nullopt;
    if (!target) {
        return fail("protocol_error",
                    fmt::format("{} of a message that is not waiting for one: {}", f.command, utf8_prefix(*text, 80)),
                    f.get("receipt"));
    }
    if (version_ == version::v1_1 && f.get("subscription") != target->of->id_) { // [STOMP11-ACK-2]
        return fail("protocol_error", fmt::format("{} with another subscription's id", f.command), f.get("receipt"));
    }
    if (f.find("transaction")) { // [STOMP12-ACK-2]
        return add_to_transaction(f, {.acknowledged = *id, .how = how}, sizeof(transaction::step));
    }
    receipt(f, settle(*target, how, now));
}

} // namespace broker::stomp
