// client: one connection of the load, from connecting to its end: a stream, WebSocket frames where the URL wants them, and a protocol.
// Threading: one worker's. Output is collected until flush(); the worker calls it once a turn.
#pragma once

#include "cli/bench/options.hpp"
#include "cli/bench/stream.hpp"
#include "cli/bench/websocket.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace broker::cli::bench {

using steady = std::chrono::steady_clock;

class client;

// What becomes of clients. None of these may destroy the client.
class watcher {
public:
    virtual ~watcher() = default;
    virtual void opened(client& c) = 0; // connected, and subscribed if it should be
    // The broker or the network ended it, once. `status`: of brokerctl, for the case that it was not open yet.
    virtual void ended(client& c, int status, const std::string& why) = 0;
    virtual void delivered(client& c, std::string_view payload) = 0;
    // By publish()'s id. `refused`: why, in words; empty: taken.
    virtual void acknowledged(client& c, std::uint16_t id, const std::string& refused) = 0;
    virtual void confirmed(client& c) = 0;  // everything sent before confirm() has been read
    virtual void has_output(client& c) = 0; // flush() it
    virtual void drained(client& c) = 0;    // all output is written
};

struct assignment {
    std::uint32_t tag = 0; // the worker's
    std::string client_id{};
    std::string subscribes_to{}; // empty: not
    std::string publishes_to{};  // empty: not
};

class client {
public:
    // Begins to connect.
    client(const options& o, const address& to, watcher& w, assignment a);
    virtual ~client() = default;
    client(const client&) = delete;
    client& operator=(const client&) = delete;

    [[nodiscard]] std::uint32_t tag() const { return assigned_.tag; }
    [[nodiscard]] int fd() const { return stream_->fd(); }
    [[nodiscard]] bool is_open() const { return state_ == state::open; }
    [[nodiscard]] bool has_ended() const { return state_ == state::ended; }
    [[nodiscard]] bool wants_to_write() const { return wants_to_write_; }
    [[nodiscard]] std::size_t backlog() const { return out_.size() - written_; }
    [[nodiscard]] std::uint16_t receive_maximum() const { return receive_maximum_; }

    // The socket is ready. `buffer` is scratch.
    void on_ready(bool readable, bool writable, std::span<char> buffer);
    void flush();
    void give_up(const std::string& why) { end(3, why); }
    void keep_alive(steady::time_point now); // now and then

    virtual void publish(std::string_view payload, std::uint16_t id) = 0; // id: 0 at QoS 0
    virtual void confirm() = 0;
    // Says goodbye and closes, without waiting.
    void leave();

protected:
    // What a protocol does.
    virtual void connect() = 0;   // appends its first packet
    virtual void subscribe() = 0; // appends its subscription
    virtual void disconnect() = 0;
    virtual void ping() = 0;
    // Takes whole packets off the front. Stops when has_ended().
    virtual void parse(std::string_view& bytes) = 0;

    // What a protocol tells. The rest of its input does not matter after end().
    void on_connected(std::uint16_t receive_maximum, std::uint16_t keep_alive_s);
    void on_subscribed();
    void end(int status, std::string why);

    void append(std::string_view packet); // a packet of its own, in a frame of its own
    void begin(std::size_t size);         // of a packet whose bytes are appended to out() next, before finish()
    void finish();
    [[nodiscard]] std::string& out() { return out_; }
    [[nodiscard]] const options& with() const { return with_; }
    [[nodiscard]] const assignment& assigned() const { return assigned_; }
    [[nodiscard]] watcher& tells() { return watcher_; }
    [[nodiscard]] std::string password() const; // or the token, where it is one

private:
    enum class state : std::uint8_t { connecting, upgrading, greeting, subscribing, open, ended };

    void advance();
    void read(std::span<char> buffer);
    void take_in(std::span<char> bytes);
    void announce(); // that there is output
    void on_control(websocket::opcode what, std::string_view payload);

    const options& with_;
    watcher& watcher_;
    assignment assigned_;
    std::unique_ptr<stream> stream_;
    state state_ = state::connecting;
    bool wants_to_write_ = true;
    bool announced_ = false;
    std::uint16_t receive_maximum_ = 65'535;
    std::uint16_t keep_alive_s_ = 0; // 0: none
    steady::time_point last_sent_{};
    websocket::reader reader_{};
    websocket::writer writer_;
    std::string in_{}; // the beginning of a packet
    std::string out_{};
    std::size_t written_ = 0; // of out_
};

[[nodiscard]] std::unique_ptr<client> make_client(const options& o, const address& to, watcher& w, assignment a);

} // namespace broker::cli::bench
