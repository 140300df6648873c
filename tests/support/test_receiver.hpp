// test_receiver: a subscriber that writes down what it is told, for tests of the middle without a protocol.
#pragma once

#include "support/test_node.hpp"

#include <doctest/doctest.h>

namespace broker::test {

struct test_receiver final : subscriber {
    std::vector<std::string> got;        // payloads; "*" behind what is marked as redelivered
    std::vector<std::uint16_t> handles;  // of QoS > 0 deliveries
    std::vector<std::uint16_t> released; // told again
    std::string evicted;
    session* mine = nullptr;
    bool present = false;
    bool room = true;

    [[nodiscard]] bool has_room() const override { return room; }
    void deliver(const delivery& d, time_point) override {
        got.push_back(std::string{as_text(d.message->payload())} + (d.redelivered ? "*" : ""));
        if (d.handle != 0) handles.push_back(d.handle);
    }
    void release(std::uint16_t handle, time_point) override { released.push_back(handle); }
    void on_session(session& claimed, bool existed, time_point) override {
        mine = &claimed;
        present = existed;
    }
    void evict(const close_reason& why, time_point) override {
        evicted = token(why.cause);
        mine = nullptr;
    }

    // Connects as `id`, and lets what waits come.
    void claim(test_node& node, std::string_view id, std::size_t shard = 0, attachment with = {.window = 10, .expiry = seconds{100}},
               bool clean = false) {
        with.who = this;
        const auto c = node.shard(shard).sessions().claim(id, clean, std::move(with), node.now());
        REQUIRE_FALSE(c.refused);
        if (c.now != nullptr) on_session(*c.now, c.present, node.now());
        node.settle();
        REQUIRE(mine != nullptr);
        mine->resume(node.now());
        node.settle();
    }
    void subscribe(test_node& node, std::string_view filter, std::size_t shard = 0, qos most = qos::exactly_once) {
        const auto parsed = topic_filter::parse(filter, node.bounds());
        REQUIRE(parsed);
        CHECK(node.shard(shard).route().subscribe(*mine, *parsed, {.maximum_qos = most}, node.now()).refused == refusal::none);
        node.settle();
    }
    void leave(test_node& node, std::size_t shard = 0) {
        node.shard(shard).sessions().detach(*std::exchange(mine, nullptr), true, node.now());
        node.settle();
    }
    bool settle(test_node& node, std::uint16_t handle, settlement how = settlement::accepted) {
        const bool known = mine->settle(handle, how, node.now()).has_value();
        node.settle();
        return known;
    }
    [[nodiscard]] std::vector<std::string> take() { return std::exchange(got, {}); }
};

inline void publish(test_node& node, std::string_view topic, std::string_view payload, qos level = qos::at_least_once,
                    std::size_t shard = 0) {
    (void)node.shard(shard).route().publish(
        make_message({.topic = topic, .payload = as_bytes(payload), .level = level, .received_at = node.now()}), node.now());
    node.settle();
}

[[nodiscard]] inline std::size_t rows(test_node& node, storage::column in) {
    std::size_t n = 0;
    CHECK(node.disk().scan(in, "", "", [&](std::string_view, std::string_view) {
        ++n;
        return true;
    }));
    return n;
}

// The first `count` rows of the column are unreadable from now on.
inline void damage(test_node& node, storage::column in, std::size_t count) {
    std::vector<std::string> keys;
    CHECK(node.disk().scan(in, "", "", [&](std::string_view key, std::string_view) {
        keys.emplace_back(key);
        return keys.size() != count;
    }));
    REQUIRE(keys.size() == count);
    for (const auto& key : keys) node.disk().corrupt(in, key, "not what was written");
}

using words = std::vector<std::string>;

} // namespace broker::test

namespace doctest {
template <>
struct StringMaker<std::vector<std::string>> {
    static String convert(const std::vector<std::string>& all) {
        std::string text;
        for (const auto& one : all) text += one + ' ';
        return text.c_str();
    }
};
} // namespace doctest

namespace broker::test {

} // namespace broker::test
