// BEGIN, COMMIT, ABORT [STOMP12 §BEGIN]. A transaction is buffered; COMMIT does all of it in one turn, which is one
// atomic batch of the store.
#include "protocols/stomp/engine.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace broker::stomp {

// Null: refused, the connection is being closed.
transaction* engine::transaction_of(const frame& f) {
    const auto name_of_it = f.find("transaction");
    if (!name_of_it) return fail("protocol_error", f.command + " without transaction", f.get("receipt")), nullptr;
    const auto it = transactions_.find(*name_of_it);
    if (it == transactions_.end()) {
        return fail("protocol_error", fmt::format("transaction {} was not begun", *name_of_it), f.get("receipt")), nullptr;
    }
    return &it->second;
}

void engine::on_begin(const frame& f) {
    const auto id = f.find("transaction");
    if (!id) return fail("protocol_error", "BEGIN without transaction", f.get("receipt"));
    if (transactions_.size() >= with_.bounds.stomp_transactions_max) {
        return fail("too_big", fmt::format("more than {} open transactions", with_.bounds.stomp_transactions_max),
                    f.get("receipt"));
    }
    if (!transactions_.try_emplace(std::string{*id}).second) {
        return fail("protocol_error", fmt::format("transaction {} was begun already", *id), f.get("receipt"));
    }
    receipt(f, ticket{});
}

void engine::on_commit(const frame& f, time_point now) {
    if (transaction_of(f) == nullptr) return;
    const auto node = transactions_.extract(transactions_.find(f.get("transaction")));
    // All or nothing: what cannot be acknowledged any more is found before the first message is routed.
    std::vector<std::string_view> acknowledged;
    for (const auto& step : node.mapped().steps) {
        if (step.message) continue;
        if (!target_of(step.ack_id) || std::ranges::find(acknowledged, step.ack_id) != acknowledged.end()) {
            return fail("protocol_error", "the transaction acknowledges what is not waiting for it: " + step.ack_id,
                        f.get("receipt"));
        }
        acknowledged.push_back(step.ack_id);
    }
    ticket at;
    for (const auto& step : node.mapped().steps) {
        if (step.message) {
            const auto routed = with_.route.publish(step.message, now);
            if (routed.refused != refusal::none) {
                return fail("overload", "the store or a limit refuses the transaction", f.get("receipt"));
            }
            at = std::max(at, routed.durable_at);
        } else if (const auto target = target_of(step.ack_id)) {
            at = std::max(at, settle(*target, step.how, now));
        } // else: a cumulative one earlier in this transaction covers it
    }
    receipt(f, at);
}

void engine::on_abort(const frame& f) {
    if (transaction_of(f) == nullptr) return;
    transactions_.erase(transactions_.find(f.get("transaction")));
    receipt(f, ticket{});
}

} // namespace broker::stomp
