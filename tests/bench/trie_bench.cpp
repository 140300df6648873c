// The topic trie with 10^3 to 10^5 filters: exact ones, +, ++ and a trailing #, over one tree of topics.
#include "routing/topic_trie.hpp"

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace {

using namespace broker;

constexpr std::size_t branches = 32;

std::string filter_text(std::size_t n) {
    const auto site = fmt::format("s{}", n % branches);
    const auto device = fmt::format("d{}", n / branches % branches);
    switch (n % 10) {
    case 6: return fmt::format("+/{}/x{}", device, n);
    case 7: return fmt::format("{}/+/x{}", site, n);
    case 8: return fmt::format("{}/{}/x{}/#", site, device, n);
    case 9: return fmt::format("+/+/x{}", n);
    default: return fmt::format("{}/{}/x{}", site, device, n);
    }
}

topic_filter filter_of(const std::string& text) {
    static const limits bounds;
    const auto parsed = topic_filter::parse(text, bounds);
    if (!parsed) std::abort();
    return *parsed;
}

struct filled {
    explicit filled(std::size_t size) {
        for (std::size_t n = 0; n != size; ++n) (void)trie.insert(filter_of(filter_text(n)), holders[n % holders.size()], {});
    }
    std::vector<slot> holders = std::vector<slot>(50);
    topic_trie trie{1};
};

filled& trie_of(std::size_t size) { // made once
    static std::map<std::size_t, std::unique_ptr<filled>> made;
    auto& one = made[size];
    if (!one) one = std::make_unique<filled>(size);
    return *one;
}

// Topics of which each has one subscriber or a few.
void trie_match(benchmark::State& state) {
    const auto size = static_cast<std::size_t>(state.range(0));
    auto& with = trie_of(size);
    std::vector<std::string> topics;
    for (std::size_t i = 0; i != 64; ++i) {
        const auto n = i * 10 % size;
        topics.push_back(fmt::format("s{}/d{}/x{}", n % branches, n / branches % branches, n));
    }
    match_set found;
    std::size_t next = 0;
    for (auto _ : state) {
        found.clear();
        with.trie.match(shard_index{0}, topics[next++ % topics.size()], found);
        if (found.found.empty()) std::abort();
    }
}
BENCHMARK(trie_match)->Arg(1'000)->Arg(10'000)->Arg(100'000);

// Topics that many filters lead towards and none matches.
void trie_match_nothing(benchmark::State& state) {
    auto& with = trie_of(static_cast<std::size_t>(state.range(0)));
    std::vector<std::string> topics;
    for (std::size_t i = 0; i != 64; ++i) topics.push_back(fmt::format("s{}/d{}/nobody", i % branches, i / 2 % branches));
    match_set found;
    std::size_t next = 0;
    for (auto _ : state) {
        found.clear();
        with.trie.match(shard_index{0}, topics[next++ % topics.size()], found);
        if (!found.found.empty()) std::abort();
    }
}
BENCHMARK(trie_match_nothing)->Arg(1'000)->Arg(100'000);

void trie_insert_and_erase(benchmark::State& state) {
    auto& with = trie_of(static_cast<std::size_t>(state.range(0)));
    std::vector<topic_filter> filters;
    for (std::size_t i = 0; i != 64; ++i) filters.push_back(filter_of(filter_text(1'000'000 + i)));
    slot holder;
    std::size_t next = 0;
    for (auto _ : state) {
        const auto& filter = filters[next++ % filters.size()];
        (void)with.trie.insert(filter, holder, {});
        (void)with.trie.erase(filter, holder);
    }
}
BENCHMARK(trie_insert_and_erase)->Arg(1'000)->Arg(10'000)->Arg(100'000);

} // namespace
