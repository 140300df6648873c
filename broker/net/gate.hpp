// gate: admission with sockets and threads: what a peer brought with its upgrade request and with CONNECT, put to the access_control of
// now. Argon2id runs beside the shards; tokens are verified on them.
#pragma once

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
        security::worker_pool::settings pool{};
    };

    access_desk(const settings& s, std::shared_ptr<const security::access_control> first) : settings_{s}, now_{std::move(first)}, pool_{s.pool} {}

    [[nodiscard]] const settings& set() const { return settings_; }
    [[nodiscard]] std::shared_ptr<const security::access_control> now() const {
        const std::lock_guard lock{mutex_};
        return now_;
    }
    // Connections that are open hear of it by gate::again().
    void replace(std::shared_ptr<const security::access_control> with) {
        const std::lock_guard lock{mutex_};
        now_ = std::move(with);
    }
    // What `ask` gives about the tokens that are revoked.
    template <class Ask>
    [[nodiscard]] auto with_revoked(Ask ask) const {
        const std::shared_lock lock{revoked_mutex_};
        return ask(revoked_);
    }
    // False: security::revocations::ids_max is reached.
    [[nodiscard]] bool revoke(const std::function<bool(security::revocations&)>& change) {
        const std::unique_lock lock{revoked_mutex_};
        return change(revoked_);
    }
    [[nodiscard]] security::worker_pool& pool() { return pool_; }

private:
    settings settings_;
    mutable std::mutex mutex_;
    std::shared_ptr<const security::access_control> now_;
    mutable std::shared_mutex revoked_mutex_;
    security::revocations revoked_;
    security::worker_pool pool_;
};

// One connection's. Threading: its shard's thread.
class gate final : public admission {
public:
    // `address`: for logs, and the bound on what one address may have waiting. `request`: of the upgrade, may be empty.
    gate(access_desk& desk, shard& on, std::string address, security::credentials request)
        : desk_{desk}, shard_{on}, address_{std::move(address)}, request_{std::move(request)} {}

    [[nodiscard]] std::optional<answer> ask(const newcomer& who, answered later) override;
    [[nodiscard]] answer renew(std::string_view token) override;
    void on_denied(security::action what, std::string_view topic, const security::rule* by) override;

    // Under the rules of now. Nothing: who it is has not been found out yet, and will be by them.
    [[nodiscard]] std::optional<answer> again();

private:
    // The answer, or nothing while somebody else is asked: then `later` hears it.
    [[nodiscard]] std::optional<answer> follow(const std::shared_ptr<const security::access_control>& control, security::access_decision given,
                                               answered later);
    [[nodiscard]] bool await_keys(const security::access_control& control, answered later);
    [[nodiscard]] security::access_decision decision_of(const security::access_control& control) const;
    [[nodiscard]] answer decided(security::access_decision given);

    access_desk& desk_;
    shard& shard_;
    std::string address_;
    security::credentials request_;
    security::credentials connect_{}; // while it is decided
    std::string client_id_;
    std::optional<security::admitted> in_{};
    std::optional<security::worker_pool::question> question_{}; // what is under way
    std::set<std::pair<security::action, const security::rule*>> told_; // denials that are in the log
};

} // namespace broker
