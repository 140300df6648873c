// gate: admission with sockets and threads: what a peer brought with its upgrade request and with CONNECT, put to the access_control of
// now. Argon2id runs beside the shards and the hook is asked beside them; tokens are verified on them.
#pragma once

#include "core/publish_meter.hpp"
#include "net/auth_hook.hpp"
#include "net/doorkeeper.hpp"
#include "net/login_counts.hpp"
#include "net/user_quotas.hpp"
#include "protocols/admission.hpp"
#include "security/access_control.hpp"
#include "security/worker_pool.hpp"
#include "shard/shard.hpp"

#include <mutex>
#include <shared_mutex>
#include <set>

namespace broker {

// What all connections share. Threading: any, `settings` apart.
class access_desk {
public:
    struct settings {
        security::credential_sources sources{};
        seconds grace{0};                           // a connection outlives its token by so much
        seconds warn_before{0};                     // its end; 0: never
        security::worker_pool::settings pool{};
        // Of the hook: they wait for its answers. Many clients may come from behind one address.
        security::worker_pool::settings hook_pool{.threads = 32, .waiting_per_source_max = 256};
    };

    // `hook`: null: none is asked.
    access_desk(const settings& s, std::shared_ptr<const security::access_control> first, std::shared_ptr<auth_hook> hook) : settings_{s}, pool_{s.pool} {
        replace(std::move(first), std::move(hook));
    }
    ~access_desk() { ending_.request_stop(); }
    access_desk(const access_desk&) = delete;
    access_desk& operator=(const access_desk&) = delete;

    [[nodiscard]] const settings& set() const { return settings_; }
    [[nodiscard]] std::shared_ptr<const security::access_control> now() const {
        const std::lock_guard lock{mutex_};
        return now_;
    }
    // Connections that are open hear of it by gate::again().
    void replace(std::shared_ptr<const security::access_control> with, std::shared_ptr<auth_hook> hook) {
        const std::lock_guard lock{mutex_};
        now_ = std::move(with);
        hook_ = std::move(hook);
        if (hook_ && !hook_pool_) hook_pool_.emplace(settings_.hook_pool);
    }
    // Both null: none is asked. The pool lives as long as the desk.
    [[nodiscard]] std::pair<std::shared_ptr<auth_hook>, security::worker_pool*> hook() {
        const std::lock_guard lock{mutex_};
        if (!hook_) return {};
        return {hook_, &*hook_pool_};
    }
    // Questions that are under way are given up then.
    [[nodiscard]] std::stop_token ending() const { return ending_.get_token(); }
    // What `ask` gives about what the store says.
    template <class Ask>
    [[nodiscard]] auto with_stored(Ask ask) const {
        const std::shared_lock lock{stored_mutex_};
        return ask(stored_);
    }
    // What `change` gives. Connections that are open hear of it by gate::again().
    template <class Change>
    auto change_stored(Change change) {
        const std::unique_lock lock{stored_mutex_};
        return change(stored_);
    }
    [[nodiscard]] security::worker_pool& pool() { return pool_; }
    [[nodiscard]] login_counts& logins() { return logins_; }

private:
    settings settings_;
    mutable std::mutex mutex_;
    std::shared_ptr<const security::access_control> now_;
    mutable std::shared_mutex stored_mutex_;
    security::stored_access stored_;
    security::worker_pool pool_;
    login_counts logins_;
    std::shared_ptr<auth_hook> hook_; // null: none is asked
    std::stop_source ending_;
    std::optional<security::worker_pool> hook_pool_; // from the first hook on
};

// One connection's. Threading: its shard's thread.
class gate final : public admission {
public:
    // `desk` null: nobody has to prove anything. `meter` may be null. `request`: of the upgrade, may be empty.
    gate(access_desk* desk, doorkeeper& door, user_quotas& quotas, shard& on, const security::ip_address& address, std::unique_ptr<publish_meter> meter,
         visitor from, security::credentials request)
        : desk_{desk}, door_{door}, quotas_{quotas}, shard_{on}, address_{address}, meter_{std::move(meter)}, from_{std::move(from)}, request_{std::move(request)} {
        request_.certificate = from_.identity;
    }

    [[nodiscard]] std::optional<answer> ask(const newcomer& who, answered later) override;
    [[nodiscard]] answer renew(std::string_view token) override;
    // When the token of who is in ends, without grace; nothing: nobody is in.
    [[nodiscard]] std::optional<time_point> expires() const { return in_ ? std::optional{in_->expires} : std::nullopt; }
    void on_denied(security::action what, std::string_view topic, const security::rule* by) override;

    [[nodiscard]] publish_meter* meter() const { return meter_.get(); } // null: as much as it likes
    [[nodiscard]] const std::string& identity() const { return from_.identity; } // of its TLS certificate; may be empty

    // Before its token ends: $SYS/clients/CLIENT_ID/token_expiring, once for each token.
    [[nodiscard]] time_point warns_at() const { return warns_at_; }
    void warn(time_point now);

    // Under the rules of now. Nothing: who it is has not been found out yet, and will be by them.
    [[nodiscard]] std::optional<answer> again();

private:
    // The answer, or nothing while somebody else is asked: then `later` hears it.
    [[nodiscard]] std::optional<answer> follow(const std::shared_ptr<const security::access_control>& control, security::access_decision given,
                                               answered later);
    [[nodiscard]] std::optional<answer> ask_hook(const std::shared_ptr<const security::access_control>& control, security::hook_question asked, answered later);
    [[nodiscard]] std::optional<answer> ask_pool(const std::shared_ptr<const security::access_control>& control, security::password_question asked, answered later);
    [[nodiscard]] answer busy(security::method by, std::string_view doing);
    [[nodiscard]] bool await_keys(const security::access_control& control, answered later);
    [[nodiscard]] security::access_decision decision_of(const security::access_control& control) const;
    [[nodiscard]] security::access_decision after_waiting(security::access_decision given) const;
    [[nodiscard]] answer decided(security::access_decision given);

    [[nodiscard]] close_reason banned(security::ban_kind what);

    access_desk* desk_;
    doorkeeper& door_;
    user_quotas& quotas_;
    shard& shard_;
    security::ip_address address_;
    std::unique_ptr<publish_meter> meter_;
    visitor from_;
    security::credentials request_;
    security::credentials connect_{}; // while it is decided
    std::string client_id_;
    std::optional<security::admitted> in_{};
    std::optional<user_quotas::place> place_{};
    time_point warns_at_ = never;
    std::optional<security::worker_pool::question> question_{}; // what is under way
    std::set<std::pair<security::action, const security::rule*>> told_; // denials that are in the log
};

} // namespace broker
