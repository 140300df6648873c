// worker: one thread of the load with its clients and its event loop. Worker w of n has the publishers and subscribers whose number
// modulo n is w.
#pragma once

#include "cli/bench/client.hpp"
#include "cli/bench/histogram.hpp"
#include "cli/bench/publisher.hpp"
#include "cli/bench/tally.hpp"

#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace broker::cli::bench {

enum class phase : std::uint8_t { opening, running, draining, leaving };

// What all workers share. The conductor sets the phase.
struct stage {
    stage(const options& o, const address& a, steady::time_point start) : with{o}, to{a}, began{start}, received(o.publishing) {}

    const options& with;
    const address& to;
    const steady::time_point began; // times in payloads count from here
    std::atomic<phase> now{phase::opening};
    std::atomic<steady::time_point> running_since{}; // set before the phase
    std::vector<std::atomic<std::uint64_t>> received; // deliveries, by publisher
    std::vector<int> bells{};                         // by worker: an eventfd that wakes it
};

// Read by the conductor while the worker counts.
struct progress {
    std::atomic<std::uint64_t> opened{0};
    std::atomic<std::uint64_t> failed{0}; // before they were open
    std::atomic<std::uint64_t> ended{0};  // after
    std::atomic<std::uint64_t> sent{0};
    std::atomic<std::uint64_t> delivered{0};
    std::atomic<std::uint64_t> acknowledged{0}; // refused ones too
    std::atomic<std::uint64_t> unconfirmed{0};  // publishers still to confirm, while draining
};

// Read when the worker's thread has ended.
struct figures {
    histogram connect{};
    histogram delivery{};
    histogram acknowledgement{};
    std::uint64_t lost = 0;
    std::uint64_t refused = 0; // publications
    std::uint64_t foreign = 0; // payloads of others
    std::uint64_t behind = 0;  // due and not sent
    std::uint64_t stalls = 0;
    tally::counts wrong{};
    std::string first_trouble{};
    int first_status = 0; // of brokerctl, for the first connection that failed
};

class worker final : private watcher {
public:
    worker(stage& s, std::size_t index);
    ~worker() override;

    void run(); // until phase::leaving
    [[nodiscard]] const progress& so_far() const { return progress_; }
    [[nodiscard]] const figures& result() const { return figures_; }
    // After all workers ended: what is missing, given what each publisher has sent.
    void count_lost(const std::vector<std::uint64_t>& sent_by);
    void add_sent(std::vector<std::uint64_t>& sent_by) const;

private:
    struct party {
        std::unique_ptr<client> connection{};
        std::size_t number = 0; // among publishers or among subscribers
        std::optional<std::size_t> publishes{}; // index in publishers_
        std::optional<tally> has{};             // a subscriber
        steady::time_point due{};               // to connect
        std::uint32_t watched = 0;              // epoll's events
        bool was_open = false;
        bool owes_confirmation = false;
    };

    void opened(client& c) override;
    void ended(client& c, int status, const std::string& why) override;
    void delivered(client& c, std::string_view payload) override;
    void acknowledged(client& c, std::uint16_t id, const std::string& refused) override;
    void confirmed(client& c) override;
    void has_output(client& c) override;
    void drained(client& c) override;

    void plan();
    void connect_more(steady::time_point now);
    void begin_draining();
    void keep_schedule(steady::time_point now);
    void publish_all();
    void publish_from(publisher& p);
    void flush_all();
    void wait();
    void watch(party& p);
    void once_a_second(steady::time_point now);
    void poke(std::size_t publisher);
    [[nodiscard]] steady::time_point due_of(std::uint64_t message) const; // of this worker's schedule

    stage& stage_;
    const options& with_;
    std::size_t index_;
    int epoll_ = -1;
    progress progress_{};
    figures figures_{};
    phase phase_ = phase::opening;

    std::vector<party> parties_; // by tag
    std::vector<publisher> publishers_;
    std::size_t begun_ = 0;   // parties that have begun to connect
    std::deque<std::uint32_t> connecting_; // oldest first; some are open already
    std::uint64_t scheduled_ = 0;          // messages of the schedule that are owed or sent
    std::vector<std::size_t> poked_;       // publishers that may be able to send
    std::vector<bool> is_poked_;
    std::vector<std::uint32_t> with_output_; // tags; may be in it twice
    std::vector<bool> ring_;                 // bells of workers whose publishers got credit
    std::vector<char> buffer_;
    std::string payload_;
    steady::time_point read_at_{};
    steady::time_point next_second_{};
};

} // namespace broker::cli::bench
