// The window of what a receiver has not answered, and what waits behind it.
#include "support/test_receiver.hpp"

using namespace broker;
using namespace broker::test;

TEST_CASE("[MQTT-3.3.4-9] no more is handed over than the window; an answer lets the next one go, in order") {
    test_node node;
    test_receiver r;
    r.claim(node, "r", 0, {.window = 2, .expiry = seconds{100}});
    r.subscribe(node, "t");
    for (const auto* const m : {"1", "2", "3", "4"}) publish(node, "t", m);
    CHECK(r.take() == words{"1", "2"});
    CHECK(r.mine->outstanding() == 2);
    CHECK(r.mine->waiting() == 2);
    CHECK(r.settle(node, r.handles[1])); // out of turn is fine
    CHECK(r.take() == words{"3"});
    CHECK(r.settle(node, r.handles[0]));
    CHECK(r.take() == words{"4"});
    CHECK_FALSE(r.settle(node, r.handles[0])); // settled before
    CHECK_FALSE(r.settle(node, 999));
}

TEST_CASE("handles count up from 1") {
    test_node node;
    test_receiver r;
    r.claim(node, "r");
    r.subscribe(node, "t");
    for (const auto* const m : {"1", "2", "3"}) publish(node, "t", m);
    CHECK(r.handles == std::vector<std::uint16_t>{1, 2, 3});
}

TEST_CASE("a receiver without room gets nothing at QoS > 0 until it has") {
    test_node node;
    test_receiver r;
    r.claim(node, "r");
    r.subscribe(node, "t");
    r.room = false;
    publish(node, "t", "waits");
    CHECK(r.take().empty());
    r.room = true;
    r.mine->pump(node.now());
    CHECK(r.take() == words{"waits"});
}

TEST_CASE("[MQTT-4.4.0-1] after a reconnect first what was outstanding, marked, in its order, then what waited") {
    test_node node;
    test_receiver first;
    first.claim(node, "r", 0, {.window = 2, .expiry = seconds{100}});
    first.subscribe(node, "t");
    for (const auto* const m : {"1", "2", "3"}) publish(node, "t", m);
    first.leave(node);
    publish(node, "t", "4");
    test_receiver again;
    again.claim(node, "r");
    CHECK(again.present);
    CHECK(again.take() == words{"1*", "2*", "3", "4"});
}

TEST_CASE("[MQTT-4.3.3] QoS 2: what was received before the connection broke is released, not sent again") {
    test_node node;
    test_receiver first;
    first.claim(node, "r");
    first.subscribe(node, "t");
    publish(node, "t", "once", qos::exactly_once);
    REQUIRE(first.take() == words{"once"});
    CHECK(first.mine->received(first.handles[0], node.now()).has_value());
    CHECK_FALSE(first.mine->received(999, node.now()).has_value());
    node.settle();
    const auto handle = first.handles[0];
    first.leave(node);
    for (const bool crashed : {false, true}) {
        if (crashed) node.crash_and_recover();
        test_receiver again;
        again.claim(node, "r");
        CHECK(again.take().empty());
        CHECK(again.released == std::vector<std::uint16_t>{handle});
        again.leave(node);
    }
    test_receiver last;
    last.claim(node, "r");
    CHECK(last.settle(node, handle));
    CHECK(rows(node, storage::column::entries) == 0);
    CHECK(rows(node, storage::column::outbound_qos2) == 0);
}

TEST_CASE("what is settled leaves the disk; what several had leaves it with the last") {
    test_node node;
    test_receiver a;
    test_receiver b;
    a.claim(node, "a");
    b.claim(node, "b");
    a.subscribe(node, "t");
    b.subscribe(node, "t");
    publish(node, "t", "m");
    CHECK(rows(node, storage::column::entries) == 2);
    CHECK(rows(node, storage::column::messages) == 1);
    CHECK(a.settle(node, a.handles[0]));
    CHECK(rows(node, storage::column::messages) == 1);
    CHECK(b.settle(node, b.handles[0]));
    CHECK(rows(node, storage::column::entries) == 0);
    CHECK(rows(node, storage::column::messages) == 0);
}

TEST_CASE("a QoS 2 packet id is remembered over a crash and forgotten on release") {
    test_node node;
    test_receiver r;
    r.claim(node, "r");
    r.mine->remember(packet_id{5});
    node.settle();
    node.crash_and_recover();
    test_receiver again;
    again.claim(node, "r");
    CHECK(again.mine->remembers(packet_id{5}));
    CHECK_FALSE(again.mine->forget(packet_id{6}).has_value());
    CHECK(again.mine->forget(packet_id{5}).has_value());
    node.settle();
    node.crash_and_recover();
    test_receiver last;
    last.claim(node, "r");
    CHECK_FALSE(last.mine->remembers(packet_id{5}));
}

TEST_CASE("limits.session.messages: the oldest makes room, is counted, and leaves the disk") {
    limits bounds;
    bounds.session_queue_messages_max = 3;
    test_node node{1, bounds};
    test_receiver r;
    r.claim(node, "r");
    r.subscribe(node, "t");
    r.leave(node);
    for (const auto* const m : {"1", "2", "3", "4", "5"}) publish(node, "t", m);
    CHECK(node.shard().route().count().messages_dropped[static_cast<std::size_t>(drop_reason::queue_full)] == 2);
    CHECK(rows(node, storage::column::entries) == 3);
    test_receiver again;
    again.claim(node, "r");
    CHECK(again.take() == words{"3", "4", "5"});
}

TEST_CASE("limits.session.memory_messages, limits.session.memory_bytes: what is more waits on disk and comes in order") {
    for (const bool count : {true, false}) {
        limits bounds;
        (count ? bounds.session_memory_messages_max : bounds.session_memory_bytes_max) = count ? 4 : 1000;
        test_node node{1, bounds};
        test_receiver r;
        r.claim(node, "r", 0, {.window = 2, .expiry = seconds{100}});
        r.subscribe(node, "t");
        words sent;
        for (int i = 0; i != 50; ++i) {
            sent.push_back(std::to_string(i));
            publish(node, "t", sent.back());
        }
        words got;
        for (std::size_t next = 0; next != sent.size(); ++next) {
            for (auto& text : r.take()) got.push_back(std::move(text));
            REQUIRE(next < r.handles.size());
            CHECK(r.settle(node, r.handles[next]));
        }
        CHECK(got == sent);
        CHECK(rows(node, storage::column::entries) == 0);
    }
}

TEST_CASE("limits.session.messages: an offline session keeps the newest however many come, and a few in memory") {
    limits bounds;
    bounds.session_queue_messages_max = 100;
    test_node node{1, bounds};
    test_receiver r;
    r.claim(node, "r", 0, {.window = 1000, .expiry = seconds{100}});
    r.subscribe(node, "t");
    r.leave(node);
    words newest;
    for (int i = 0; i != 500; ++i) {
        publish(node, "t", std::to_string(i));
        CHECK(rows(node, storage::column::entries) <= 100);
        if (i >= 400) newest.push_back(std::to_string(i));
    }
    test_receiver again;
    again.claim(node, "r", 0, {.window = 1000, .expiry = seconds{100}});
    CHECK(again.take() == newest);
}

TEST_CASE("limits.session.bytes: an offline session keeps the newest that fit") {
    limits bounds;
    bounds.session_queue_bytes_max = 100'000;
    test_node node{1, bounds};
    test_receiver r;
    r.claim(node, "r", 0, {.window = 1000, .expiry = seconds{100}});
    r.subscribe(node, "t");
    r.leave(node);
    for (int i = 0; i != 500; ++i) publish(node, "t", std::string(1000, 'x') + std::to_string(i));
    test_receiver again;
    again.claim(node, "r", 0, {.window = 1000, .expiry = seconds{100}});
    const auto kept = again.take();
    CHECK(kept.size() > 80);
    CHECK(kept.size() <= 100);
    CHECK(kept.back().ends_with("x499"));
    CHECK(kept.front().ends_with("x" + std::to_string(500 - kept.size())));
}

TEST_CASE("what sessions are owed is counted: waiting, outstanding, moved, ended") {
    test_node node{2};
    const auto owed = [&] {
        counters sums;
        for (std::size_t i = 0; i != node.shards(); ++i) sums.add(node.shard(i).desk().count());
        return std::pair{sums.owed_messages, sums.owed_bytes};
    };
    test_receiver r;
    r.claim(node, "r", 0, {.window = 2, .expiry = seconds{100}});
    r.subscribe(node, "t");
    for (const auto* const m : {"1", "2", "3"}) publish(node, "t", m);
    const auto one = make_message({.topic = "t", .payload = as_bytes("1")})->footprint();
    CHECK(owed() == std::pair<counters::count, counters::count>{3, one});
    CHECK(r.settle(node, r.handles[0]));
    CHECK(owed().first == 2);
    r.leave(node);
    publish(node, "t", "4");
    CHECK(owed().first == 3);
    test_receiver moved; // to the other shard
    moved.claim(node, "r", 1);
    CHECK(owed().first == 3);
    for (int i = 0; i != 3; ++i) CHECK(moved.settle(node, moved.handles[static_cast<std::size_t>(i)]));
    CHECK(owed() == std::pair<counters::count, counters::count>{0, 0});
    for (const auto* const m : {"5", "6"}) publish(node, "t", m);
    CHECK(owed().first == 2);
    test_receiver clean;
    clean.claim(node, "r", 0, {.window = 2}, true);
    CHECK(owed() == std::pair<counters::count, counters::count>{0, 0});
}

TEST_CASE("limits.session.queue_policy = drop-new: what is there stays, on disk too") {
    limits bounds;
    bounds.session_queue_policy = "drop-new";
    bounds.session_queue_messages_max = 3;
    for (const bool online : {true, false}) {
        CAPTURE(online);
        test_node node{1, bounds};
        test_receiver r;
        r.claim(node, "r");
        r.subscribe(node, "t");
        r.room = false;
        if (!online) r.leave(node);
        for (const auto* const m : {"1", "2", "3", "4", "5"}) publish(node, "t", m);
        CHECK(node.shard().route().count().messages_dropped[static_cast<std::size_t>(drop_reason::queue_full)] == 2);
        CHECK(rows(node, storage::column::entries) == 3);
        if (online) r.leave(node);
        test_receiver again;
        again.claim(node, "r");
        CHECK(again.take() == words{"1", "2", "3"});
    }
}

TEST_CASE("limits.session.bytes with drop-new") {
    limits bounds;
    bounds.session_queue_policy = "drop-new";
    bounds.session_queue_bytes_max = 10'000;
    test_node node{1, bounds};
    test_receiver r;
    r.claim(node, "r");
    r.subscribe(node, "t");
    r.leave(node);
    for (int i = 0; i != 20; ++i) publish(node, "t", std::string(1000, static_cast<char>('a' + i)));
    test_receiver again;
    again.claim(node, "r");
    const auto kept = again.take();
    CHECK(kept.size() >= 8);
    CHECK(kept.size() <= 9);
    CHECK(kept.front().starts_with("a"));
}

TEST_CASE("a piece of the backlog that cannot be read at all is passed over, and what is behind it arrives") {
    test_node node;
    test_receiver r;
    r.claim(node, "r");
    r.subscribe(node, "t");
    r.leave(node);
    const auto unreadable = 2 * backlog::load_messages_max;
    for (std::size_t i = 0; i != unreadable + 2; ++i) publish(node, "t", std::to_string(i));
    damage(node, storage::column::entries, unreadable);
    test_receiver again;
    again.claim(node, "r");
    CHECK(again.take() == words{std::to_string(unreadable), std::to_string(unreadable + 1)});
    CHECK(node.shard().route().count().messages_dropped[static_cast<std::size_t>(drop_reason::storage)] == unreadable);
    CHECK(rows(node, storage::column::entries) == unreadable + 2); // left for whoever looks into it
}

TEST_CASE("a load that could not read anything is made again when something changes, not at once") {
    const auto waiting = [](message_id id) {
        const auto m = make_message({.id = id, .topic = "t", .level = qos::at_least_once});
        return entry{.message = m, .level = qos::at_least_once, .stored = true};
    };
    for (const bool by_entry : {true, false}) {
        backlog b{10, 1000};
        b.push_back(waiting(message_id{7}));
        b.spill_all();
        REQUIRE(b.wants_load());
        const auto asked = b.start_load(session_id{1});
        CHECK(b.finish_load(storage::loaded_rows{.request = asked, .more = true}, [](message_id) { return false; }) == 0);
        CHECK_FALSE(b.wants_load());
        CHECK(b.size() == 1);
        by_entry ? b.push_back(waiting(message_id{8})) : b.try_again();
        REQUIRE(b.wants_load());
        CHECK(b.start_load(session_id{1}).from == message_id{7});
    }
}

TEST_CASE("a large window is answered in any order, and its handles count up") {
    test_node node;
    test_receiver r;
    r.claim(node, "r", 0, {.window = 0xFFFF, .expiry = seconds{100}});
    r.subscribe(node, "t");
    constexpr std::size_t many = 20'000;
    for (std::size_t i = 0; i != many; ++i) {
        (void)node.shard().route().publish(make_message({.topic = "t", .level = qos::at_least_once}), node.now());
    }
    node.settle();
    REQUIRE(r.handles.size() == many);
    for (std::size_t i = 0; i != many; ++i) CHECK(r.handles[i] == i + 1);
    const auto answer = [&](std::uint16_t handle) { return r.mine->settle(handle, settlement::accepted, node.now()).has_value(); };
    bool all = true;
    for (std::size_t i = 0; i != many; i += 2) all &= answer(r.handles[many - 1 - i]);
    for (std::size_t i = 0; i != many; i += 2) all &= answer(r.handles[i]);
    CHECK(all);
    CHECK(r.mine->outstanding() == 0);
    node.settle();
    CHECK(rows(node, storage::column::entries) == 0);
}

TEST_CASE("handles begin anew past those in use, whatever is unanswered or comes from before a restart") {
    test_node node;
    test_receiver first;
    first.claim(node, "r", 0, {.window = 0xFFFF, .expiry = seconds{100}});
    first.subscribe(node, "t");
    publish(node, "t", "old", qos::exactly_once);
    publish(node, "t", "2", qos::exactly_once);
    CHECK(first.handles == std::vector<std::uint16_t>{1, 2});
    node.crash_and_recover();
    test_receiver r;
    r.claim(node, "r", 0, {.window = 0xFFFF, .expiry = seconds{100}});
    CHECK(r.take() == words{"old*", "2*"});
    std::uint16_t last = 2;
    for (std::size_t i = 0; i != 70'000; ++i) { // answered at once, so once around
        (void)node.shard().route().publish(make_message({.topic = "t", .level = qos::at_least_once}), node.now());
        last = r.handles.back();
        if (last == 1 || last == 2 || !r.mine->settle(last, settlement::accepted, node.now())) break;
    }
    CHECK(last == 70'002 - 65'535 + 2);
    CHECK(r.mine->outstanding() == 2);
}

TEST_CASE("a QoS 2 delivery that expires while its handle goes to the disk leaves what was sent behind it as it is") {
    test_node node;
    test_receiver r;
    r.claim(node, "r");
    r.subscribe(node, "t");
    node.commit_automatically(false);
    (void)node.shard().route().publish(make_message({.topic = "t",
                                                     .payload = as_bytes("expires"),
                                                     .level = qos::exactly_once,
                                                     .received_at = node.now(),
                                                     .expires_at = node.now() + seconds{1}}),
                                       node.now());
    for (const auto* const m : {"1", "2", "3"}) publish(node, "t", m);
    CHECK(r.take() == words{"1", "2", "3"});
    CHECK(r.settle(node, r.handles[0])); // two gaps right behind it
    CHECK(r.settle(node, r.handles[1]));
    node.advance(seconds{2});
    node.commit();
    CHECK(r.take().empty());
    CHECK(r.settle(node, r.handles[2]));
    publish(node, "t", "4");
    CHECK(r.take() == words{"4"});
}
