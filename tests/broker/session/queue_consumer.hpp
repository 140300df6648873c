// A consumer of a queue, for tests without a protocol.
#pragma once

#include "routing/queue_router.hpp"
#include "support/test_receiver.hpp"

#include "core/properties.hpp"

namespace broker::test {

class consumer {
public:
    consumer(test_node& node, const char* id, std::uint16_t window = 10, std::string_view queue = "$queue/q",
             std::size_t shard = 0)
        : node_{node}, shard_{shard} {
        who_.claim(node, id, shard, {.window = window});
        who_.subscribe(node, queue, shard);
    }
    [[nodiscard]] words take() { return who_.take(); }
    // To the i-th message it got.
    bool answer(std::size_t i, settlement how) { return who_.settle(node_, who_.handles[i], how); }
    bool answer_all(settlement how = settlement::accepted) {
        bool all = true;
        for (const auto h : std::exchange(who_.handles, {})) all &= who_.settle(node_, h, how);
        return all;
    }
    void go() { who_.leave(node_, shard_); }
    [[nodiscard]] test_receiver& receiver() { return who_; }

private:
    test_node& node_;
    std::size_t shard_;
    test_receiver who_;
};

using property = std::pair<std::string, std::string>;

inline refusal offer(test_node& node, std::string_view queue, std::string_view payload, std::vector<property> with = {},
                     time_point expires = never, std::size_t shard = 0) {
    std::string properties;
    for (const auto& [name, value] : with) {
        CHECK(append_property(properties, {.kind = property_kind::user_property, .name = name, .value = value}));
    }
    const auto topic = std::string{queue_prefix} + std::string{queue};
    const auto done = node.shard(shard).route().publish(make_message({.topic = topic,
                                                                      .properties = as_bytes(properties),
                                                                      .payload = as_bytes(payload),
                                                                      .level = qos::at_least_once,
                                                                      .received_at = node.now(),
                                                                      .expires_at = expires}),
                                                        node.now());
    node.settle();
    return done.refused;
}

inline queue_slot& slot_of(test_node& node, std::string_view name) {
    auto* const q = node.shard().shared().queues.find(name);
    REQUIRE(q != nullptr);
    return *q;
}

inline void declare(test_node& node, std::string_view name, const queue_settings& with) {
    auto* const q = node.shard().desk().queues().find_or_create(name);
    REQUIRE(q != nullptr);
    CHECK_FALSE(node.shard().shared().queues.declare(*q, with, queue_table::origin::administrator).has_value());
    node.settle();
}

// What a look at the queue shows, page by page.
struct looker final : browser {
    words seen;
    std::vector<std::string> properties; // "name=value" of the dead letters' user properties
    std::size_t pages = 0;
    bool ended = false;
    void on_page(std::span<const browsed> page, bool end, time_point) override {
        ++pages;
        ended = end;
        for (const auto& b : page) {
            seen.push_back(std::string{as_text(b.message->payload())} + std::string(b.redelivery_count, '*'));
            property_reader reader{b.message->properties()};
            while (const auto p = reader.next()) {
                if (p->name.starts_with(dlq_prefix)) properties.push_back(std::string{p->name} + "=" + std::string{p->value});
            }
        }
    }
};

inline looker look(test_node& node, std::string_view queue, std::size_t shard = 0) {
    looker by;
    const auto cursor = node.shard(shard).route().browse(queue, by);
    node.settle();
    while (cursor != 0 && !by.ended) {
        node.shard(shard).route().next_page(cursor);
        node.settle();
    }
    return by;
}

} // namespace broker::test
