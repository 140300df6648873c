// ACK and NACK [STOMP12 §ACK]. The id we hand out is "subscription number-handle-message id" in every version.
#include "protocols/stomp/engine.hpp"

#include <algorithm>
#include <charconv>

namespace broker::stomp {

std::optional<engine::ack_target> engine::target_of(std::string_view ack_id) {
    std::uint32_t number = 0;
    std::uint16_t handle = 0;
    const auto* const end = ack_id.data() + ack_id.size();
    const auto first = std::from_chars(ack_id.data(), end, number);
    if (first.ec != std::errc{} || first.ptr == end || *first.ptr != '-') return std::nullopt;
    const auto second = std::from_chars(first.ptr + 1, end, handle);
    if (second.ec != std::errc{} || second.ptr == end || *second.ptr != '-') return std::nullopt;
    std::uint64_t message = 0;
    const auto third = std::from_chars(second.ptr + 1, end, message);
    if (third.ec != std::errc{} || third.ptr != end) return std::nullopt;
    const auto it = std::ranges::find_if(subscriptions_, [&](const auto& s) { return s->number_ == number; });
    if (it == subscriptions_.end()) return std::nullopt;
    const auto& open = (*it)->unacknowledged_;
    const auto known = std::ranges::find(open, handle, &subscription::pending::handle);
    if (known == open.end() || known->id != message_id{message}) return std::nullopt;
    return ack_target{it->get(), handle};
}

ticket engine::settle(const ack_target& target, settlement how, time_point now) {
    auto& open = target.of->unacknowledged_;
    const auto at = std::ranges::find(open, target.handle, &subscription::pending::handle);
    const auto first = target.of->mode_ == ack_mode::client ? open.begin() : at; // cumulative: everything before it too
    const std::vector<subscription::pending> settled(first, at + 1);
    open.erase(first, at + 1);
    ticket done;
    for (const auto& one : settled) {
        if (target.of->session_ == nullptr) break;
        done = std::max(done, target.of->session_->settle(one.handle, how, now).value_or(ticket{}));
    }
    return done;
}

void engine::on_ack(const frame& f, settlement how, time_point now) {
    const auto id = f.find(version_ == version::v1_2 ? "id" : "message-id");
    if (!id) return fail("protocol_error", f.command + " without an id", f.get("receipt"));
    const auto target = target_of(*id);
    if (!target) {
        return fail("protocol_error", f.command + " of a message that is not waiting for one: " + std::string{*id},
                    f.get("receipt"));
    }
    if (version_ == version::v1_1 && f.get("subscription") != target->of->id_) {
        return fail("protocol_error", f.command + " with another subscription's id", f.get("receipt"));
    }
    if (f.find("transaction")) {
        auto* const t = transaction_of(f);
        if (t == nullptr) return;
        t->bytes += id->size() + 64;
        if (t->bytes > with_.bounds.stomp_transaction_bytes_max) {
            return fail("too_big", "transaction over its limit of bytes", f.get("receipt"));
        }
        t->steps.push_back({.ack_id = std::string{*id}, .how = how});
        return receipt(f, ticket{});
    }
    receipt(f, settle(*target, how, now));
}

} // namespace broker::stomp
