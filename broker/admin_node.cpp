#include "admin_node.hpp"

#include "access_files.hpp"
#include "storage/keys.hpp"
#include "storage/records.hpp"
#include "version.hpp"

#include <condition_variable>
#include <deque>
#include <mutex>

namespace broker {

using admin::admin_error;

namespace {

constexpr std::size_t stream_messages_max = 10'000; // an admin client that does not keep up loses what is beyond it

// The admin's side of a subscription: filled by a shard, emptied by the admin thread.
struct stream_buffer {
    std::mutex mutex;
    std::condition_variable filled;
    std::deque<message_ptr> messages;
    bool ended = false;
};

// The shard's side.
class stream_subscriber final : public subscriber {
public:
    stream_subscriber(std::shared_ptr<stream_buffer> to, counters& count) : to_{std::move(to)}, count_{count} {}

    [[nodiscard]] bool has_room() const override { return true; }
    void deliver(const delivery& d, time_point) override {
        if (d.handle != 0) handles.push_back(d.handle);
        const std::lock_guard lock{to_->mutex};
        if (to_->messages.size() >= stream_messages_max) return count_.drop(drop_reason::queue_full);
        to_->messages.push_back(d.message);
        to_->filled.notify_one();
    }
    void evict(const close_reason&, time_point) override {
        attached = nullptr;
        const std::lock_guard lock{to_->mutex};
        to_->ended = true;
        to_->filled.notify_one();
    }

    session* attached = nullptr;
    std::vector<std::uint16_t> handles; // to settle

private:
    std::shared_ptr<stream_buffer> to_;
    counters& count_;
};

class shard_stream final : public admin::subscription_stream {
public:
    shard_stream(shard& on, std::shared_ptr<stream_subscriber> who, std::shared_ptr<stream_buffer> from)
        : shard_{on}, who_{std::move(who)}, from_{std::move(from)} {}
    ~shard_stream() override {
        shard_.inbox().post(errand{[&on = shard_, who = who_] {
            if (who->attached != nullptr) on.core().sessions().detach(*who->attached, false, on.now());
            who->attached = nullptr;
        }});
    }
    [[nodiscard]] std::vector<message_ptr> take(milliseconds wait) override {
        std::vector<message_ptr> taken;
        {
            std::unique_lock lock{from_->mutex};
            from_->filled.wait_for(lock, wait, [this] { return !from_->messages.empty() || from_->ended; });
            taken.assign(from_->messages.begin(), from_->messages.end());
            from_->messages.clear();
        }
        if (!taken.empty()) {
            shard_.inbox().post(errand{[&on = shard_, who = who_] {
                auto handles = std::exchange(who->handles, {});
                for (const auto h : handles) {
                    if (who->attached != nullptr) (void)who->attached->settle(h, settlement::accepted, on.now());
                }
            }});
        }
        return taken;
    }

private:
    shard& shard_;
    std::shared_ptr<stream_subscriber> who_;
    std::shared_ptr<stream_buffer> from_;
};

} // namespace

admin_node::admin_node(node_facts facts, std::vector<shard*> shards, commons& shared, const storage::committer& store,
                       const alarms& raised, const process_clock& clock)
    : facts_{std::move(facts)}, shards_{std::move(shards)}, shared_{shared}, store_{store}, alarms_{raised}, clock_{clock},
      started_at_{clock.now()} {}

result<bool, admin_error> admin_node::when_durable(std::size_t i, std::function<ticket(shard&)> act) {
    auto promise = std::make_shared<std::promise<bool>>();
    auto* const on = shards_[i];
    on->inbox().post(errand{[on, promise, act = std::move(act)] {
        on->when_durable(act(*on), [promise] { promise->set_value(true); });
    }});
    return wait_for(promise->get_future());
}

bool admin_node::ready() const { return ready_.load() && !store_.failed(); }

result<admin::status, admin_error> admin_node::get_status() {
    admin::status s;
    s.version = version;
    s.node_name = facts_.name;
    s.data_dir = facts_.data_dir;
    s.durability = facts_.durability;
    s.started_at = started_at_;
    s.now = clock_.now();
    s.shards = shards_.size();
    struct share {
        counters count;
        std::size_t sessions = 0;
        compression_traffic compressed;
    };
    const auto shares = gather<share>([](shard& on, std::vector<share>& out) {
        out.push_back({.count = on.core().desk().count(), .sessions = on.core().sessions().size(), .compressed = on.compression().traffic()});
    });
    if (!shares) return fail(shares.error());
    std::size_t sessions = 0;
    for (const auto& one : *shares) {
        s.sums.add(one.count);
        sessions += one.sessions;
        s.compressed.add(one.compressed);
    }
    s.sessions_online = s.sums.sessions_online;
    s.sessions_offline = sessions > s.sessions_online ? sessions - s.sessions_online : 0;
    s.session_queue_messages = counters::at_least_zero(s.sums.owed_messages);
    s.subscriptions = shared_.trie.subscriptions();
    s.shared_subscriptions = shared_.trie.shared_subscriptions();
    s.retained_messages = shared_.kept.count();
    s.retained_bytes = shared_.kept.bytes();
    s.queues = shared_.queues.size();
    shared_.queues.for_each([&s](const queue_slot& q, const queue_table::declaration& how) {
        if (how.by == queue_table::origin::use) return;
        const auto messages = q.messages.load(std::memory_order_relaxed);
        s.declared_queues.emplace_back(q.name, static_cast<std::size_t>(std::max<std::int64_t>(messages, 0)));
    });
    s.store_failed = store_.trouble().any();
    s.alarms = alarms_.all();
    s.jwks_fetched = facts_.outside->jwks_fetched;
    s.jwks_failed = facts_.outside->jwks_failed;
    const auto& hook = facts_.outside->auth_hook;
    for (std::size_t i = 0; i != hook_result_names.size(); ++i) s.auth_hook.emplace_back(hook_result_names[i], hook.results[i]);
    s.auth_hook_seconds = {.bounds = {hook.bounds.begin(), hook.bounds.end()},
                           .counts = {hook.requests.begin(), hook.requests.end()},
                           .sum = static_cast<double>(hook.microseconds) / 1e6};
    if (facts_.access != nullptr) {
        facts_.access->logins().for_each([&s](auto by, auto outcome, auto times) { s.logins.push_back({.method = by, .result = outcome, .times = times}); });
    }
    s.store_pending_bytes = store_.pending_bytes();
    const auto metrics = store_.metrics();
    const auto convert = [](const storage::histogram& h) {
        return admin::histogram{.bounds = {h.bounds.begin(), h.bounds.end()},
                                .counts = {h.counts.begin(), h.counts.end()},
                                .sum = h.sum};
    };
    s.store_commit_seconds = convert(metrics.commit_seconds);
    s.store_fsync_seconds = convert(metrics.fsync_seconds);
    s.store_batch_messages = convert(metrics.batch_messages);
    for (std::size_t i = 0; i != facts_.listeners.size(); ++i) s.listeners.push_back(listener_row_of(facts_.listeners[i], *facts_.infos[i]));
    s.bans = facts_.door.banned().all(clock_.now()).size();
    return s;
}

result<std::vector<admin::connection_row>, admin_error> admin_node::connections() {
    return gather<admin::connection_row>([](shard& on, std::vector<admin::connection_row>& out) {
        on.for_each_connection([&](shard_connection& c) {
            const auto seen = summary(c);
            out.push_back({.id = c.id(),
                           .listener = std::string{seen.listener},
                           .address = seen.client.text(),
                           .transport = std::string{seen.transport},
                           .identity = std::string{seen.identity},
                           .connected_at = seen.connected_at,
                           .client = c.engine() != nullptr ? c.engine()->info() : client_info{},
                           .outbox_bytes = seen.outbox_bytes,
                           .shard = on.core().desk().self()});
        });
    });
}

result<std::size_t, admin_error> admin_node::close_those(connection_test matches, const close_reason& why) {
    std::size_t closed = 0;
    for (std::size_t i = 0; i != shards_.size(); ++i) {
        auto here = on_shard<std::size_t>(i, [matches, why](shard& on) {
            std::size_t n = 0;
            on.for_each_connection([&](shard_connection& c) {
                if (!matches(c)) return;
                c.shut_down(why, on.now());
                ++n;
            });
            return n;
        });
        if (!here) return fail(here.error());
        closed += *here;
    }
    return closed;
}

admin_error admin_node::no_client() { return {admin_error::kind::not_found, "no connected client has this id"}; }

result<std::size_t, admin_error> admin_node::kick(const std::string& client_id) {
    const auto is_it = [client_id](const shard_connection& c) { return c.engine() != nullptr && c.engine()->info().client_id == client_id; };
    const auto kicked = close_those(is_it, {.cause = close_cause::kicked, .detail = "by an administrator"});
    if (kicked && *kicked == 0) return fail(no_client());
    return kicked;
}

result<std::vector<message_ptr>, admin_error> admin_node::retained(const std::string& filter, std::size_t count_max) {
    if (!topic_filter::parse(filter, shared_.bounds)) {
        return fail(admin_error{admin_error::kind::invalid, "not a topic filter: " + filter});
    }
    std::vector<message_ptr> found;
    std::optional<std::string> after;
    while (found.size() < count_max) {
        after = shared_.kept.match(filter, clock_.now(), found, count_max - found.size(), retained::visits_at_once, after);
        if (!after) break;
    }
    return found;
}

result<std::size_t, admin_error> admin_node::delete_retained(const std::string& filter) {
    constexpr std::size_t at_once = 1000;
    std::size_t deleted = 0;
    for (;;) {
        const auto found = retained(filter, at_once);
        if (!found) return fail(found.error());
        for (const auto& m : *found) {
            const auto gone = publish({.topic = m->topic(), .retain = true});
            if (!gone) return fail(gone.error());
        }
        deleted += found->size();
        if (found->size() < at_once) return deleted;
    }
}

result<bool, admin_error> admin_node::publish(const message_fields& fields) {
    if (!is_topic_name(fields.topic, shared_.bounds)) {
        return fail(admin_error{admin_error::kind::invalid, "not a topic name: " + std::string{fields.topic}});
    }
    if (is_server_topic(fields.topic)) {
        return fail(admin_error{admin_error::kind::invalid, "topics that begin with $ are the server's: " + std::string{fields.topic}});
    }
    auto answer = std::make_shared<std::promise<bool>>();
    auto future = answer->get_future();
    auto refused = std::make_shared<std::atomic<int>>(0);
    auto* const on = shards_[next_shard_.fetch_add(1) % shards_.size()];
    auto m = make_message(fields);
    on->inbox().post(errand{[on, m, answer, refused] {
        const auto r = on->core().route().publish(m, on->now());
        if (r.refused != refusal::none) {
            refused->store(static_cast<int>(r.refused));
            return answer->set_value(false);
        }
        on->when_durable(r.durable_at, [answer, matched = r.matched] { answer->set_value(matched); });
    }});
    if (future.wait_for(patience) != std::future_status::ready) {
        return fail(admin_error{admin_error::kind::timeout, "the message was not on disk within 5 s"});
    }
    const bool matched = future.get();
    switch (static_cast<refusal>(refused->load())) {
    case refusal::none: return matched;
    case refusal::storage_failed:
    case refusal::disk_full:
        return fail(admin_error{admin_error::kind::refused, "the store does not accept writes: " + store_.trouble().what});
    case refusal::not_waiting:
    case refusal::not_permitted:
    case refusal::quota_exceeded:
        return fail(admin_error{admin_error::kind::refused, "a queue or retained-message limit is reached"});
    }
    return matched;
}

result<std::unique_ptr<admin::subscription_stream>, admin_error> admin_node::subscribe(
    const std::vector<std::string>& filters, qos maximum) {
    std::vector<topic_filter> parsed;
    for (const auto& text : filters) {
        auto one = topic_filter::parse(text, shared_.bounds);
        if (!one) return fail(admin_error{admin_error::kind::invalid, "not a topic filter: " + text});
        parsed.push_back(std::move(*one));
    }
    const auto i = next_shard_.fetch_add(1) % shards_.size();
    auto buffer = std::make_shared<stream_buffer>();
    auto who = on_shard<std::shared_ptr<stream_subscriber>>(i, [buffer, parsed, maximum](shard& on) {
        auto made = std::make_shared<stream_subscriber>(buffer, on.core().desk().count());
        auto* const s = on.core().sessions().open_transient("brokerctl", {.who = made.get(), .window = 1000}, on.now());
        if (s == nullptr) return std::shared_ptr<stream_subscriber>{};
        made->attached = s;
        for (const auto& filter : parsed) {
            const subscription_options options{.maximum_qos = maximum};
            (void)on.core().route().subscribe(*s, filter, options, on.now());
            if (filter.what() == topic_filter::kind::plain) {
                on.core().route().send_retained(*s, filter, options, on.now());
            }
        }
        s->resume(on.now());
        return made;
    });
    if (!who) return fail(who.error());
    if (!*who) return fail(admin_error{admin_error::kind::refused, "limits.max_sessions reached"});
    return std::make_unique<shard_stream>(*shards_[i], std::move(*who), std::move(buffer));
}

} // namespace broker
