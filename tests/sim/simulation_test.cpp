// The simulation's seeds, and tests of the simulation itself: it must notice what it exists to notice.
//   BROKER_SIM_FIRST, BROKER_SIM_SEEDS   which seeds (./dev sim)
//   BROKER_SIM_SEED                      one seed
//   BROKER_SIM_FAILURES                  how many seeds may fail before it stops
//   BROKER_SIM_PRINT                     what happens, line by line
#include "sim/world.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <sys/wait.h>
#include <unistd.h>

using namespace broker::sim;

namespace {

#ifdef BROKER_SIM_SEEDS_DEFAULT
constexpr std::uint64_t seeds_by_default = BROKER_SIM_SEEDS_DEFAULT;
#else
constexpr std::uint64_t seeds_by_default = 5000;
#endif

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
    const char* const text = std::getenv(name);
    return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

std::string how_to_rerun(std::uint64_t seed) {
    return fmt::format("seed {}: again with BROKER_SIM_SEED={} BROKER_SIM_PRINT=1 build/release/tests/sim_test", seed, seed);
}

// A failed assertion ends the process: the seed must be known then too.
std::string last_words;
void on_abort(int) {
    (void)!write(STDERR_FILENO, last_words.data(), last_words.size());
}

outcome run(plan p) {
    last_words = how_to_rerun(p.seed) + '\n';
    return simulate(p);
}

// Within a minute, by one of the seeds at which nothing is wrong without the fault. Faults of markers lead to memory
// that is used after it was freed: a process of its own that does not end well has noticed too.
bool is_noticed(plan p) {
    const auto child = fork();
    REQUIRE(child != -1);
    if (child != 0) {
        int status = 0;
        REQUIRE(waitpid(child, &status, 0) == child);
        return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    }
    close(STDERR_FILENO); // what a sanitizer says of it
    const auto until = std::chrono::steady_clock::now() + std::chrono::minutes{1};
    for (p.seed = 1; p.seed <= 500 && std::chrono::steady_clock::now() < until; ++p.seed) {
        if (!run(p).problems.empty()) _exit(1);
    }
    _exit(0);
}

} // namespace

TEST_CASE("what was promised holds, whatever the order of events") {
    std::signal(SIGABRT, on_abort);
    auto first = from_environment("BROKER_SIM_FIRST", 1);
    auto count = from_environment("BROKER_SIM_SEEDS", seeds_by_default);
    if (const auto one = from_environment("BROKER_SIM_SEED", 0); one != 0) {
        first = one;
        count = 1;
    }
    const bool print = std::getenv("BROKER_SIM_PRINT") != nullptr;
    const auto failures_max = from_environment("BROKER_SIM_FAILURES", 5);
    std::size_t failed = 0;
    tally happened;
    for (auto seed = first; seed != first + count && failed < failures_max; ++seed) {
        const auto seen = run({.seed = seed, .print = print});
        happened.add(seen.happened);
        for (const auto& what : seen.problems) FAIL_CHECK(how_to_rerun(seed), "\n  ", what);
        if (!seen.problems.empty()) ++failed;
    }
    std::string what_came_to_pass = fmt::format("{} seeds from {}:", count, first);
    for (std::size_t i = 0; i != events; ++i) {
        what_came_to_pass += fmt::format("\n  {:>9} {}", happened.of(static_cast<event>(i)), event_names[i]);
    }
    MESSAGE(what_came_to_pass);
    CHECK(failed == 0);
    if (count < 200 || failed != 0) return;
    // What does not happen is not tested: each of these at least once in two hundred runs.
    for (std::size_t i = 0; i != events; ++i) {
        CAPTURE(event_names[i]);
        CHECK(happened.of(static_cast<event>(i)) >= count / 200);
    }
}

TEST_CASE("a seed is the whole run") {
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        const auto once = run({.seed = seed});
        // Whatever depends on addresses would differ now.
        std::vector<std::unique_ptr<char[]>> elsewhere;
        for (std::size_t i = 0; i != 200; ++i) elsewhere.push_back(std::make_unique<char[]>(16 + i * seed % 900));
        for (std::size_t i = 0; i < elsewhere.size(); i += 2) elsewhere[i].reset();
        CAPTURE(seed);
        CHECK(run({.seed = seed}).trace == once.trace);
    }
}

TEST_CASE("it notices nothing where nothing is wrong") {
    CHECK_FALSE(is_noticed({}));
}

TEST_CASE("it notices an acknowledgement that does not wait for the disk") {
    CHECK(is_noticed({.faults = {.acknowledge_before_write = true}}));
}

TEST_CASE("it notices a disk that says it has synced and has not") {
    CHECK(is_noticed({.ignore_syncs = true}));
}

TEST_CASE("it notices a marker that is answered ahead of the mail before it") {
    CHECK(is_noticed({.faults = {.answer_markers_at_once = true}}));
}

TEST_CASE("it notices a session that moves without waiting for one of the shards") {
    CHECK(is_noticed({.faults = {.skip_marker_of_move = true}}));
}

TEST_CASE("it notices a marker of a move that gets lost") {
    CHECK(is_noticed({.faults = {.lose_marker_of_move = true}}));
}
