// BEGIN, COMMIT, ABORT. A transaction is buffered; COMMIT does all of it or nothing, in one turn, which is one atomic batch
// of the store [STOMP12-BEGIN-1].
#include "protocols/stomp/engine.hpp"

#include "core/utf8.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace broker::stomp {

transaction* engine::transaction_of(const frame& f) {
    const auto name_of_it = f.find("transaction");
    if (!name_of_it) { // [STOMP12-COMMIT-1] [STOMP12-ABORT-1]
        return fail("protocol_error", fmt::format("{} without transaction", f.command), f.get("receipt")), nullptr;
    }
    const auto it = transactions_.find(*name_of_it);
    if (it == transactions_.end()) {
        return fail("protocol_error", fmt::format("transaction {} was not begun", utf8_prefix(*name_of_it, 80)),
                    f.get("receipt")),
               nullptr;
    }
    return &it->second;
}

// A SEND, ACK or NACK that waits for its COMMIT. Its receipt says that it has been received, no more.
void engine::add_to_transaction(const frame& f, transaction::step step, std::size_t bytes) {
    auto* const t = transaction_of(f);
    if (t == nullptr) return;
    if (transaction_frames_ == with_.bounds.stomp_transaction_frames_max) {
        return fail_over(limit_kind::transaction_frames,
                         fmt::format("more than {} frames in open transactions", transaction_frames_), f.get("receipt"));
    }
    if (bytes > with_.bounds.stomp_transaction_bytes_max - transaction_bytes_) {
        return fail_over(limit_kind::transaction_bytes,
                         fmt::format("more than {} bytes in open transactions", with_.bounds.stomp_transaction_bytes_max),
                         f.get("receipt"));
    }
    ++transaction_frames_;
    transaction_bytes_ += bytes;
    t->bytes += bytes;
    t->steps.push_back(std::move(step));
    receipt(f, ticket{});
}

void engine::on_begin(const frame& f, time_point now) {
    const auto id = f.find("transaction");
    if (!id) return fail("protocol_error", "BEGIN without transaction", f.get("receipt")); // [STOMP12-BEGIN-2]
    if (transactions_.size() >= with_.bounds.stomp_transactions_max) {
        return fail_over(limit_kind::transactions,
                         fmt::format("more than {} open transactions", with_.bounds.stomp_transactions_max), f.get("receipt"));
    }
    if (!transactions_.try_emplace(std::string{*id}, transaction{.begun_at = now}).second) {
        // [STOMP12-BEGIN-4]
        return fail("protocol_error", fmt::format("transaction {} was begun already", utf8_prefix(*id, 80)), f.get("receipt"));
    }
    receipt(f, ticket{});
}

void engine::on_commit(const frame& f, time_point now) {
    if (transaction_of(f) == nullptr) return;
    const auto node = transactions_.extract(transactions_.find(f.get("transaction")));
    const auto& done = node.mapped();
    transaction_frames_ -= done.steps.size();
    transaction_bytes_ -= done.bytes;
    // All or nothing: what cannot be acknowledged any more is found before the first message is routed.
    std::vector<std::pair<std::uint32_t, message_id>> acknowledged;
    for (const auto& step : done.steps) {
        if (step.message) continue;
        if (!target_of(step.acknowledged)) {
            return fail("protocol_error", "the transaction acknowledges what is not waiting for it any more", f.get("receipt"));
        }
        acknowledged.emplace_back(step.acknowledged.subscription, step.acknowledged.message);
    }
    std::ranges::sort(acknowledged);
    if (std::ranges::adjacent_find(acknowledged) != acknowledged.end()) {
        return fail("protocol_error", "the transaction acknowledges a message twice", f.get("receipt"));
    }
    std::vector<unit_step> steps;
    for (const auto& step : done.steps) {
        if (step.message) {
            steps.push_back({.message = step.message});
        } else if (const auto target = target_of(step.acknowledged); target && target->of->session_ != nullptr) {
            for (const auto& one : take_settled(*target)) {
                steps.push_back({.of = target->of->session_, .handle = one.handle, .how = step.how});
            }
        } // else: a cumulative one earlier in this transaction covers it
    }
    const auto all = with_.route.publish_all(steps, now);
    if (all.refused != refusal::none) {
        return fail_refused(all.refused, "the transaction", f.get("receipt"));
    }
    receipt(f, all.durable_at);
}

void engine::on_abort(const frame& f) {
    const auto* const t = transaction_of(f);
    if (t == nullptr) return;
    transaction_frames_ -= t->steps.size();
    transaction_bytes_ -= t->bytes;
    transactions_.erase(transactions_.find(f.get("transaction"))); // what it acknowledged still waits [STOMP12-ABORT-2]
    receipt(f, ticket{});
}

} // namespace broker::stomp
