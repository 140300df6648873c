// server: everything that runs: the store and its thread, the shards, the listeners, the admin API.
// Destruction order: listeners and admin first, then shards, then the commit thread, then the store.
#pragma once

#include "admin_node.hpp"
#include "config/options.hpp"
#include "core/alarms.hpp"
#include "descriptors.hpp"
#include "net/admin_listener.hpp"
#include "net/connection.hpp"
#include "net/gate.hpp"
#include "net/jwks_fetcher.hpp"
#include "net/listener.hpp"
#include "shard/shard.hpp"
#include "storage/commit_thread.hpp"
#include "storage/recovery.hpp"
#include "storage/rocks_store.hpp"
#include "sys_publisher.hpp"

#include <atomic>
#include <memory>
#include <vector>

namespace broker {

struct loaded_access;

// The TLS endpoint of each listener, null where it speaks plain. Logs what works and should not be so. Throws config_error.
[[nodiscard]] std::vector<std::shared_ptr<tls_endpoint>> load_certificates(const config::options& chosen);

[[nodiscard]] std::shared_ptr<tls_endpoint> load_admin_certificate(const config::options& chosen); // null: plain

class server {
public:
    // Opens the store, recovers, binds every address and starts serving. Throws start_error, and config_error for certificates.
    explicit server(const config::options& chosen);
    ~server();

    // Says goodbye to every client, waits until it is said (at most 4 s), writes what is pending.
    void stop();

    // To be called every few seconds: certificates that have changed are read again.
    void watch_files();

    // Reads anew certificates, and what [auth] and [[role]] of `chosen` name. Who is connected is judged by it within a moment. What is wrong is in
    // the log, and nothing changes.
    void reload(const config::options& chosen);

private:
    void let_in();
    void fetch_keys(loaded_access& chosen);
    void check_descriptors() const;
    void open_store();
    void recover();
    void restore_api_keys(const std::vector<storage::recovered_api_key>& found);
    void restore_users(const std::vector<storage::recovered_user>& found);
    void tell_hidden_users() const;
    void count_queues();
    void write_queue_states();
    void listen();
    void damaged(const std::string& what);
    void on_store_trouble(const storage::store_trouble& t);

    const config::options options_;
    const std::vector<std::shared_ptr<tls_endpoint>> tls_; // by listener
    const std::shared_ptr<tls_endpoint> admin_tls_; // null: admin.http is plain
    const std::size_t shard_count_;
    const descriptors files_;
    process_clock clock_;
    alarms alarms_;
    doorkeeper door_;
    user_quotas quotas_;
    std::unique_ptr<storage::backend> rows_;
    storage::rocks_backend* disk_ = nullptr; // rows_, when they are on disk
    std::unique_ptr<storage::committer> committer_;
    std::unique_ptr<commons> commons_;
    std::unique_ptr<storage::commit_thread> commit_thread_;
    connection_environment environment_;
    std::vector<std::unique_ptr<listener_info>> infos_; // connections know theirs to the end
    std::vector<std::unique_ptr<shard>> shards_;
    outside_counters outside_;
    std::unique_ptr<access_desk> access_; // null: everybody is let in
    std::unique_ptr<jwks_fetcher> fetcher_; // null: no keys are fetched. Tells shards
    std::vector<listener_address> addresses_;
    std::vector<std::vector<std::unique_ptr<listener>>> listeners_; // by shard
    std::unique_ptr<sys_publisher> sys_;
    std::unique_ptr<admin_node> node_;
    std::unique_ptr<admin_listener> admin_;
    std::jthread sweeper_;
    std::jthread counter_;
    std::atomic<bool> counts_known_{false};
    bool stopped_ = false;
};

} // namespace broker
