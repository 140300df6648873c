// workload: what one kind of client asks of the broker while it is killed, and what it was promised. Each runs on threads of its
// own, one that publishes and one that receives, until the connection ends; numbers go up through all cycles.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace broker::cli::durability {

struct ports {
    std::uint16_t mqtt = 0;
    std::uint16_t stomp = 0;
};

struct verdict {
    std::string promise{};
    std::uint64_t acknowledged = 0;
    std::uint64_t lost = 0;         // acknowledged, and did not come
    std::uint64_t doubled = 0;      // came again though it must not
    std::uint64_t out_of_order = 0;
    std::string trouble{};          // what was wrong first, in words; also a session that was forgotten
    [[nodiscard]] bool kept() const { return lost == 0 && doubled == 0 && out_of_order == 0 && trouble.empty(); }
};

class workload {
public:
    virtual ~workload() = default;
    // Before anything is killed: sessions and subscriptions that must survive. False: the broker does not answer.
    [[nodiscard]] virtual bool prepare(const ports& at) = 0;
    virtual void publish(const ports& at, const std::atomic<bool>& stop) = 0;
    virtual void receive(const ports& at, const std::atomic<bool>& stop) = 0;
    // At the end, with nobody publishing: receives until all that is owed has come, or nothing comes any more.
    virtual void drain(const ports& at) = 0;
    [[nodiscard]] virtual verdict judge() const = 0;
};

[[nodiscard]] std::vector<std::unique_ptr<workload>> all_workloads();

} // namespace broker::cli::durability
