// check: brokerctl verify-durability. Starts brokerd in a directory of its own on the disk that is asked about, kills it at random
// instants under load, starts it again, and compares what was acknowledged with what is there.
#pragma once

#include <cstdint>
#include <string>

namespace broker::cli::durability {

struct check_options {
    std::size_t cycles = 10;
    std::string directory{};  // where it may write; a folder of its own is made in it and removed
    std::string brokerd{};    // the program
    std::string mode = "sync"; // durability.default
    std::uint64_t seed = 0;   // 0: any
    bool power_cuts = false;  // instead of kills; see disk_image.hpp
    bool as_json = false;
};

// Prints what it does to standard error and the result to standard output. 0: every promise was kept; 2: not; 1: it could not run.
[[nodiscard]] int check(check_options with);

} // namespace broker::cli::durability
