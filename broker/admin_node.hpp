// admin_node: answers the admin API from the running shards, by errands through their mailboxes.
#pragma once

#include "admin/node.hpp"
#include "net/connection.hpp"
#include "net/listener.hpp"
#include "net/outside_counters.hpp"
#include "shard/shard.hpp"
#include "storage/committer.hpp"
#include "storage/rocks_store.hpp"

#include <atomic>
#include <future>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

namespace broker {

struct node_facts { // what does not change while the server runs
    std::string name;
    std::string data_dir;
    std::string durability;
    std::vector<listener_address> listeners;
    std::span<const std::unique_ptr<listener_info>> infos; // of these
    doorkeeper& door;
    const storage::rocks_backend* disk = nullptr; // null: nothing is on disk
    access_desk* access = nullptr;                // null: everybody is let in
    const outside_counters* outside = nullptr;    // not null
};

class admin_node final : public admin::node {
public:
    admin_node(node_facts facts, std::vector<shard*> shards, commons& shared, const storage::committer& store,
               const alarms& raised, const process_clock& clock);

    void set_ready(bool ready) { ready_.store(ready); }

    [[nodiscard]] result<admin::status, admin::admin_error> get_status() override;
    [[nodiscard]] bool ready() const override;
    [[nodiscard]] result<std::vector<admin::connection_row>, admin::admin_error> connections() override;
    [[nodiscard]] result<std::size_t, admin::admin_error> kick(const std::string& client_id) override;
    [[nodiscard]] result<admin::token_renewal, admin::admin_error> renew_token(const std::string& client_id, const std::string& token) override;
    [[nodiscard]] result<std::vector<admin::session_row>, admin::admin_error> list_sessions() override;
    [[nodiscard]] result<admin::session_details, admin::admin_error> show_session(const std::string& id) override;
    [[nodiscard]] result<admin::held_messages, admin::admin_error> session_messages(const std::string& id, message_id after,
                                                                                    std::size_t count_max,
                                                                                    bool in_flight_only) override;
    [[nodiscard]] result<bool, admin::admin_error> drop_session_message(const std::string& id, message_id which,
                                                                        bool though_sent) override;
    [[nodiscard]] result<bool, admin::admin_error> expire_session(const std::string& id) override;
    [[nodiscard]] result<std::vector<admin::queue_row>, admin::admin_error> list_queues() override;
    [[nodiscard]] result<bool, admin::admin_error> declare_queue(const std::string& name,
                                                                 const queue_settings& settings) override;
    [[nodiscard]] result<std::vector<admin::queue_message>, admin::admin_error> peek_queue(const std::string& name,
                                                                                           std::size_t count_max) override;
    [[nodiscard]] result<admin::queue_removed, admin::admin_error> remove_from_queue(const std::string& name,
                                                                                     std::size_t count_max,
                                                                                     const std::string& to) override;
    [[nodiscard]] result<bool, admin::admin_error> delete_queue(const std::string& name, bool force) override;
    [[nodiscard]] result<std::vector<admin::ban_row>, admin::admin_error> list_bans() override;
    [[nodiscard]] result<std::size_t, admin::admin_error> add_ban(const admin::ban_row& who, seconds lasts) override;
    [[nodiscard]] result<bool, admin::admin_error> remove_ban(const std::string& kind, const std::string& whom) override;
    [[nodiscard]] result<std::vector<std::string>, admin::admin_error> reload_tls(const std::string& listener) override;
    [[nodiscard]] result<bool, admin::admin_error> revoke_tokens(const admin::token_revocation& what) override;
    [[nodiscard]] result<std::vector<security::revocations::entry>, admin::admin_error> list_revoked(
        const std::optional<security::revocations::entry>& after, std::size_t count_max) override;
    [[nodiscard]] result<security::ruling, admin::admin_error> test_rights(const security::identity& who, security::action what,
                                                                           const std::string& topic) override;
    [[nodiscard]] result<admin::new_api_key, admin::admin_error> create_api_key(const admin::api_key_request& wanted) override;
    [[nodiscard]] result<std::vector<admin::api_key_row>, admin::admin_error> list_api_keys() override;
    [[nodiscard]] result<bool, admin::admin_error> delete_api_key(const std::string& name) override;
    [[nodiscard]] result<bool, admin::admin_error> add_user(const std::string& name, const std::string& password) override;
    [[nodiscard]] result<std::size_t, admin::admin_error> import_users(const std::vector<admin::user_to_import>& all) override;
    [[nodiscard]] result<bool, admin::admin_error> change_user(const std::string& name, const std::optional<std::string>& password,
                                                               std::optional<bool> disabled) override;
    [[nodiscard]] result<bool, admin::admin_error> delete_user(const std::string& name) override;
    [[nodiscard]] result<std::vector<admin::user_row>, admin::admin_error> list_users() override;
    [[nodiscard]] result<admin::store_status, admin::admin_error> show_store() override;
    [[nodiscard]] result<admin::store_check, admin::admin_error> verify_store() override;
    [[nodiscard]] result<admin::store_backup, admin::admin_error> back_up_store(const std::string& to) override;
    [[nodiscard]] result<std::vector<message_ptr>, admin::admin_error> retained(const std::string& filter,
                                                                                std::size_t count_max) override;
    [[nodiscard]] result<std::size_t, admin::admin_error> delete_retained(const std::string& filter) override;
    [[nodiscard]] result<bool, admin::admin_error> publish(const message_fields& fields) override;
    [[nodiscard]] result<std::unique_ptr<admin::subscription_stream>, admin::admin_error> subscribe(
        const std::vector<std::string>& filters, qos maximum) override;

private:
    static constexpr seconds patience{5};

    template <class Answer>
    [[nodiscard]] static result<Answer, admin::admin_error> wait_for(std::future<Answer> future);
    // Runs `ask` on shard i's thread and gives its answer, unless the shard is too busy to answer.
    template <class Answer>
    [[nodiscard]] result<Answer, admin::admin_error> on_shard(std::size_t i, std::function<Answer(shard&)> ask);
    template <class Row>
    [[nodiscard]] result<std::vector<Row>, admin::admin_error> gather(
        std::function<void(shard&, std::vector<Row>&)> ask);
    // Runs `ask` on the thread of the shard that has the session of this client id, which answers when it can; with nothing: the
    // session has moved, and is asked again where it is then.
    template <class Answer>
    using session_question = std::function<void(shard&, session&, std::function<void(std::optional<Answer>)>)>;
    template <class Answer>
    [[nodiscard]] result<Answer, admin::admin_error> on_session(const std::string& id, session_question<Answer> ask);
    // Runs `act` on shard i's thread and waits for the ticket it gives.
    [[nodiscard]] result<bool, admin::admin_error> when_durable(std::size_t i, std::function<ticket(shard&)> act);
    [[nodiscard]] static admin::listener_row listener_row_of(const listener_address& at, const listener_info& of);
    // Closes whoever `matches`.
    using connection_test = std::function<bool(const shard_connection&)>;
    [[nodiscard]] result<std::size_t, admin::admin_error> close_those(connection_test matches, const close_reason& why);
    struct meta_row {
        std::string key;
        std::optional<std::string> value; // nothing: erased
    };
    // Rows of the column meta, on disk when it returns.
    [[nodiscard]] result<bool, admin::admin_error> keep(std::vector<meta_row> rows);
    [[nodiscard]] result<bool, admin::admin_error> keep_users(const std::vector<security::user>& all);
    [[nodiscard]] bool is_in_file(const std::string& user) const;
    [[nodiscard]] static admin::admin_error no_client();
    [[nodiscard]] std::size_t owner_of(std::string_view queue) const { return queue_table::owner_of(queue, shards_.size()); }

    node_facts facts_;
    std::vector<shard*> shards_;
    commons& shared_;
    const storage::committer& store_;
    const alarms& alarms_;
    const process_clock& clock_;
    time_point started_at_;
    std::atomic<bool> ready_{false};
    std::atomic<std::size_t> next_shard_{0};
    std::mutex verifying_;
    std::mutex changing_access_; // what the store says and what is in memory change in the same order
};

template <class Answer>
result<Answer, admin::admin_error> admin_node::wait_for(std::future<Answer> future) {
    if (future.wait_for(patience) != std::future_status::ready) {
        return fail(admin::admin_error{admin::admin_error::kind::timeout, "no answer within 5 s; the broker is overloaded"});
    }
    return future.get();
}

template <class Answer>
result<Answer, admin::admin_error> admin_node::on_shard(std::size_t i, std::function<Answer(shard&)> ask) {
    auto promise = std::make_shared<std::promise<Answer>>();
    auto* const on = shards_[i];
    on->inbox().post(errand{[on, promise, ask = std::move(ask)] { promise->set_value(ask(*on)); }});
    return wait_for(promise->get_future());
}

template <class Row>
result<std::vector<Row>, admin::admin_error> admin_node::gather(std::function<void(shard&, std::vector<Row>&)> ask) {
    std::vector<Row> all;
    for (std::size_t i = 0; i != shards_.size(); ++i) {
        auto rows = on_shard<std::vector<Row>>(i, [ask](shard& on) {
            std::vector<Row> some;
            ask(on, some);
            return some;
        });
        if (!rows) return fail(rows.error());
        std::move(rows->begin(), rows->end(), std::back_inserter(all));
    }
    return all;
}

} // namespace broker
