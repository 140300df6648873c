// report: what a run found, as text or as one JSON document (docs/brokerctl.md has its fields).
#pragma once

#include "cli/bench/options.hpp"
#include "cli/bench/worker.hpp"

#include <boost/json/object.hpp>

#include <chrono>
#include <cstdint>
#include <string>

namespace broker::cli::bench {

struct totals {
    std::uint64_t opened = 0;
    std::uint64_t failed = 0;
    std::uint64_t ended = 0;
    std::uint64_t sent = 0;
    std::uint64_t delivered = 0;
    std::uint64_t acknowledged = 0;
    std::uint64_t unconfirmed = 0;
};

struct report {
    std::chrono::duration<double> opening{};
    std::chrono::duration<double> running{};
    bool interrupted = false;
    totals in_time{}; // when the time was over
    totals all{};     // when what was under way had come, or nothing came any more
    figures found{};  // of all workers
};

[[nodiscard]] boost::json::object document(const options& o, const report& r);
[[nodiscard]] std::string text(const options& o, const report& r); // for people

} // namespace broker::cli::bench
