// test_node: one or several shards on one thread, a fake clock, a memory store whose commits the test releases, and
// clients that are engines with an outbox. What goes in and comes out are bytes.
#pragma once

#include "core/outbox.hpp"
#include "protocols/engine.hpp"
#include "shard/core.hpp"
#include "storage/committer.hpp"
#include "storage/memory_store.hpp"
#include "storage/recovery.hpp"

#include <array>
#include <memory>
#include <string>
#include <vector>

namespace broker::test {

class test_node;

// One connection: an engine and what it wrote.
class test_client {
public:
    using maker = std::unique_ptr<engine> (*)(const engine_context&, time_point);
    test_client(test_node& node, std::size_t shard, maker make);
    ~test_client() { disconnect(); }
    test_client(const test_client&) = delete;
    test_client& operator=(const test_client&) = delete;

    // Bytes from the peer; then the turn ends. `settle`: turns run until nothing moves (commits included when automatic).
    void receive(std::string_view bytes);
    // What was written since the last call.
    [[nodiscard]] std::string sent();
    // The transport goes without a goodbye (or after closing).
    void disconnect();
    [[nodiscard]] engine& get() { return *engine_; }
    [[nodiscard]] bool connected() const { return engine_ != nullptr; }
    [[nodiscard]] bool closed() const { return engine_ == nullptr || engine_->closing().has_value(); }
    [[nodiscard]] std::string closed_because() const {
        return engine_ && engine_->closing() ? std::string{token(engine_->closing()->cause)} : "";
    }
    [[nodiscard]] outbox& out() { return out_; }

private:
    friend class test_node;
    test_node& node_;
    std::size_t shard_;
    block_pool blocks_;
    outbox out_;
    std::unique_ptr<engine> engine_;
};

class test_node {
public:
    explicit test_node(std::size_t shards = 1, const limits& bounds = {});
    ~test_node();

    // --- time ---
    [[nodiscard]] time_point now() const { return now_; }
    void advance(nanoseconds by); // deadlines that pass on the way are honoured, in order

    // --- the store ---
    // Automatic (default): every turn's batch is committed at once. Otherwise commit() does it.
    void commit_automatically(bool on) { automatic_ = on; }
    void commit();
    [[nodiscard]] storage::memory_backend& disk() { return *disk_; }
    // The process dies here: what was not committed is lost; a new one recovers from the same disk. Clients are gone.
    void crash_and_recover();

    [[nodiscard]] shard_core& shard(std::size_t i = 0) { return *shards_[i]; }
    [[nodiscard]] std::size_t shards() const { return shards_.size(); }
    [[nodiscard]] const limits& bounds() const { return bounds_; }

    // Turns until nothing moves any more.
    void settle();
    // One turn of one shard: its mail, its end. True if there was something to do.
    bool turn(std::size_t i);

private:
    friend class test_client;
    void start(std::uint64_t next_id);

    limits bounds_;
    std::size_t count_;
    time_point now_ = from_epoch_ms(1'700'000'000'000);
    bool automatic_ = true;
    std::unique_ptr<storage::memory_backend> disk_;
    std::unique_ptr<storage::committer> store_;
    std::unique_ptr<commons> commons_;
    std::vector<std::unique_ptr<shard_core>> shards_;
    std::vector<std::vector<mail>> inboxes_;
    std::vector<test_client*> clients_;
    std::uint64_t client_ids_ = 0;
};

} // namespace broker::test
