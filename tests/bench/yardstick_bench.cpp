// What no change of the project makes faster or slower: by it compare.py tells the machine's speed at the moment from the code's.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <unordered_map>
#include <vector>

namespace {

// Hashing, branches, pointers and a copy, as in a broker's turn.
void yardstick(benchmark::State& state) {
    std::unordered_map<std::string, std::size_t> sizes;
    std::vector<std::string> names;
    for (std::size_t i = 0; i != 1'000; ++i) {
        names.push_back("site/" + std::to_string(i * 7'919) + "/device");
        sizes[names.back()] = 64 + i % 128;
    }
    const std::vector<char> from(256, '.');
    std::vector<char> to(256);
    std::size_t next = 0;
    for (auto _ : state) {
        const auto found = sizes.find(names[next++ % names.size()]);
        if (found == sizes.end()) std::abort();
        std::memcpy(to.data(), from.data(), found->second);
        benchmark::ClobberMemory();
    }
}
BENCHMARK(yardstick);

} // namespace
