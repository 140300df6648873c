// admin_node: answers the admin API from the running shards, by errands through their mailboxes.
#pragma once

#include "admin/node.hpp"
#include "net/connection.hpp"
#include "net/listener.hpp"
#include "shard/shard.hpp"
#include "storage/committer.hpp"

#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <vector>

namespace broker {

struct node_facts { // what does not change while the server runs
    std::string name;
    std::string data_dir;
    std::string durability;
    std::vector<listener_address> listeners;
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
    [[nodiscard]] result<std::vector<admin::session_row>, admin::admin_error> list_sessions() override;
    [[nodiscard]] result<std::vector<admin::queue_row>, admin::admin_error> list_queues() override;
    [[nodiscard]] result<std::vector<message_ptr>, admin::admin_error> retained(const std::string& filter,
                                                                                std::size_t count_max) override;
    [[nodiscard]] result<std::size_t, admin::admin_error> delete_retained(const std::string& filter) override;
    [[nodiscard]] result<bool, admin::admin_error> publish(const message_fields& fields) override;
    [[nodiscard]] result<std::unique_ptr<admin::subscription_stream>, admin::admin_error> subscribe(
        const std::vector<std::string>& filters, qos maximum) override;

private:
    // Runs `ask` on shard i's thread and gives its answer, unless the shard is too busy to answer.
    template <class Answer>
    [[nodiscard]] result<Answer, admin::admin_error> on_shard(std::size_t i, std::function<Answer(shard&)> ask);
    template <class Row>
    [[nodiscard]] result<std::vector<Row>, admin::admin_error> gather(
        std::function<void(shard&, std::vector<Row>&)> ask);

    node_facts facts_;
    std::vector<shard*> shards_;
    commons& shared_;
    const storage::committer& store_;
    const alarms& alarms_;
    const process_clock& clock_;
    time_point started_at_;
    std::atomic<bool> ready_{false};
    std::atomic<std::size_t> next_shard_{0};
};

} // namespace broker
