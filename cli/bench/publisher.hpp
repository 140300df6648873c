// publisher: what one publishing client has sent, what of it is under way, and whether it may send more.
#pragma once

#include "cli/bench/client.hpp"
#include "cli/bench/options.hpp"

#include <algorithm>
#include <atomic>
#include <utility>
#include <vector>

namespace broker::cli::bench {

class publisher {
public:
    // `received`: how often its messages have come, counted by all workers.
    publisher(client& c, std::uint32_t number, const std::atomic<std::uint64_t>& received) : client_{&c}, number_{number}, received_{&received} {}

    [[nodiscard]] client& on() const { return *client_; }
    [[nodiscard]] std::uint32_t number() const { return number_; }
    [[nodiscard]] std::uint32_t sent() const { return sent_; }
    [[nodiscard]] std::uint64_t owed() const { return owed_; }
    void owe_one() { ++owed_; }

    [[nodiscard]] bool may_send(const options& o) const {
        if (!client_->is_open() || client_->backlog() >= backlog_max) return false;
        if (o.qos != 0 && in_flight_ >= std::min<std::size_t>(client_->receive_maximum(), ids_max)) return false;
        if (o.rate > 0) return owed_ != 0;
        if (o.qos != 0 && in_flight_ >= o.window) return false;
        return o.receivers() == 0 || under_way(o.receivers()) < o.window * o.receivers();
    }
    // Counts a message that was due then, and returns its packet id (0 at QoS 0).
    std::uint16_t send(steady::time_point due, bool acknowledged) {
        ++sent_;
        if (owed_ != 0) --owed_;
        if (!acknowledged) return 0;
        ++in_flight_;
        if (free_.empty()) {
            due_.push_back(due);
            return static_cast<std::uint16_t>(due_.size());
        }
        const auto id = free_.back();
        free_.pop_back();
        due_[id - 1U] = due;
        return id;
    }
    // When it was due; nobody: no message is under way with this id.
    [[nodiscard]] steady::time_point acknowledged(std::uint16_t id) {
        if (id == 0 || id > due_.size() || due_[id - 1U] == nobody) return nobody;
        --in_flight_;
        free_.push_back(id);
        return std::exchange(due_[id - 1U], nobody);
    }
    // Asked once a second: if nothing has moved since, what is under way is given up, and the window opens again. True: it was.
    bool give_up_stalled(const options& o) {
        const auto moved = received_->load(std::memory_order_relaxed) + sent_;
        const bool stalled = moved == moved_before_ && o.rate == 0 && o.receivers() != 0 && under_way(o.receivers()) >= o.window * o.receivers();
        moved_before_ = moved;
        if (stalled) given_up_ += under_way(o.receivers());
        return stalled;
    }

    static constexpr steady::time_point nobody = steady::time_point::min();

private:
    static constexpr std::size_t backlog_max = 256 * 1024;
    static constexpr std::size_t ids_max = 65'535;

    [[nodiscard]] std::uint64_t under_way(std::size_t receivers) const {
        const auto there = received_->load(std::memory_order_relaxed) + given_up_;
        const auto all = std::uint64_t{sent_} * receivers;
        return all > there ? all - there : 0;
    }

    client* client_;
    std::uint32_t number_;
    const std::atomic<std::uint64_t>* received_;
    std::uint32_t sent_ = 0;
    std::uint64_t owed_ = 0;     // due and not sent
    std::uint64_t given_up_ = 0; // deliveries
    std::uint64_t moved_before_ = 0;
    std::size_t in_flight_ = 0;
    std::vector<steady::time_point> due_{}; // by id, from 1
    std::vector<std::uint16_t> free_{};
};

} // namespace broker::cli::bench
