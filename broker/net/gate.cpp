#include "net/gate.hpp"

#include "core/utf8.hpp"

#include <boost/json/serialize.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>

namespace broker {

namespace {

constexpr std::size_t told_max = 64; // of one connection under the same rules

std::string_view or_nobody(std::string_view user) { return user.empty() ? "(anonymous)" : user; }

} // namespace

std::optional<admission::answer> gate::ask(const newcomer& who, answered later) {
    client_id_ = who.client_id;
    if (door_.banned().banned(security::ban_kind::client_id, client_id_, shard_.now())) return banned(security::ban_kind::client_id);
    if (desk_ == nullptr) return welcome{};
    from_.protocol = who.protocol;
    connect_ = {.user = std::string{who.user}, .token = std::string{who.token}, .certificate = from_.identity};
    if (who.password) connect_.password = *who.password;
    const auto control = desk_->now();
    auto given = decision_of(*control);
    const auto* const no = std::get_if<security::denied>(&given);
    if (no != nullptr && no->unknown_key && await_keys(*control, later)) return std::nullopt;
    return follow(control, std::move(given), std::move(later));
}

security::access_decision gate::decision_of(const security::access_control& control) const {
    return desk_->with_stored([&](const auto& stored) { return control.decide(request_, connect_, client_id_, stored, shard_.now()); });
}

// Once: whoever invents names of keys does not stay.
bool gate::await_keys(const security::access_control& control, answered later) {
    auto wanted = std::make_shared<std::atomic<bool>>(true);
    auto anew = [this, wanted, later = std::move(later)] {
        if (!wanted->load(std::memory_order_relaxed)) return; // the connection is gone
        const auto then = desk_->now();
        if (auto given = follow(then, decision_of(*then), later)) later(std::move(*given), shard_.now());
    };
    const auto now = shard_.now();
    if (!control.await_keys(now, [&on = shard_, anew = std::move(anew)] { on.inbox().post(mail{errand{anew}}); })) return false;
    question_.emplace(std::move(wanted));
    return true;
}

std::optional<admission::answer> gate::follow(const std::shared_ptr<const security::access_control>& control, security::access_decision given,
                                              answered later) {
    if (auto* const asked = std::get_if<security::password_question>(&given)) return ask_pool(control, std::move(*asked), std::move(later));
    if (auto* const asked = std::get_if<security::hook_question>(&given)) return ask_hook(control, std::move(*asked), std::move(later));
    return decided(std::move(given));
}

std::optional<admission::answer> gate::ask_pool(const std::shared_ptr<const security::access_control>& control, security::password_question asked,
                                                answered later) {
    question_ = desk_->pool().ask(
        from_.address, [control, asked = std::move(asked)] { return control->answer(asked); },
        [&on = shard_](std::function<void()> then) { on.inbox().post(mail{errand{std::move(then)}}); },
        [this, later = std::move(later)](security::access_decision given_now) { later(decided(after_waiting(std::move(given_now))), shard_.now()); });
    if (!question_) return busy(security::method::users, "too many passwords are being checked");
    return std::nullopt;
}

std::optional<admission::answer> gate::ask_hook(const std::shared_ptr<const security::access_control>& control, security::hook_question asked,
                                                answered later) {
    const auto [hook, pool] = desk_->hook();
    if (!hook) return decided(security::denied{.by = security::method::http, .why = "the hook is not asked any more", .unavailable = true});
    auto question = auth_hook::question_of(asked, from_);
    const auto after = [this, control, asked = std::move(asked)](const security::hook_answer& said) {
        return desk_->with_stored([&](const auto& stored) { return control->answer(asked, said, stored, shard_.now()); });
    };
    if (const auto known = hook->remembered(question, shard_.now())) return follow(control, after(*known), std::move(later));
    question_ = pool->ask(
        from_.address,
        [hook, question = std::move(question), since = auth_hook::clock::now(), now = shard_.now(), ending = desk_->ending()] {
            return hook->ask(question, since, now, ending);
        },
        [&on = shard_](std::function<void()> then) { on.inbox().post(mail{errand{std::move(then)}}); },
        [this, control, after, later = std::move(later)](const result<security::hook_answer, std::string>& said) {
            auto given = said ? after(*said) : security::denied{.by = security::method::http, .why = said.error(), .unavailable = true};
            if (auto decided_now = follow(control, std::move(given), later)) later(std::move(*decided_now), shard_.now());
        });
    if (question_) return std::nullopt;
    hook->on_busy();
    return busy(security::method::http, "too many wait for the hook");
}

admission::answer gate::busy(security::method by, std::string_view doing) {
    connect_ = {};
    desk_->logins().count(by, login_counts::outcome::unavailable);
    spdlog::warn("client {} from {}: refused, {}", utf8_prefix(client_id_, 80), from_.address, doing);
    return close_reason{.cause = close_cause::overload, .detail = "busy, try again"};
}

// Users and rules may have changed meanwhile, and who was not in yet did not hear of it.
security::access_decision gate::after_waiting(security::access_decision given) const {
    const auto* const yes = std::get_if<security::admitted>(&given);
    if (yes == nullptr) return given;
    return desk_->with_stored([&](const auto& stored) { return desk_->now()->under_new_rules(*yes, stored); });
}

admission::answer gate::decided(security::access_decision given) {
    connect_ = {};
    if (!in_) desk_->logins().count(given);
    if (const auto* const no = std::get_if<security::denied>(&given)) {
        spdlog::warn("client {} from {}: not let in: {}", utf8_prefix(client_id_, 80), from_.address, no->why);
        if (no->unavailable) return close_reason{.cause = close_cause::overload, .detail = "cannot be told at the moment, try again"};
        if (!in_ && !no->expired && !no->proved) door_.login_failed(address_);
        return close_reason{.cause = no->expired ? close_cause::token_expired : close_cause::not_authenticated};
    }
    in_ = std::get<security::admitted>(std::move(given));
    told_.clear();
    const auto& user = in_->who.user;
    if (door_.banned().banned(security::ban_kind::user, user, shard_.now())) return banned(security::ban_kind::user);
    if (!place_ && !user.empty() && quotas_.any()) {
        auto taken = quotas_.enter(user, client_id_);
        if (!taken) {
            shard_.core().desk().count().refuse(limit_kind::connections_per_user);
            return close_reason{.cause = close_cause::overload, .detail = "limits.per_user.connections"};
        }
        place_.emplace(std::move(*taken));
        if (meter_) meter_->share(place_->rates());
    }
    const auto& set = desk_->set();
    warns_at_ = in_->expires == never || set.warn_before == seconds{0} ? never : in_->expires - set.warn_before;
    const auto until = in_->expires == never ? never : in_->expires + set.grace;
    return welcome{.user = in_->who.user, .may = in_->may, .until = until};
}

admission::answer gate::renew(std::string_view token) {
    if (!in_) return close_reason{.cause = close_cause::not_authenticated};
    const auto control = desk_->now();
    auto given = desk_->with_stored([&](const auto& stored) { return control->renew(*in_, token, stored, shard_.now()); });
    // Its connection ends; the key is there when it comes back.
    if (const auto* const no = std::get_if<security::denied>(&given); no != nullptr && no->unknown_key) (void)control->await_keys(shard_.now(), [] {});
    return decided(std::move(given));
}

void gate::warn(time_point now) {
    warns_at_ = never;
    auto level = client_id_;
    std::ranges::replace_if(level, [](char c) { return c == '/' || c == '+' || c == '#'; }, '_'); // it is one level of a topic
    const auto left = std::max<std::int64_t>(0, std::chrono::duration_cast<seconds>(in_->expires - now).count());
    const auto text = boost::json::serialize(boost::json::object{
        {"client_id", client_id_}, {"user", in_->who.user}, {"expires_at", epoch_ms(in_->expires) / 1'000}, {"expires_in_s", left}});
    shard_.core().route().announce(make_message({.topic = "$SYS/clients/" + level + "/token_expiring", .payload = as_bytes(text), .received_at = now}), now);
}

std::optional<admission::answer> gate::again() {
    if (!in_) return std::nullopt;
    return decided(desk_->with_stored([&](const auto& stored) { return desk_->now()->under_new_rules(*in_, stored); }));
}

close_reason gate::banned(security::ban_kind what) {
    spdlog::info("client {} from {}: not let in: its {} is banned", utf8_prefix(client_id_, 80), from_.address, what == security::ban_kind::user ? "user" : "client id");
    return close_reason{.cause = close_cause::banned};
}

// Once for each rule, and whoever changes client ids or topics does not fill the log with it.
void gate::on_denied(security::action what, std::string_view topic, const security::rule* by) {
    if (told_.size() >= told_max || !told_.emplace(what, by).second) return;
    spdlog::warn("client {} (user {}, from {}) may not {} {}: {}", utf8_prefix(client_id_, 80), or_nobody(in_ ? in_->who.user : ""), from_.address,
                 security::name(what), utf8_prefix(topic, 200),
                 by == nullptr ? std::string{"no rule allows it"} : security::text(*by) + " (" + by->origin + ")");
}

} // namespace broker
