// publish_meter: whether a connection may publish more, by its own rates and those of its user. Engines charge what they are sent and
// pause when it was too much; the transport, which has the time, lets them go on.
// Threading: the connection's shard; what a user's connections share is theirs on all shards.
#pragma once

#include "core/limits.hpp"
#include "core/rate.hpp"

#include <memory>
#include <string_view>
#include <utility>

namespace broker {

struct publish_rates {
    rate_meter messages;
    rate_meter bytes;
    publish_rates(const rate& m, const rate& b) : messages{m}, bytes{b} {}
    [[nodiscard]] time_point next() const { return std::max(messages.next(), bytes.next()); }
};

class publish_meter {
public:
    explicit publish_meter(const limits& bounds)
        : own_{bounds.client_publish_rate, bounds.client_publish_bytes}, closes_{bounds.rate_action == "close"} {}

    // Known once a client is admitted.
    void share(std::shared_ptr<publish_rates> of_user) { of_user_ = std::move(of_user); }

    void charge(std::size_t bytes, time_point now) {
        const bool early = next() > now;
        for (auto* const r : {&own_, of_user_.get()}) {
            if (r == nullptr) continue;
            r->messages.charge(1, now);
            r->bytes.charge(bytes, now);
        }
        exhausted_ = closes_ ? early : next() > now;
    }
    // It must wait until next(); with limits.rate_action = "close": it has not waited.
    [[nodiscard]] bool exhausted() const { return exhausted_; }
    [[nodiscard]] time_point next() const { return of_user_ ? std::max(own_.next(), of_user_->next()) : own_.next(); }
    void look_again(time_point now) { exhausted_ = next() > now; }
    // Whose rate was too much, for metrics and the log.
    [[nodiscard]] bool by_user() const { return of_user_ && of_user_->next() > own_.next(); }

private:
    publish_rates own_;
    std::shared_ptr<publish_rates> of_user_;
    const bool closes_;
    bool exhausted_ = false;
};

} // namespace broker
