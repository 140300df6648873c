// Who may have how many descriptors.
#include "descriptors.hpp"

#include <doctest/doctest.h>

using namespace broker;

TEST_CASE("whatever the limit, the parts are no more than it, and the store has what it needs") {
    for (std::size_t limit = 0; limit < 5000; limit += 7) {
        const auto d = divide_descriptors(limit, 4, 3);
        CHECK(d.limit == limit);
        CHECK(d.store_files >= 48);
        CHECK(d.store_files <= 512);
        CHECK(d.admin >= 4);
        if (d.connections != 0) CHECK(d.ours + d.connections == limit);
        if (d.connections == 0) CHECK(d.ours >= limit);
        CHECK(d.ours > d.store_files + 2 * d.admin + 4 * 3);
    }
}

TEST_CASE("with many files nearly all of them are for connections") {
    const auto d = divide_descriptors(1 << 20, 2, 4);
    CHECK(d.connections > (1 << 20) - 1000);
    CHECK(d.store_files == 512);
}

TEST_CASE("what holds is raised to what may be had") {
    const auto limit = raise_descriptor_limit();
    CHECK(limit > 16);
    CHECK(raise_descriptor_limit() == limit);
}
