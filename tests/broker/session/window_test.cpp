// The window of unanswered deliveries: like a plain list in what it holds, unlike it in the steps that takes.
#include "session/window.hpp"

#include <doctest/doctest.h>

#include <list>
#include <random>
#include <vector>

using namespace broker;

namespace {

std::uint64_t steps = 0; // handles read or written, entries moved

struct counting_handle {
    std::uint16_t value = 0;
    operator std::uint16_t() const { // NOLINT(google-explicit-constructor): read like a handle
        ++steps;
        return value;
    }
};

struct counted {
    counted() = default;
    explicit counted(std::uint16_t h, int w = 0) : handle{h}, what{w} {}
    counted(counted&& other) noexcept : handle{other.handle}, what{other.what} { ++steps; }
    counted& operator=(counted&& other) noexcept {
        handle = other.handle;
        what = other.what;
        ++steps;
        return *this;
    }
    counting_handle handle{};
    int what = 0;
};

using counted_window = window<counted>;

std::uint16_t next_free(const counted_window& w, std::uint16_t last) {
    do {
        last = handle_after(last);
    } while (w.find(last) != nullptr);
    return last;
}

counted_window full(std::size_t size, std::uint16_t& last) {
    counted_window w;
    for (std::size_t i = 0; i != size; ++i) {
        last = next_free(w, last);
        w.push_back(counted{last});
    }
    return w;
}

// Steps per message, of a receiver that has `size` messages and answers them in some order, each followed by a new one.
enum class answers : std::uint8_t { in_order, backwards, at_random, all_but_the_first };
double steps_per_message(std::size_t size, answers how) {
    std::uint16_t last = 0;
    auto w = full(size, last);
    std::mt19937 random{7}; // NOLINT: the same every time
    std::vector<std::uint16_t> waiting;
    for (auto p = w.begin(); p != w.end(); ++p) waiting.push_back(w.at(p)->handle.value);
    const std::size_t messages = 2 * size;
    steps = 0;
    for (std::size_t i = 0; i != messages; ++i) {
        std::size_t chosen = 0;
        switch (how) {
        case answers::in_order: chosen = i % size; break;
        case answers::backwards: chosen = size - 1 - i % size; break;
        case answers::at_random: chosen = random() % size; break;
        case answers::all_but_the_first: chosen = 1 + i % (size - 1); break;
        }
        auto* const answered = w.find(waiting[chosen]);
        REQUIRE(answered != nullptr);
        (void)w.take(*answered);
        last = next_free(w, last);
        w.push_back(counted{last});
        waiting[chosen] = last;
    }
    REQUIRE(w.size() == size);
    return static_cast<double>(steps) / static_cast<double>(messages);
}

} // namespace

TEST_CASE("an answer and the next handle take as many steps in a large window as in a small one") {
    for (const auto how : {answers::in_order, answers::backwards, answers::at_random, answers::all_but_the_first}) {
        CAPTURE(static_cast<int>(how));
        const auto small = steps_per_message(64, how);
        const auto large = steps_per_message(32'768, how);
        const auto largest = steps_per_message(window_max, how);
        CAPTURE(small);
        CAPTURE(large);
        CAPTURE(largest);
        CHECK(small < 40);
        CHECK(large < 40);
        CHECK(largest < 120); // of 16 handles one is free
    }
}

TEST_CASE("a window holds what a list would, in its order") {
    for (const unsigned seed : {1U, 2U, 3U, 4U, 5U, 6U}) {
        CAPTURE(seed);
        std::mt19937 random{seed};
        window<counted> w;
        std::list<std::pair<std::uint16_t, int>> plain;
        auto last = static_cast<std::uint16_t>(seed % 2 == 0 ? 65'500 : 0); // so that handles begin anew
        for (int i = 0; i != 4'000; ++i) {
            const auto what = random() % 100;
            const bool growing = i % 1'000 < 500;
            if (what < (growing ? 60U : 35U)) {
                // Mostly the next one; sometimes, as after a restart, any.
                do {
                    last = random() % 50 == 0 ? static_cast<std::uint16_t>(1 + random() % 65'535) : handle_after(last);
                } while (w.find(last) != nullptr);
                w.push_back(counted{last, i});
                plain.emplace_back(last, i);
            } else if (what < 95 && !plain.empty()) {
                const auto it = std::next(plain.begin(), static_cast<std::ptrdiff_t>(random() % plain.size() / (1 + random() % 4)));
                auto* const found = w.find(it->first);
                REQUIRE(found != nullptr);
                CHECK(w.take(*found).what == it->second);
                CHECK(w.find(it->first) == nullptr);
                plain.erase(it);
            } else if (what == 99) {
                w.erase_if([](const counted& e) { return e.what % 5 == 0; });
                std::erase_if(plain, [](const auto& e) { return e.second % 5 == 0; });
            }
            REQUIRE(w.size() == plain.size());
            if (!plain.empty()) CHECK(w.front().what == plain.front().second);
            std::vector<int> got;
            std::vector<int> expected;
            std::vector<int> found;
            w.for_each([&](const counted& e) { got.push_back(e.what); });
            for (const auto& [handle, value] : plain) {
                expected.push_back(value);
                if (const auto* const e = w.find(handle)) found.push_back(e->what);
            }
            REQUIRE(got == expected);
            REQUIRE(found == expected);
            REQUIRE(w.find(0) == nullptr);
        }
    }
}

TEST_CASE("places stay what they are while something is answered, and grow when gaps are closed") {
    std::uint16_t last = 0;
    auto w = full(40, last);
    (void)w.take(*w.find(1));
    (void)w.take(*w.find(5));
    CHECK(w.begin() == 1);
    CHECK(w.at(4) == nullptr);
    CHECK(w.at(9)->handle == 10);
    w.erase_if([](const counted&) { return false; });
    CHECK(w.begin() == 2);
    CHECK(w.at(9)->handle == 10); // behind the gap
    CHECK(w.at(4)->handle == 4);  // before it
}
