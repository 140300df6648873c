// shard: one thread, one io_context, its connections, their engines, its timers.
//
// A turn: ready connections read (each what its socket holds, and routes it), then mail to itself, the store
// batch, mail to other shards, and at last every connection with output writes once.
//
// Threading: everything but start(), stop(), join(), post() and the mailbox belongs to the shard's thread.
// Destruction order: connections, then the io_context with what waits on it, then core.
#pragma once

#include "core/outbox.hpp"
#include "protocols/engine.hpp"
#include "protocols/websocket/deflate_channel.hpp"
#include "shard/core.hpp"
#include "shard/deadlines.hpp"
#include "shard/mailbox.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <memory>
#include <thread>
#include <unordered_map>
#include <vector>

namespace broker {

// What has become of a socket, in edges: since it was last told (epoll(7), EPOLLET).
struct socket_events {
    bool readable = false;
    bool writable = false;
    bool ended = false; // by the peer, or broken
};

// What a shard asks of a connection; net/connection implements it.
class shard_connection {
public:
    virtual ~shard_connection() = default;
    virtual void on_events(const socket_events& what) = 0; // nothing is read or written yet: make_ready() if it wants to
    virtual void on_ready(time_point now) = 0; // its turn after make_ready()
    virtual void end_of_turn(time_point now) = 0; // write, close, read on
    virtual void on_durable(ticket upto, time_point now) = 0;
    virtual void on_deadline(time_point now) = 0;
    virtual void on_uncongested() = 0; // read again, if there is now less of it than it takes not to
    virtual void on_new_rules(time_point now) = 0; // of access: what is open is looked at again
    virtual void shut_down(const close_reason& why, time_point now) = 0;
    [[nodiscard]] virtual const broker::engine* engine() const = 0; // null before the protocol is known
    [[nodiscard]] virtual connection_id id() const = 0;

private:
    friend class shard;
    bool ready_ = false; // in the shard's queue
};

// Wall clock at the process's start plus steady time since: one value for all shards.
class process_clock {
public:
    process_clock();
    [[nodiscard]] time_point now() const;

private:
    std::chrono::steady_clock::time_point steady_start_;
    time_point start_;
};

class shard {
public:
    shard(shard_index self, commons& shared, const process_clock& clock);
    ~shard();
    shard(const shard&) = delete;
    shard& operator=(const shard&) = delete;

    // `others[i]` is shard i, this one included.
    void start(std::vector<shard*> others);
    void stop(); // any thread: the loop ends after its turn
    void join();

    [[nodiscard]] mailbox& inbox() { return inbox_; }
    [[nodiscard]] storage::store& store() { return core_.shared().store; }

    // --- the shard's thread ---
    [[nodiscard]] boost::asio::io_context& io() { return io_; }
    [[nodiscard]] shard_core& core() { return core_; }
    [[nodiscard]] time_point now() const { return now_; } // of this handler
    void refresh_now() { now_ = clock_.now(); }
    [[nodiscard]] std::span<std::uint8_t> read_buffer() { return read_buffer_; }
    [[nodiscard]] block_pool& blocks() { return blocks_; }
    [[nodiscard]] websocket::deflate_shop& compression() { return compression_; }
    [[nodiscard]] const limits& bounds() { return core_.shared().bounds; }

    void add(std::shared_ptr<shard_connection> c);
    [[nodiscard]] bool watch(shard_connection& c, int socket); // on_events() until the socket is closed; false: the kernel refuses
    void make_ready(shard_connection& c); // on_ready(), when it is its turn
    void remove(shard_connection& c); // destroyed at the end of the turn
    [[nodiscard]] std::size_t connections() const { return connections_.size(); }
    using visitor = std::function<void(shard_connection&)>;
    void for_each_connection(const visitor& visit);

    void schedule_end_of_turn(shard_connection& c) { dirty_.push_back(&c); }
    void schedule_deadline(connection_id c, time_point at) { deadlines_.add(at, c); }
    void when_durable(ticket at, std::function<void()> then); // at once if it is
    void wait_for_ticket(connection_id c) { waiting_for_ticket_.push_back(c); }

    // Whoever makes more of it is not read while the store is behind; nobody is while another shard's mailbox is, or the store
    // by twice as much.
    enum class congestion : std::uint8_t { none, store, all };
    [[nodiscard]] congestion congested() const { return congested_; }
    void stall(connection_id c) { stalled_.push_back(c); } // until there is less: on_uncongested()

private:
    void run();
    void turn();
    void take_mail();
    void fire_deadlines();
    void arm_timer();
    void check_congestion();
    void await_events();
    void take_events();
    void serve();
    [[nodiscard]] shard_connection* find(connection_id id);
    [[nodiscard]] std::uint64_t received() { return core_.desk().count().network_bytes_received; }

    const process_clock& clock_;
    time_point now_;
    block_pool blocks_;
    std::vector<std::uint8_t> read_buffer_;
    websocket::deflate_shop compression_;
    mailbox inbox_;
    shard_core core_;
    boost::asio::io_context io_{1};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
    // Of connections' sockets. Asio would keep 300 bytes for each, and ask the kernel twice for each that is read.
    boost::asio::posix::basic_stream_descriptor<boost::asio::io_context::executor_type> sockets_;
    bool awaiting_ = false; // sockets_
    std::vector<shard_connection*> ready_; // null: removed
    std::size_t served_ = 0; // of them
    boost::asio::steady_timer timer_;
    time_point timer_at_ = never;
    time_point trim_at_ = never; // blocks_
    std::vector<shard*> others_;
    std::unordered_map<connection_id, std::shared_ptr<shard_connection>> connections_;
    std::vector<std::shared_ptr<shard_connection>> removed_;
    std::vector<shard_connection*> dirty_;
    std::vector<shard_connection*> flushing_;
    std::vector<connection_id> waiting_for_ticket_;
    std::vector<std::pair<ticket, std::function<void()>>> when_durable_;
    std::vector<connection_id> stalled_;
    deadlines deadlines_;
    std::vector<mail> mail_;
    bool durable_news_ = false;
    congestion congested_ = congestion::none;
    bool stopping_ = false;
    std::thread thread_;
};

} // namespace broker
