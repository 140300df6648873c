#include "core/outbox.hpp"

#include <doctest/doctest.h>

#include <array>
#include <string>

using namespace broker;

namespace {

std::string drain(outbox& out, std::size_t step) {
    std::string all;
    std::array<byte_view, 8> views;
    while (!out.empty()) {
        const auto n = out.gather(views);
        REQUIRE(n > 0);
        const auto take = std::min(step, views[0].size());
        all += as_text(views[0].first(take));
        out.consume(take);
    }
    return all;
}

} // namespace

TEST_CASE("what goes in comes out, in order, whatever the pieces") {
    for (const std::size_t step : {std::size_t{1}, std::size_t{7}, std::size_t{4096}, std::size_t{100'000}}) {
        block_pool pool;
        outbox out{pool, 1000};
        std::string expected;
        const std::string large(20'000, 'L');
        const auto m = make_message({.topic = "t", .payload = as_bytes(large)});
        for (int i = 0; i != 50; ++i) {
            const std::string packet(static_cast<std::size_t>(i * 37 % 900), static_cast<char>('a' + i % 26));
            out.append(as_bytes(packet));
            expected += packet;
            if (i % 10 == 0) {
                out.append(as_bytes("<"), m, as_bytes(">"));
                expected += "<" + large + ">";
            }
        }
        CHECK(out.bytes() == expected.size());
        CHECK(out.over_limit());
        CHECK(drain(out, step) == expected);
    }
}

TEST_CASE("a large payload is not copied") {
    block_pool pool;
    outbox out{pool, 1000};
    const std::string large(10'000, 'x');
    const auto m = make_message({.topic = "t", .payload = as_bytes(large)});
    out.append(as_bytes("h"), m, {});
    std::array<byte_view, 4> views;
    REQUIRE(out.gather(views) == 2);
    CHECK(views[1].data() == m->payload().data());
}

TEST_CASE("the listener hears once per turn") {
    struct ear : outbox_listener {
        int heard = 0;
        void on_output() override { ++heard; }
    } listener;
    block_pool pool;
    outbox out{pool, 1000};
    out.tell(&listener);
    out.append(as_bytes("a"));
    out.append(as_bytes("b"));
    CHECK(listener.heard == 1);
    out.end_turn();
    out.touch();
    CHECK(listener.heard == 2);
}

TEST_CASE("packets are counted, whatever their size; raw bytes are none") {
    block_pool pool;
    outbox out{pool, 1000};
    const std::string large(20'000, 'L');
    out.append(as_bytes("a"));
    out.append(as_bytes("<"), make_message({.topic = "t", .payload = as_bytes("small")}), as_bytes(">"));
    out.append(as_bytes("<"), make_message({.topic = "t", .payload = as_bytes(large)}), as_bytes(">"));
    out.append_raw(as_bytes("raw"));
    CHECK(out.take_packets() == 3);
    CHECK(out.take_packets() == 0);
}

TEST_CASE("blocks that are not needed any more are freed, those that are stay") {
    block_pool pool;
    std::vector<block_pool::block> out;
    for (int i = 0; i != 10; ++i) out.push_back(pool.take());
    for (auto& b : out) pool.give_back(std::move(b));
    CHECK(pool.spare() == 10);
    pool.trim(); // all were needed since they are there
    CHECK(pool.spare() == 10);
    auto one = pool.take();
    auto two = pool.take();
    pool.give_back(std::move(one));
    pool.give_back(std::move(two));
    pool.trim();
    CHECK(pool.spare() == 2);
    pool.trim();
    CHECK(pool.spare() == 0);
    pool.give_back(pool.take());
    CHECK(pool.spare() == 1);
    pool.trim();
    pool.trim();
    CHECK(pool.spare() == 0);
}
