// test_node: one or several shards on one thread, a fake clock, a memory store whose commits the test releases, and
// clients that are engines with an outbox. What goes in and comes out are bytes.
//
// Two ways to drive it. By default every call settles: turns run until nothing moves. With `stepwise` nothing moves by
// itself: the caller decides which shard gets which mail and ends which turn, what is written and when, as the threads of
// the server might have done it. Connections then behave as net/connection does: they go on when there was output.
#pragma once

#include "core/outbox.hpp"
#include "protocols/engine.hpp"
#include "shard/core.hpp"
#include "storage/committer.hpp"
#include "storage/memory_store.hpp"
#include "storage/recovery.hpp"

#include <array>
#include <deque>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

namespace broker::test {

class test_node;

// One connection: an engine and what it wrote.
class test_client : outbox_listener, client_id_source {
public:
    using maker = std::unique_ptr<engine> (*)(const engine_context&, time_point);
    test_client(test_node& node, std::size_t shard, maker make);
    ~test_client() override { disconnect(); }
    test_client(const test_client&) = delete;
    test_client& operator=(const test_client&) = delete;

    // Bytes from the peer; then the node settles (commits included when automatic), unless it runs stepwise.
    void receive(std::string_view bytes);
    // What was written since the last call.
    [[nodiscard]] std::string sent();
    // The transport goes without a goodbye (or after closing).
    void disconnect();
    [[nodiscard]] engine& get() { return *engine_; }
    [[nodiscard]] bool connected() const { return engine_ != nullptr; }
    [[nodiscard]] bool closed() const { return engine_ == nullptr || engine_->closing() != nullptr; }
    [[nodiscard]] std::string closed_because() const {
        return engine_ && engine_->closing() ? std::string{token(engine_->closing()->cause)} : "";
    }
    [[nodiscard]] outbox& out() { return out_; }
    [[nodiscard]] std::size_t shard() const { return shard_; }

private:
    friend class test_node;
    void on_output() override { dirty_ = true; }
    [[nodiscard]] std::string new_client_id() override;
    void watch_ticket();
    void on_durable();
    void end_of_turn();

    test_node& node_;
    std::size_t shard_;
    block_pool blocks_;
    outbox out_;
    std::unique_ptr<engine> engine_;
    bool dirty_ = false;              // there was output, or the outbox was touched, in this turn
    bool waiting_for_ticket_ = false; // it is told when tickets become durable
};

// What goes wrong on purpose, to see that a test would notice.
struct test_faults {
    bool acknowledge_before_write = false; // tickets are reported durable when they are submitted
    bool answer_markers_at_once = false;   // without waiting for the mail ahead of the marker
    // When a session moves, one of the markers is not sent; its answer is not waited for, or is.
    bool skip_marker_of_move = false;
    bool lose_marker_of_move = false;
};

class test_node {
public:
    explicit test_node(std::size_t shards = 1, const limits& bounds = {});
    // Stepwise, on the caller's disk.
    test_node(std::size_t shards, const limits& bounds, std::unique_ptr<storage::backend> disk, storage::durability level,
              test_faults faults = {});
    ~test_node();

    // Clients made from now on come through a listener with stomp.separator = "dot".
    void use_dots() { dotted_ = true; }

    // --- time ---
    [[nodiscard]] time_point now() const { return now_; }
    void advance(nanoseconds by); // deadlines that pass on the way are honoured, in order; stepwise: when turns end

    // --- the store ---
    // Automatic (default): every turn's batch is committed at once. Otherwise commit() does it.
    void commit_automatically(bool on) { automatic_ = on; }
    void commit();
    // Writes the first `batches` of what was submitted as one group. False: nothing to do, or the disk failed.
    bool write(std::size_t batches, std::size_t in_group = std::numeric_limits<std::size_t>::max());
    [[nodiscard]] std::size_t submitted() const { return gate_->size(); }
    [[nodiscard]] bool all_written() const { return gate_->size() == 0 && store_->idle(); }
    [[nodiscard]] storage::memory_backend& disk() { return dynamic_cast<storage::memory_backend&>(*disk_); }
    [[nodiscard]] const storage::backend& rows() const { return *disk_; }
    // The process dies here: what was not committed is lost; a new one recovers from the same disk. Clients are gone.
    void crash_and_recover();

    [[nodiscard]] shard_core& shard(std::size_t i = 0) { return *shards_[i]; }
    [[nodiscard]] std::size_t shards() const { return shards_.size(); }
    [[nodiscard]] commons& shared() { return *commons_; }
    [[nodiscard]] const limits& bounds() const { return bounds_; }

    // What connections made from now on are given (protocols/engine.hpp).
    mqtt::authenticator* authenticate = nullptr;
    admission* admit = nullptr;

    // Turns until nothing moves any more.
    void settle();
    // One turn of one shard: its mail, its end. True if there was something to do.
    bool turn(std::size_t i);

    // --- stepwise ---
    [[nodiscard]] std::size_t mail_for(std::size_t i) const { return inboxes_[i].size(); }
    // The oldest mail of the sender whose mail is at `position`: mail of one sender stays in order, senders mix freely.
    void deliver_one(std::size_t i, std::size_t position);
    // As broker/shard does it: deadlines, the store's batch, mail, acknowledgements, connections with output.
    void end_turn(std::size_t i);

private:
    friend class test_client;
    // Where submissions wait for write(). Numbers them as the committer does.
    class gate final : public storage::store {
    public:
        gate(storage::store& behind, std::size_t shards, std::function<void(std::size_t, ticket)> submitted)
            : behind_{behind}, submitted_(shards), told_{std::move(submitted)} {}
        ticket submit(shard_index from, storage::batch&& operations, std::vector<storage::load_request>&& loads) override;
        [[nodiscard]] std::size_t pending_bytes() const override { return behind_.pending_bytes(); }
        [[nodiscard]] const storage::backend& rows() const override { return behind_.rows(); }
        [[nodiscard]] std::size_t size() const { return waiting_.size(); }
        void pass(std::size_t count);

    private:
        struct submission {
            shard_index from{};
            storage::batch operations{};
            std::vector<storage::load_request> loads{};
        };
        storage::store& behind_;
        std::vector<ticket> submitted_;
        std::deque<submission> waiting_;
        std::function<void(std::size_t, ticket)> told_;
    };
    struct letter {
        std::size_t from = 0; // shards(): the store
        mail content{};
    };

    void start(std::uint64_t next_id);
    void count_queues();
    void post(std::size_t from, std::size_t to, mail m);
    void post_all(std::size_t from, std::size_t to, std::vector<mail>& batch);
    void receive(std::size_t i, mail m);
    void drop_marker(std::size_t from);

    limits bounds_;
    std::size_t count_;
    bool stepwise_ = false;
    storage::durability level_ = storage::durability::sync;
    test_faults faults_;
    time_point now_ = from_epoch_ms(1'700'000'000'000);
    bool automatic_ = true;
    bool dotted_ = false;
    std::unique_ptr<storage::backend> disk_;
    std::unique_ptr<storage::committer> store_;
    std::unique_ptr<gate> gate_;
    std::unique_ptr<commons> commons_;
    std::vector<std::unique_ptr<shard_core>> shards_;
    std::vector<std::deque<letter>> inboxes_;
    std::vector<bool> durable_news_;
    std::vector<test_client*> clients_;
    std::uint64_t client_ids_ = 0;
};

} // namespace broker::test
