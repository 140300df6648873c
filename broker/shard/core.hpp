// shard_core: what one shard knows and does, without threads, sockets or clocks: its router, sessions and queues, and
// the handling of mail. A shard runs it on a thread; the simulation runs several on one.
#pragma once

#include "core/wire_cache.hpp"
#include "routing/shard_router.hpp"
#include "session/shard_queues.hpp"
#include "session/shard_sessions.hpp"

#include <functional>
#include <memory>
#include <unordered_map>

namespace broker {

// What all shards of a process share.
struct commons {
    commons(const limits& with, storage::store& where, std::uint64_t next_id, std::size_t shard_count,
            storage::durability durable_as, const temporary_names& named)
        : bounds{with}, store{where}, ids{next_id}, shards{shard_count}, level{durable_as}, trie{shard_count},
          kept{with}, temporary{named}, sessions{with.max_sessions}, queues{shard_count, with} {}

    // At start-up, before the shards': queues and retained messages.
    void restore(const storage::recovered& from);
    // Then the queues of the configuration; records of new ones go to `records`. Says what is wrong, if anything is.
    [[nodiscard]] std::optional<std::string> declare(std::span<const declared_queue> all, storage::batch& records);

    const limits& bounds;
    storage::store& store;
    id_source ids;
    std::size_t shards;
    storage::durability level;
    topic_trie trie;
    retained kept;
    server_topics own;
    temporary_names temporary;
    session_table sessions;
    queue_table queues;
};

class shard_core {
public:
    shard_core(shard_index self, commons& shared);

    [[nodiscard]] shard_router& route() { return router_; }
    [[nodiscard]] shard_sessions& sessions() { return sessions_; }
    [[nodiscard]] shard_queues& queues() { return queues_; }
    [[nodiscard]] shard_desk& desk() { return desk_; }
    [[nodiscard]] commons& shared() { return shared_; }
    [[nodiscard]] wire_cache& wire() { return wire_; }

    // Everything except errands that concern connections. Returns true when tickets became durable.
    bool receive(mail m, time_point now);

    // Mail to itself, then the store, then mail to the others, in this order: an entry is in the store's stream before
    // anybody who might erase it hears of it.
    using poster = std::function<void(std::size_t to, std::vector<mail>&)>;
    void end_turn(time_point now, const poster& post);

    [[nodiscard]] time_point next_deadline() const {
        return std::min({sessions_.next_deadline(), router_.next_deadline(), queues_.next_deadline()});
    }
    void on_deadline(time_point now) {
        sessions_.on_deadline(now);
        queues_.on_deadline(now);
        router_.on_deadline(now);
    }

    // At start-up: this shard's sessions and queues, by hash of client id and name; commons::restore() comes first.
    void restore(const storage::recovered& from, time_point now);

private:
    void on_completion(storage::completion& done, time_point now);

    commons& shared_;
    shard_desk desk_;
    shard_sessions sessions_;
    queue_router queue_router_;
    shard_router router_;
    shard_queues queues_;
    std::vector<mail> own_mail_;
    wire_cache wire_;
};

// The shard an offline session is restored to.
[[nodiscard]] std::uint16_t home_shard(std::string_view client_id, std::size_t shards);

} // namespace broker
