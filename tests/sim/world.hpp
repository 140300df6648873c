// world: shards on one thread, a disk, and clients, and every step of theirs chosen by a seed: which client does what, whose
// mail arrives when, which turn ends, how much is written, when time passes, the disk fails, the server is killed or loses
// power. At the end everybody comes back and takes what there is; then everybody leaves for good, and nothing may be left.
#pragma once

#include "sim/checker.hpp"
#include "sim/dice.hpp"
#include "sim/disk.hpp"
#include "support/test_node.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace broker::sim {

struct plan {
    std::uint64_t seed = 0;
    test::test_faults faults{};
    bool ignore_syncs = false; // the disk says it has synced and has not
    bool print = false;        // what happens, line by line, to stdout
    std::size_t steps_max = 700;
};

struct outcome {
    std::vector<std::string> problems{};
    std::uint64_t trace = 0; // of every byte in and out: two runs of a seed have the same
    tally happened{};
};

[[nodiscard]] outcome simulate(const plan& p);

class world;

// One client of the outside world, with what it remembers across connections.
class actor {
public:
    explicit actor(world& in) : in_{in} {}
    virtual ~actor() = default;
    actor(const actor&) = delete;
    actor& operator=(const actor&) = delete;

    virtual void act() = 0;         // something of its own will
    virtual void read() = 0;        // takes what has come and answers
    virtual void harvest(bool all) = 0; // the network takes what the broker wrote; `all`: also for one that does not read
    virtual void notice_end() = 0;      // the broker may have closed its connection: it holds nothing any more
    virtual void server_died() = 0; // its connection is gone
    virtual void come_back() = 0;   // connects if it is not, and from now on answers everything
    virtual void retire() = 0;      // one step of leaving for good
    [[nodiscard]] virtual bool retired() const = 0;
    // What it waits for though nothing moves any more; empty: nothing.
    [[nodiscard]] virtual std::string waits_for() const = 0;

protected:
    world& in_;
};

class world {
public:
    explicit world(const plan& p);
    ~world();
    void run();
    [[nodiscard]] outcome result() const;

    // --- for the clients ---
    [[nodiscard]] dice& roll() { return roll_; }
    [[nodiscard]] checker& check() { return check_; }
    [[nodiscard]] test::test_node& node() { return *node_; }
    [[nodiscard]] time_point now() const { return node_->now(); }
    [[nodiscard]] std::unique_ptr<test::test_client> open(test::test_client::maker make);
    [[nodiscard]] checker::holder next_holder() { return ++holders_; }
    [[nodiscard]] std::size_t next_stream() { return ++streams_; }
    // Everything was delivered and done at least once since this time.
    [[nodiscard]] bool quiet_since(time_point t) const { return last_quiet_ > t; }
    void note(std::string_view who, std::string_view what, std::string_view bytes);
    void say(std::string_view who, std::string_view what) const;
    void count(event e, std::size_t n = 1) { check_.happened.count(e, n); }
    void settle(); // until nothing moves any more

private:
    void populate();
    void step();
    void end_turn(std::size_t shard);
    void pass_time();
    void fail_disk();
    void crash();
    void write_some();
    void tell_counters();
    bool move_server();     // once around: mail, turns, the store; true if anything moved
    bool move_everything(); // and the clients
    // What a new subscriber is sent, by topic; nothing: it could not look.
    [[nodiscard]] std::optional<std::map<std::string, number>> retained(const std::string& filter);
    void probe_retained();
    void look_into_queues();
    void remove_from_queue();
    [[nodiscard]] std::size_t dropped_by_queues() const;
    void finish();
    void sweep();
    void sweep(session_id owners_before, message_id messages_before);
    void check_leaks();

    plan plan_;
    dice roll_;
    disk* disk_ = nullptr; // the node's
    std::unique_ptr<test::test_node> node_;
    checker check_;
    checker::losses lost_{}; // by processes that are gone
    std::uint64_t sweep_before_ = 0; // ids of earlier lives; 0: swept
    storage::durability level_ = storage::durability::sync;
    std::vector<std::unique_ptr<actor>> actors_;
    checker::holder holders_ = 0;
    std::size_t streams_ = 0;
    time_point last_quiet_{};
    std::uint64_t trace_ = 0xCBF2'9CE4'8422'2325;
    std::uint64_t activity_ = 0;
};

} // namespace broker::sim
