#include "server.hpp"

#include "access_files.hpp"
#include "config/load.hpp"
#include "host.hpp"
#include "net/tls_endpoint.hpp"
#include "storage/keys.hpp"
#include "storage/maintenance.hpp"
#include "storage/memory_store.hpp"
#include "storage/records.hpp"
#include "storage/recovery.hpp"
#include "storage/rocks_store.hpp"
#include "storage/upgrade.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <future>

namespace broker {

namespace {

constexpr seconds goodbye_within{4};

listener_kind kind_of(config::listener_protocol p) {
    switch (p) {
    case config::listener_protocol::ws: return listener_kind::websocket;
    case config::listener_protocol::mqtt: return listener_kind::mqtt;
    case config::listener_protocol::stomp: return listener_kind::stomp;
    case config::listener_protocol::tcp: return listener_kind::tcp;
    }
    return listener_kind::tcp;
}

std::string_view word(storage::durability d) {
    return d == storage::durability::sync ? "sync" : d == storage::durability::async ? "async" : "none";
}

security::proxy_trust trust_of(const config::listener& l) {
    using protocol = security::proxy_trust::protocol;
    if (!l.proxy) return {};
    auto trusted = security::networks::parse(l.proxy->trusted);
    if (!trusted) throw start_error{fmt::format("listener {}: proxy.trusted: {}", l.name, trusted.error())};
    return {.trusted = std::move(*trusted),
            .headers = l.proxy->headers,
            .header = l.proxy->protocol == "required" ? protocol::required : l.proxy->protocol == "optional" ? protocol::optional : protocol::off};
}

constexpr std::size_t connections_worth_starting_for = 16;

std::string bounded_by(const descriptors& files, const limits& bounds) {
    if (files.connections >= bounds.max_connections) return "limits.max_connections allows no more";
    return fmt::format("the process may open {} files; raise it (ulimit -n, LimitNOFILE=)", files.limit);
}

} // namespace

std::vector<std::shared_ptr<tls_endpoint>> load_certificates(const config::options& chosen) {
    std::vector<std::shared_ptr<tls_endpoint>> endpoints;
    for (const auto& l : chosen.listeners) {
        auto& endpoint = endpoints.emplace_back();
        if (!l.tls) continue;
        endpoint = std::make_shared<tls_endpoint>(l.name, *l.tls);
        if (auto loaded = endpoint->load(); !loaded) {
            throw config::config_error{fmt::format("listener {}: {}", l.name, loaded.error())};
        }
    }
    return endpoints;
}

std::shared_ptr<tls_endpoint> load_admin_certificate(const config::options& chosen) {
    if (chosen.admin_tls_cert.empty()) return nullptr;
    auto endpoint = std::make_shared<tls_endpoint>("admin", tls_settings{.certificates = {{.cert = chosen.admin_tls_cert, .key = chosen.admin_tls_key}}});
    if (auto loaded = endpoint->load(); !loaded) throw config::config_error{fmt::format("admin.tls_cert: {}", loaded.error())};
    return endpoint;
}

server::server(const config::options& chosen)
    : options_{chosen}, tls_{load_certificates(chosen)}, admin_tls_{load_admin_certificate(chosen)},
      shard_count_{options_.threads != 0 ? options_.threads : std::max(1U, std::thread::hardware_concurrency())},
      files_{divide_descriptors(raise_descriptor_limit(), shard_count_, options_.listeners.size())},
      door_{{.most = std::min(files_.connections, options_.bounds.max_connections),
             .bounded_by = bounded_by(files_, options_.bounds),
             .per_address_max = options_.bounds.connections_per_address,
             .accepts = options_.bounds.accept_rate,
             .failed_logins = options_.bounds.failed_logins,
             .flapping = options_.bounds.flapping,
             .ban_time = options_.bounds.ban_time},
            alarms_, [this] { return clock_.now(); }},
      quotas_{options_.bounds}, environment_{.node_name = options_.node_name, .door = door_, .quotas = quotas_} {
    check_descriptors();
    for (const auto& l : options_.listeners) {
        addresses_.push_back({.name = l.name, .kind = kind_of(l.protocol), .host = l.host, .port = l.port, .over_tls = l.tls.has_value()});
        probe(addresses_.back()); // before the store is touched: a busy port is the commonest mistake
    }
    let_in();
    open_store();
    recover();
    listen();
}

void server::let_in() {
    auto loaded = load_access(options_.auth, outside_);
    if (!loaded) throw start_error{"configuration: " + loaded.error()};
    for (const auto& note : loaded->notes) spdlog::warn("{}", note);
    if (!loaded->control) return;
    access_ = std::make_unique<access_desk>(loaded->desk, std::move(loaded->control), std::move(loaded->hook));
    environment_.access = access_.get();
    fetch_keys(*loaded);
}

// The first fetch is under way when the first client comes; who is there before its end waits for it.
void server::fetch_keys(loaded_access& chosen) {
    fetcher_.reset(); // it clears the alarm that its successor may raise
    if (!chosen.issuer) return;
    fetcher_ = std::make_unique<jwks_fetcher>(std::move(chosen.issuer), std::move(*chosen.issuer_from), alarms_, outside_, [this] { return clock_.now(); });
}

void server::watch_files() {
    for (const auto& endpoint : tls_) {
        if (endpoint) endpoint->watch(clock_.now());
    }
    if (admin_tls_) admin_tls_->watch(clock_.now());
}

void server::reload(const config::options& chosen) {
    bool speaks_tls = false;
    for (const auto& endpoint : tls_) {
        if (!endpoint) continue;
        speaks_tls = true;
        (void)endpoint->reload("SIGHUP"); // the log says what came of it
    }
    if (admin_tls_) (void)admin_tls_->reload("SIGHUP");
    auto loaded = load_access(chosen.auth, outside_, fetcher_ ? &fetcher_->keys() : nullptr);
    if (!loaded) return spdlog::error("reload: {}; everything stays as it was", loaded.error());
    for (const auto& note : loaded->notes) spdlog::warn("{}", note);
    if (static_cast<bool>(access_) != static_cast<bool>(loaded->control)) {
        return spdlog::error("reload: authentication is switched on or off only by a restart; everything stays as it was");
    }
    if (!access_ && !speaks_tls && !admin_tls_) return spdlog::info("reload: nothing to do");
    if (!access_) return;
    access_->replace(std::move(loaded->control), std::move(loaded->hook));
    fetch_keys(*loaded);
    tell_hidden_users();
    std::vector<shard*> all;
    for (const auto& s : shards_) all.push_back(s.get());
    review_access(all);
    spdlog::info("reload: users, keys and rules are read anew");
}

server::~server() { stop(); }

void server::check_descriptors() const {
    const auto least = std::min(options_.bounds.max_connections, connections_worth_starting_for);
    if (files_.connections >= least) return;
    throw start_error{fmt::format("the process may open {} files, and brokerd needs {} for itself and {} for connections; raise it "
                                  "(ulimit -n, LimitNOFILE=)", files_.limit, files_.ours, least)};
}

void server::open_store() {
    if (options_.durability == storage::durability::none) {
        rows_ = std::make_unique<storage::memory_backend>();
    } else {
        auto opened = storage::rocks_backend::open(
            options_.data_dir,
            {.every_group_synced = options_.durability == storage::durability::sync,
             .open_files = files_.store_files,
             .room_wanted = options_.bounds.disk_free_min});
        if (!opened) throw start_error{opened.error().what};
        storage::remove_verified_copy(options_.data_dir); // of a process that died over it
        for (const auto& note : (*opened)->notes()) spdlog::warn("store: {}", note);
        disk_ = opened->get();
        rows_ = std::move(*opened);
    }
    std::vector<storage::committer::callback> told;
    for (std::size_t i = 0; i != shard_count_; ++i) {
        told.emplace_back([this, i](storage::completion&& c) { shards_[i]->inbox().post(mail{std::move(c)}); });
    }
    committer_ = std::make_unique<storage::committer>(*rows_, options_.durability, std::move(told),
                                                      options_.bounds.disk_free_min);
    committer_->on_unreadable([this](const storage::storage_error& e) { damaged(e.what); });
    shards_.resize(shard_count_);
}

void server::recover() {
    const auto start = std::chrono::steady_clock::now();
    if (auto upgraded = storage::upgrade(*rows_); !upgraded) throw start_error{upgraded.error().what};
    auto found = storage::recover(*rows_, [told = start](storage::column in, std::size_t count) mutable {
        const auto now = std::chrono::steady_clock::now();
        if (now - told < seconds{1}) return;
        told = now;
        spdlog::info("store: reading {}, {} rows so far", storage::name(in), count);
        notify_service_manager(fmt::format("STATUS=reading {}, {} rows so far\nEXTEND_TIMEOUT_USEC=30000000", storage::name(in), count));
    });
    if (!found) throw start_error{found.error().what};
    for (const auto& row : found->quarantined) {
        spdlog::error("store: record {}/{} is left aside: {}", storage::name(row.in), row.key_hex, row.why);
    }
    // Ids of this process begin behind the lease of the last one; the new lease is on disk before one is used.
    storage::batch lease;
    lease.put(storage::column::meta, storage::id_lease_key(),
              storage::encode_id_lease(found->next_id + id_source::lease_step));
    lease.erase(storage::column::meta, storage::exact_counts_key()); // until this process stops cleanly
    commons_ = std::make_unique<commons>(options_.bounds, *committer_, found->next_id, shards_.size(), options_.durability,
                                         temporary_names::random());
    commons_->restore(*found);
    if (const auto wrong = commons_->declare(options_.queues, lease)) throw start_error{"configuration: " + *wrong};
    for (auto& b : found->bans) {
        const auto until = b.record.until_ms == 0 ? never : from_epoch_ms(b.record.until_ms);
        const auto kind = b.kind == 'a' ? security::ban_kind::address : b.kind == 'u' ? security::ban_kind::user : security::ban_kind::client_id;
        if (until <= clock_.now()) {
            lease.erase(storage::column::meta, storage::ban_key(b.kind, b.whom));
        } else if (auto added = door_.banned().add({.what = kind, .whom = b.whom, .until = until, .why = b.record.why}, clock_.now()); !added) {
            spdlog::error("store: the ban of {}: {}", b.whom, added.error());
        }
    }
    for (const auto& r : found->revocations) {
        if (r.what == storage::revoked::token && r.at_ms != 0 && from_epoch_ms(r.at_ms) <= clock_.now()) {
            lease.erase(storage::column::meta, storage::revocation_key(r.what, r.name)); // it has ended by itself
        } else if (access_) {
            access_->change_stored([&r](auto& stored) { return revoke(stored.revoked, r.what, r.name, r.at_ms); });
        }
    }
    if (access_) {
        restore_api_keys(found->api_keys);
        restore_users(found->users);
        tell_hidden_users();
    }
    const auto* const group = &lease;
    if (auto written = rows_->write({&group, 1}, true); !written) throw start_error{written.error().what};
    for (std::size_t i = 0; i != shards_.size(); ++i) {
        shards_[i] = std::make_unique<shard>(shard_index{static_cast<std::uint16_t>(i)}, *commons_, clock_);
        shards_[i]->core().restore(*found, clock_.now());
    }
    const auto ms = std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - start).count();
    spdlog::info("recovered {} sessions, {} queues, {} retained messages in {} ms", found->sessions.size(),
                 found->queues.size(), found->retained.size(), ms);
    commit_thread_ = std::make_unique<storage::commit_thread>(
        *committer_, [this](const storage::store_trouble& t) { on_store_trouble(t); });
    counts_known_ = found->counts_are_exact;
    if (!counts_known_) count_queues();
    sweeper_ = std::jthread{[this, before = message_id{found->next_id}](const std::stop_token& ending) {
        const auto submit = [this](storage::batch&& erasures) {
            auto shared = std::make_shared<storage::batch>(std::move(erasures));
            auto* const first = shards_.front().get();
            first->inbox().post(errand{[first, shared] { first->core().desk().open().append(*shared); }});
        };
        const auto stop = [&ending] { return ending.stop_requested(); };
        const auto owners = storage::sweep_ownerless_rows(*rows_, session_id{before.value()}, submit, stop);
        if (owners && *owners != 0) spdlog::info("store: what was left of {} ended sessions erased", *owners);
        const auto erased = storage::sweep_orphan_messages(*rows_, before, submit, stop);
        if (erased && *erased != 0) spdlog::info("store: {} messages without receivers erased", *erased);
    }};
}

void server::restore_api_keys(const std::vector<storage::recovered_api_key>& found) {
    for (const auto& [name, record] : found) {
        auto key = security::make_api_key({.name = name,
                                           .digest = record.digest,
                                           .created = from_epoch_ms(record.created_ms),
                                           .expires = record.expires_ms == 0 ? never : from_epoch_ms(record.expires_ms),
                                           .scopes = record.scopes});
        if (!key) spdlog::error("store: API key {} is left aside: {}", name, key.error());
        else access_->change_stored([&](auto& stored) { return stored.keys.add(std::move(*key)); });
    }
}

void server::restore_users(const std::vector<storage::recovered_user>& found) {
    for (const auto& [name, record] : found) {
        auto hash = security::password_hash::parse(record.hash);
        if (!hash) {
            spdlog::error("store: user {} is left aside: its hash is {}", name, hash.error());
            continue;
        }
        security::user one{.name = name, .hash = std::move(*hash), .disabled = record.disabled, .set_at = from_epoch_ms(record.set_at_ms)};
        access_->change_stored([&](auto& stored) { stored.users.put(std::move(one)); });
    }
}

void server::tell_hidden_users() const {
    const auto control = access_->now();
    access_->with_stored([&](const auto& stored) {
        for (const auto& [name, of_file] : control->file_users().all()) {
            if (stored.users.find(name)) spdlog::warn("user {} is in auth.password_file and in the store: the file's password counts", name);
        }
    });
}

void server::damaged(const std::string& what) {
    const auto text = fmt::format("{}; what is behind it is not served; stop brokerd and run `brokerctl store repair {}`, or "
                                  "restore a backup", what, options_.data_dir);
    alarms_.raise("store_damaged", text, clock_.now());
    spdlog::error("store: {}", text);
}

void server::on_store_trouble(const storage::store_trouble& t) {
    if (!t.full) alarms_.clear("disk_full");
    if (!t.failed || t.full) alarms_.clear("store_failed");
    if (!t.any()) return spdlog::warn("store: durable messages are accepted again");
    const auto text = fmt::format("{}; durable messages are refused{}", t.what,
                                  t.failed ? ", nothing is acknowledged until writing works again" : "");
    alarms_.raise(t.full ? "disk_full" : "store_failed", text, clock_.now());
    spdlog::error("store: {}", text);
}

// After a crash: beside serving, but as of now. What is put and erased meanwhile counts itself.
void server::count_queues() {
    auto begun = std::make_shared<std::promise<void>>();
    auto ready = begun->get_future();
    counter_ = std::jthread{[this, begun](const std::stop_token& stop) {
        std::unordered_map<session_id, storage::queue_counts> counts;
        const auto done = storage::count_queues(
            *rows_, [begun] { begun->set_value(); }, [&stop] { return !stop.stop_requested(); }, counts);
        if (!done) spdlog::error("store: queues could not be counted, their limits are loose: {}", done.error().what);
        if (!done || !*done) return;
        for (const auto& [id, c] : counts) {
            commons_->queues.add_counts(id, static_cast<std::int64_t>(c.messages), static_cast<std::int64_t>(c.bytes));
        }
        counts_known_ = true;
    }};
    ready.wait();
}

// Every batch is written: what queues hold is known, and the next start need not count.
void server::write_queue_states() {
    storage::batch states;
    for (const auto& s : shards_) {
        if (s) s->core().queues().write_states(states);
    }
    states.put(storage::column::meta, storage::exact_counts_key(), "1");
    const auto* const group = &states;
    if (auto written = rows_->write({&group, 1}, true); !written) {
        spdlog::warn("store: {}; the next start counts what queues hold", written.error().what);
    }
}

void server::listen() {
    for (std::size_t i = 0; i != addresses_.size(); ++i) {
        const auto& separator = options_.listeners[i].stomp_separator;
        const bool dotted = (separator.empty() ? options_.stomp_separator : separator) == "dot";
        const auto& l = options_.listeners[i];
        auto origins = security::allowed_origins::make(l.allowed_origins.value_or(options_.allowed_origins),
                                                       l.allow_missing_origin.value_or(options_.allow_missing_origin));
        if (!origins) throw start_error{fmt::format("listener {}: ws.allowed_origins: {}", l.name, origins.error())};
        infos_.push_back(std::make_unique<listener_info>(
            listener_info{.name = addresses_[i].name, .kind = addresses_[i].kind, .dotted = dotted, .origins = std::move(*origins), .tls = tls_[i],
                          .proxies = trust_of(l), .compression = l.compression.over(options_.compression), .connections_max = l.max_connections}));
    }
    for (auto& s : shards_) {
        auto& of_shard = listeners_.emplace_back();
        for (std::size_t i = 0; i != addresses_.size(); ++i) {
            of_shard.push_back(std::make_unique<listener>(*s, addresses_[i], *infos_[i], environment_));
        }
    }
    std::vector<shard*> all;
    for (const auto& s : shards_) all.push_back(s.get());
    node_ = std::make_unique<admin_node>(node_facts{.name = options_.node_name,
                                                    .data_dir = options_.data_dir,
                                                    .durability = std::string{word(options_.durability)},
                                                    .listeners = addresses_,
                                                    .infos = infos_,
                                                    .door = door_,
                                                    .disk = disk_,
                                                    .access = access_.get(),
                                                    .outside = &outside_},
                                         all, *commons_, *committer_, alarms_, clock_);
    admin_http http{.address = options_.admin_http, .tls = admin_tls_};
    if (access_) {
        http.judge = [this](std::string_view key) {
            return access_->with_stored([&](const auto& stored) { return access_->now()->rights_of_key(key, stored, clock_.now()); });
        };
    }
    admin_ = std::make_unique<admin_listener>(*node_, options_.admin_socket, std::move(http), files_.admin);
    if (options_.sys_interval.count() != 0) sys_ = std::make_unique<sys_publisher>(all, clock_, options_.sys_interval);
    for (const auto& s : shards_) s->start(all);
    node_->set_ready(true);
    if (files_.connections < options_.bounds.max_connections) {
        spdlog::warn("limits.max_connections is {}, but the process may open {} files: {} connections are served; raise it "
                     "(ulimit -n, LimitNOFILE=) or lower the limit", options_.bounds.max_connections, files_.limit, files_.connections);
    }
    std::string where;
    for (const auto& a : addresses_) where += fmt::format("{}{} {}", where.empty() ? "" : ", ", a.name, url(a));
    if (options_.admin_http != "off") where += fmt::format(", admin {}://{}", admin_tls_ ? "https" : "http", options_.admin_http);
    spdlog::info("ready: {}, admin unix:{}", where, options_.admin_socket);
}

void server::stop() {
    if (std::exchange(stopped_, true)) return;
    sweeper_.request_stop();
    if (sweeper_.joinable()) sweeper_.join();
    if (node_) node_->set_ready(false); // ends what takes long
    admin_.reset();
    if (node_) {
        for (std::size_t i = 0; i != shards_.size(); ++i) {
            shards_[i]->inbox().post(errand{[this, i] {
                listeners_[i].clear();
                shards_[i]->core().sessions().drain();
                shards_[i]->for_each_connection([&](shard_connection& c) {
                    c.shut_down({.cause = close_cause::server_drain, .detail = "the server is shutting down"},
                                shards_[i]->now());
                });
            }});
        }
        // Until every goodbye is written and answered, or the time is over.
        const auto until = clock_.now() + goodbye_within;
        while (door_.open() != 0 && clock_.now() < until) {
            std::promise<void> turn;
            auto passed = turn.get_future();
            shards_.front()->inbox().post(errand{[&turn] { turn.set_value(); }});
            passed.wait();
            std::this_thread::yield();
        }
    }
    for (const auto& s : shards_) {
        if (s) s->stop();
    }
    for (const auto& s : shards_) {
        if (s) s->join();
    }
    if (commit_thread_) commit_thread_->stop();
    if (counter_.joinable()) {
        counter_.request_stop();
        counter_.join();
    }
    if (counts_known_ && committer_ && committer_->idle() && !committer_->failed()) write_queue_states();
}

} // namespace broker
